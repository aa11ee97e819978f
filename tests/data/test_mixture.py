# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from gd_jax.data.mixture import WINDOW_STEPS, Mixture, Schedule

LABELLED, GENERATED, BATCH = 40, 300, 8


def make(**changes):
  base = Mixture(
    num_labelled=LABELLED,
    num_generated=GENERATED,
    batch_size=BATCH,
    labelled_fraction=0.25,
    seed=3,
  )
  return dataclasses.replace(base, **changes)


@pytest.fixture(scope="module")
def lengths():
  rng = np.random.default_rng(0)
  return rng.integers(1, 65, LABELLED + GENERATED)


def seen(mixture, lengths, windows):
  rows = [mixture.window(i, lengths) for i in range(windows)]
  return np.concatenate(rows)


# Dies if: batches hold another share of labelled rows, or rows beyond the
# student's prefix.
def test_each_batch_mixes_labelled_and_generated_rows(lengths):
  rows = seen(make(num_generated=100), lengths, windows=20)
  assert rows.shape == (20 * WINDOW_STEPS, BATCH)
  assert ((rows < LABELLED).sum(axis=1) == 2).all()
  assert rows.max() == LABELLED + 99


# Dies if: an arm with texts of its own sees those of another.
def test_rows_beside_the_labelled_ones_may_lie_further_on(lengths):
  rows = seen(
    make(num_generated=100, first_generated=LABELLED + 200),
    lengths,
    windows=20,
  )
  others = rows[rows >= LABELLED]
  assert (others.min(), others.max()) == (LABELLED + 200, LABELLED + 299)


# Dies if: dealing rows out by length drops or repeats any of them.
def test_every_row_is_visited_once_an_epoch(lengths):
  n = WINDOW_STEPS * BATCH
  mixture = make(num_labelled=n, num_generated=0)
  rows = mixture.window(0, np.resize(lengths, n))
  assert sorted(rows.ravel()) == list(range(n))


# Dies if: like lengths bring a row's copies, of several epochs in one window,
# into one batch; or some rows are seen more often than others.
@pytest.mark.parametrize("n", [4, 8, 40, 43, 127])
def test_no_batch_repeats_a_row(lengths, n):
  mixture = make(num_labelled=n, num_generated=0)
  rows = seen(mixture, np.resize(lengths, n), windows=n)
  assert (np.bincount(rows.ravel()) == WINDOW_STEPS * BATCH).all()
  distinct = np.array([np.unique(batch).size for batch in rows])
  assert (distinct == min(n, BATCH)).all()


# Dies if: a corpus of few rows takes three quarters of each batch: the way
# from kd to gd would begin with a jump.
@pytest.mark.parametrize(
  ("num_generated", "expected"),
  [(0, 0), (1, 1), (20, 3), (40, 4), (300, 6), (10**6, 6)],
)
def test_labelled_rows_keep_their_natural_share_if_it_is_larger(
  num_generated, expected
):
  assert make(num_generated=num_generated).generated_per_batch == expected


# Dies if: a small share leaves no place to a labelled row.
def test_a_batch_has_a_labelled_row_however_small_the_share():
  mixture = make(num_generated=10**6, labelled_fraction=0.01)
  assert mixture.generated_per_batch == BATCH - 1


# Dies if: a share of 1 leaves a place to a generated row, or one below it none.
@pytest.mark.parametrize(("fraction", "labelled"), [(1.0, 8), (0.99, 7)])
def test_all_labelled_batches_are_possible(lengths, fraction, labelled):
  rows = seen(make(labelled_fraction=fraction), lengths, windows=2)
  assert ((rows < LABELLED).sum(axis=1) == labelled).all()


# Dies if: the order of labelled rows depends on whether there are generated
# ones at all, e.g. by a shared stream.
def test_without_generated_rows_a_mixture_is_the_labelled_one(lengths):
  kd = make(num_generated=0)
  gd = make(num_generated=0, labelled_fraction=0.9)
  np.testing.assert_array_equal(
    seen(kd, lengths, windows=3), seen(gd, lengths, windows=3)
  )


# Dies if: rows are not dealt out by length.
def test_batches_hold_rows_of_like_length(lengths):
  schedule = Schedule([make()], lengths, limit=64)
  padded = [schedule.at(step)[1] for step in range(10 * WINDOW_STEPS)]
  assert np.mean(padded) < 45  # Unsorted, 8 rows are 57 wide on average.
  assert set(padded) == {16, 32, 48, 64}


# Dies if: the order of batches within a window depends on the student's seed.
def test_students_side_by_side_pad_alike(lengths):
  alone = Schedule([make()], lengths, limit=64)
  both = Schedule([make(), make(seed=4)], lengths, limit=64)
  steps = range(10 * WINDOW_STEPS)
  wider = np.mean([both.at(s)[1] - alone.at(s)[1] for s in steps])
  assert 0 <= wider < 4


# Dies if: anything but the step decides about a batch.
def test_a_batch_is_a_pure_function_of_its_step(lengths):
  mixtures = [make(), make(seed=5, num_generated=0)]
  first = Schedule(mixtures, lengths, limit=64)
  rows = [first.at(step)[0] for step in range(40)]
  second = Schedule(mixtures, lengths, limit=64)
  for step in (39, 2, 17):
    np.testing.assert_array_equal(second.at(step)[0], rows[step])
  assert rows[0].shape == (2, BATCH)


def test_seeds_differ(lengths):
  one, other = make().window(0, lengths), make(seed=4).window(0, lengths)
  assert not np.array_equal(one, other)
