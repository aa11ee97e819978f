# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gd_jax.data import batches

_sizes = st.integers(1, 30)


@given(seed=st.integers(0, 9), epoch=st.integers(0, 5), n=_sizes)
def test_epoch_order_is_a_permutation(seed, epoch, n):
  order = batches.epoch_order(seed, epoch, n)
  assert sorted(order) == list(range(n))


def test_epochs_and_seeds_differ():
  orders = {
    tuple(batches.epoch_order(seed, epoch, 20))
    for seed in range(3)
    for epoch in range(3)
  }
  assert len(orders) == 9


@given(n=_sizes, batch_size=_sizes, num_steps=_sizes)
def test_batches_visit_every_row_equally_often(n, batch_size, num_steps):
  # Dies if: a remainder is dropped, or a row repeated, where epochs meet.
  rows = np.concatenate(
    [
      batches.rows_at(step, seed=1, batch_size=batch_size, n=n)
      for step in range(num_steps)
    ]
  )
  whole = len(rows) // n * n
  for start in range(0, whole, n):
    assert sorted(rows[start : start + n]) == list(range(n))
  assert len(set(rows[whole:])) == len(rows) - whole


def _arrays(lengths):
  rows = [list(range(1, length + 1)) for length in lengths]
  return batches.from_rows(rows, label=np.arange(len(rows)))


@given(lengths=st.lists(st.integers(1, 70), min_size=1, max_size=12))
def test_a_batch_is_cut_to_its_longest_row_and_no_shorter(lengths):
  arrays = _arrays(lengths)
  batch = batches.Batches(arrays, batch_size=3, seed=0).at(2)
  taken = np.array(lengths)[batch["label"]]
  np.testing.assert_array_equal(batch["mask"].sum(1), taken)
  np.testing.assert_array_equal(batch["tokens"].max(1), taken)
  width = batch["tokens"].shape[1]
  assert width % 16 == 0 or width == max(lengths)
  assert width - taken.max() < 16


def test_a_window_visits_its_rows_once_each_dealt_out_by_length():
  # Dies if: rows are lost or doubled between the batches of a window, or
  # batches are as wide as if rows had been dealt out at random.
  lengths = [*range(1, 65)]
  made = batches.Batches(_arrays(lengths), batch_size=8, seed=1)
  steps = [made.at(step) for step in range(batches.WINDOW_STEPS)]
  rows = np.concatenate([batch["label"] for batch in steps])
  assert sorted(rows) == list(range(64))
  assert sum(batch["tokens"].shape[1] for batch in steps) == 2 * (
    16 + 32 + 48 + 64
  )


@pytest.mark.parametrize("n", [4, 8, 24, 43, 127])
def test_no_batch_repeats_a_row_of_an_epoch(n):
  # Dies if: like lengths bring a row's copies, of several epochs in one window,
  # into one batch; or some rows are seen more often than others.
  made = batches.Batches(
    _arrays([i % 20 + 1 for i in range(n)]), batch_size=8, seed=1
  )
  rows = np.stack([made.at(step)["label"] for step in range(8 * n)])
  assert (np.bincount(rows.ravel()) == 64).all()
  distinct = np.array([np.unique(batch).size for batch in rows])
  assert (distinct == min(n, 8)).all()


def test_resuming_is_asking_for_the_next_step():
  arrays = _arrays([3, 5, 2, 9, 4])
  first = batches.Batches(arrays, batch_size=2, seed=3)
  for step in range(6):
    first.at(step)
  fresh = batches.Batches(arrays, batch_size=2, seed=3)
  for name, array in first.at(6).items():
    np.testing.assert_array_equal(array, fresh.at(6)[name])


@given(
  lengths=st.lists(st.integers(1, 40), max_size=15),
  batch_size=st.integers(1, 6),
)
def test_by_length_reads_every_row_once(lengths, batch_size):
  # Dies if: the last, incomplete batch is dropped.
  arrays = _arrays(lengths)
  seen = []
  widths = []
  for rows, batch in batches.by_length(arrays, batch_size):
    assert batch["tokens"].shape[0] == batch_size
    valid = batch["valid"] > 0
    np.testing.assert_array_equal(batch["label"][valid], rows)
    np.testing.assert_array_equal(
      batch["mask"][valid].sum(1), np.array(lengths)[rows]
    )
    seen.extend(rows)
    widths.append(batch["tokens"].shape[1])
  assert sorted(seen) == list(range(len(lengths)))
  assert widths == sorted(widths, reverse=True)


def test_pad_rows_refuses_to_cut():
  with pytest.raises(ValueError, match="row 1 has 3 tokens, more than 2"):
    batches.pad_rows([[1], [1, 2, 3]], 2)


def test_no_rows_to_train_on():
  with pytest.raises(ValueError, match="no rows"):
    batches.Batches(_arrays([]), batch_size=2, seed=0)
