# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far a model's confidence can be believed.

Legend: S seeds, N evaluation rows, C classes.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gd_jax.reporting import statistics

NUM_BINS = 15
SOURCE = (
  "the expected calibration error of Guo et al. 2017 (On Calibration of Modern "
  f"Neural Networks, equation 3), {NUM_BINS} bins of equal width"
)
# The margins of an SVM are no probabilities.
WITHOUT_PROBABILITIES = frozenset({"tfidf"})


def of(
  logits: Float[np.ndarray, "S N C"], labels: Int[np.ndarray, " N"]
) -> dict[str, Any]:
  """The calibration error of each seed, and the bins of all of them.

  A model's confidence in a row is its largest softmax probability. Of the rows
  whose confidence lies in ((m - 1) / M, m / M], the share that is right is
  compared with their mean confidence; the error is the mean of the absolute
  differences, each bin weighted by its rows. A row labelled -1 is never right.

  Returns:
    "ece": as `statistics.over_seeds`. "bins": of the rows of all seeds, those
    that hold any, each {"low", "high", "share" (of the rows), "confidence",
    "accuracy"}.
  """
  confidence = _softmax(logits.astype(np.float64)).max(-1)
  right = statistics.correct(logits, labels)
  at = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
  errors = [
    np.abs(_sums(at_, confidence_ - right_)).sum() / len(labels)
    for at_, confidence_, right_ in zip(at, confidence, right, strict=True)
  ]
  counts = _sums(at, np.ones_like(confidence))
  confidences, rights = _sums(at, confidence), _sums(at, right)
  bins = [
    {
      "low": m / NUM_BINS,
      "high": (m + 1) / NUM_BINS,
      "share": float(counts[m] / counts.sum()),
      "confidence": float(confidences[m] / counts[m]),
      "accuracy": float(rights[m] / counts[m]),
    }
    for m in map(int, np.flatnonzero(counts))
  ]
  return {"ece": statistics.over_seeds(errors), "bins": bins}


def _sums(at: np.ndarray, values: np.ndarray) -> Float[np.ndarray, " M"]:
  """The sum of `values` in each bin."""
  return np.bincount(
    at.ravel(), weights=values.ravel().astype(np.float64), minlength=NUM_BINS
  )


def _softmax(logits: np.ndarray) -> np.ndarray:
  shifted = np.exp(logits - logits.max(-1, keepdims=True))
  return shifted / shifted.sum(-1, keepdims=True)
