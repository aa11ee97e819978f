# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of an arm, their spread over seeds, their interval over rows.

Legend: S seeds, N evaluation rows, C classes. A label is a class id, or -1
for a class that the training rows do not have: no prediction can equal it, so
such a row counts as wrong.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

BOOTSTRAP_SAMPLES = 10_000
LEVEL = 0.95


def over_seeds(values: Sequence[float]) -> dict:
  """Mean and sample standard deviation (n - 1) of one value per seed.

  Returns {"mean", "std", "per_seed"}; std is None for a single seed, which
  has no spread to speak of (0 would claim that there is none).
  """
  per_seed = [float(value) for value in values]
  std = float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else None
  return {"mean": float(np.mean(per_seed)), "std": std, "per_seed": per_seed}


def correct(
  logits: Float[np.ndarray, "S N C"], labels: Int[np.ndarray, "N"]
) -> Bool[np.ndarray, "S N"]:
  """Which rows each seed's model gets right; a row labelled -1 never is."""
  return logits.argmax(-1) == labels[None, :]


def confusion(
  predicted: Int[np.ndarray, "N"],
  labels: Int[np.ndarray, "N"],
  num_classes: int,
) -> Int[np.ndarray, "C C"]:
  """Counts of (true class, predicted class), unseen classes left out."""
  known = labels >= 0
  flat = labels[known] * num_classes + predicted[known]
  return np.bincount(flat, minlength=num_classes**2).reshape(
    num_classes, num_classes
  )


def bootstrap_interval(
  scores: Float[np.ndarray, "N"], rng: np.random.Generator
) -> list[float]:
  """The percentile bootstrap interval of the mean of `scores` over rows.

  Covers `LEVEL` of `BOOTSTRAP_SAMPLES` resamples of N rows with replacement
  (Efron 1979). A row's score takes few values (right in k of S seeds), so
  drawing how often each value comes up, multinomially, is the same resampling
  at a cost that does not grow with N.
  """
  values, counts = np.unique(scores, return_counts=True)
  draws = rng.multinomial(
    len(scores), counts / len(scores), size=BOOTSTRAP_SAMPLES
  )
  means = draws @ values / len(scores)
  tail = (1 - LEVEL) / 2
  return [float(bound) for bound in np.quantile(means, [tail, 1 - tail])]


def difference(
  better: Bool[np.ndarray, "S N"],
  than: Bool[np.ndarray, "Z N"],
  rng: np.random.Generator,
) -> dict:
  """How much more often one arm is right than another, on the same rows.

  Each row's score is first averaged over its arm's seeds; the interval then
  resamples rows, the same ones for both arms (a paired bootstrap).
  """
  scores = better.mean(0) - than.mean(0)
  return {
    "mean": float(scores.mean()),
    "interval": bootstrap_interval(scores, rng),
  }
