# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from gd_jax.reporting import statistics


def test_spread_over_seeds():
  # Dies if: the deviation is the population's (ddof 0).
  found = statistics.over_seeds([0.8, 0.9, 0.7])
  assert found["mean"] == pytest.approx(0.8)
  assert found["std"] == pytest.approx(0.1)
  assert found["per_seed"] == [0.8, 0.9, 0.7]


def test_one_seed_has_no_spread():
  assert statistics.over_seeds([0.8]) == {
    "mean": 0.8,
    "std": None,
    "per_seed": [0.8],
  }


def test_an_unseen_label_is_always_wrong():
  # Dies if: -1 is taken for an index from the end.
  logits = np.eye(3, dtype=np.float32)[None, [0, 1, 2, 2]]
  right = statistics.correct(logits, np.array([0, 2, 2, -1]))
  assert right.tolist() == [[True, False, True, False]]


def test_confusion_counts_truth_by_row():
  # Dies if: truth and prediction are swapped, or unseen labels are counted.
  found = statistics.confusion(
    np.array([0, 1, 1, 1]), np.array([0, 0, 1, -1]), 2
  )
  assert found.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_bootstrap_matches_the_binomial(share):
  # Dies if: rows are not drawn with replacement, or N is miscounted.
  n = 400
  scores = (np.arange(n) < share * n).astype(float)
  low, high = statistics.bootstrap_interval(scores, np.random.default_rng(0))
  half = 1.96 * np.sqrt(share * (1 - share) / n)
  assert low == pytest.approx(share - half, abs=0.006)
  assert high == pytest.approx(share + half, abs=0.006)


def test_bootstrap_equals_resampling_rows_one_by_one():
  # Scores of several seeds: more values than right and wrong.
  rng = np.random.default_rng(1)
  scores = rng.integers(0, 6, size=120) / 5
  low, high = statistics.bootstrap_interval(scores, rng)
  draws = scores[rng.integers(0, 120, size=(20_000, 120))].mean(1)
  np.testing.assert_allclose(
    [low, high], np.quantile(draws, [0.025, 0.975]), atol=0.005
  )


def test_difference_is_paired():
  # Dies if: the two arms' rows are resampled apart.
  rng = np.random.default_rng(0)
  than = rng.random((1, 500)) < 0.6
  better = than.copy()
  better[0, np.flatnonzero(~than[0])[:50]] = True
  found = statistics.difference(better, than, rng)
  assert found["mean"] == pytest.approx(0.1)
  low, high = found["interval"]
  assert 0.07 < low < 0.1 < high < 0.13


def test_difference_to_itself_is_nothing():
  right = np.random.default_rng(0).random((3, 50)) < 0.5
  found = statistics.difference(right, right, np.random.default_rng(0))
  assert found == {"mean": 0.0, "interval": [0.0, 0.0]}


def test_arms_may_have_other_numbers_of_seeds():
  better = np.array([[True, True], [True, False]])
  than = np.array([[False, True]])
  found = statistics.difference(better, than, np.random.default_rng(0))
  assert found["mean"] == pytest.approx(0.25)
