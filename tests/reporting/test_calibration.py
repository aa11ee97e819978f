# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from gd_jax.reporting import calibration


def _logits(confidence, num_classes=2):
  """Rows that are so sure of class 0."""
  rest = (1 - np.array(confidence)) / (num_classes - 1)
  shares = np.repeat(rest[:, None], num_classes, 1)
  shares[:, 0] = confidence
  return np.log(shares).astype(np.float32)[None]


def test_the_error_is_the_formulas_by_hand():
  # Dies if: bins are not weighted by their rows, or differences that cancel
  # are summed before they are made absolute.
  logits = _logits([0.9, 0.9, 0.9, 0.7])
  found = calibration.of(logits, np.array([0, 1, 1, 0]))
  by_hand = 3 / 4 * abs(1 / 3 - 0.9) + 1 / 4 * abs(1 - 0.7)
  assert found["ece"]["mean"] == pytest.approx(by_hand, abs=1e-6)
  assert found["ece"]["std"] is None
  low, high = found["bins"]
  assert (low["share"], low["accuracy"]) == (0.25, 1.0)
  assert high["confidence"] == pytest.approx(0.9)
  assert high["accuracy"] == pytest.approx(1 / 3)


def test_bins_hold_their_upper_end():
  # Dies if: a confidence of 1 falls into a bin of its own.
  found = calibration.of(_logits([1 - 1e-9, 0.95]), np.array([0, 0]))
  (only,) = found["bins"]
  assert (only["low"], only["high"]) == (14 / 15, 1.0)


def test_who_is_right_as_often_as_sure_has_no_error():
  rng = np.random.default_rng(0)
  confidence = rng.uniform(0.5, 1, 200_000)
  labels = (rng.random(200_000) > confidence).astype(int)
  found = calibration.of(_logits(confidence), labels)
  assert found["ece"]["mean"] < 0.005


def test_seeds_have_an_error_each_and_share_the_bins():
  # Dies if: seeds are pooled before their errors are taken: these two cancel.
  sure = _logits([0.8, 0.8, 0.8, 0.8, 0.8])
  logits = np.concatenate([sure, -sure])
  found = calibration.of(logits, np.zeros(5, int))
  assert found["ece"]["per_seed"] == pytest.approx([0.2, 0.8], abs=1e-6)
  (only,) = found["bins"]
  assert only["accuracy"] == 0.5


def test_an_unseen_label_is_never_right():
  found = calibration.of(_logits([0.9]), np.array([-1]))
  assert found["bins"][0]["accuracy"] == 0
