# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows in memory -> batches: shuffled for training, by length for reading.

Few lengths (multiples of 16) mean few shapes, hence few compilations.
"""

import collections
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from gd_jax import rngs

Arrays = Mapping[str, np.ndarray]

# Batches whose rows are drawn together and dealt out by length: those of short
# rows are then narrow, which halves the arithmetic on texts of mixed lengths.
WINDOW_STEPS = 8


@functools.lru_cache(maxsize=8)
def epoch_order(seed: int, epoch: int, n: int) -> Int[np.ndarray, " n"]:
  """The order in which epoch `epoch` visits rows 0..n-1 (read-only)."""
  order = rngs.numpy_stream(seed, "epoch", epoch).permutation(n)
  order.flags.writeable = False
  return order


def rows_at(
  step: int, *, seed: int, batch_size: int, n: int
) -> Int[np.ndarray, " batch_size"]:
  """The rows of batch `step`: a pure function, so resuming needs no state.

  The epochs' orders are laid end to end and cut every `batch_size` rows. No
  row is ever dropped; a batch may span two epochs (or more, if n is small).
  """
  at = np.arange(step * batch_size, (step + 1) * batch_size)
  epochs = range(at[0] // n, at[-1] // n + 1)
  orders = np.concatenate([epoch_order(seed, epoch, n) for epoch in epochs])
  return orders[at - epochs[0] * n]


def dealt_by_length(
  window: int,
  *,
  seed: int,
  batch_size: int,
  steps: int,
  lengths: Int[np.ndarray, " n"],
) -> Int[np.ndarray, "steps batch_size"]:
  """The rows of a window's batches, each of rows of like length.

  A window may hold a row several times, once for each epoch; a batch does not,
  where there are others.
  """
  rows = rows_at(
    window, seed=seed, batch_size=batch_size * steps, n=len(lengths)
  )
  rows = rows[np.argsort(lengths[rows], kind="stable")]
  if len(np.unique(rows)) < len(rows):
    rows = _copies_apart(rows, batch_size)
  return rows.reshape(steps, batch_size)


def _copies_apart(
  rows: Int[np.ndarray, " n"], batch_size: int
) -> Int[np.ndarray, " n"]:
  """Nearly in the same order: a batch leaves a row's copies to the next one.

  The copies of a row are of like length most of all: left where they are, a
  batch of 32 had 13 different ones of 160 rows.
  """
  waiting, dealt = rows.tolist(), []
  for batches_left in range(len(rows) // batch_size, 0, -1):
    copies = collections.Counter(waiting)
    # With a copy for each batch that is left, a row can't wait.
    waiting.sort(key=lambda row: copies[row] < batches_left)
    batch: list[int] = []
    while len(batch) < batch_size:
      distinct = list(dict.fromkeys(waiting))[: batch_size - len(batch)]
      batch += distinct
      waiting = _without(waiting, distinct)
    dealt += batch
  return np.array(dealt)


def _without(rows: Sequence[int], taken: Iterable[int]) -> list[int]:
  """`rows` without the first of each that is taken."""
  left, out = [], set(taken)
  for row in rows:
    if row in out:
      out.remove(row)
    else:
      left.append(row)
  return left


def bucket_length(longest: int, *, limit: int, multiple: int = 16) -> int:
  """`longest` rounded up to a multiple of `multiple`, at most `limit`."""
  return min(-(-max(longest, 1) // multiple) * multiple, limit)


def pad_rows(
  rows: Sequence[Sequence[int]], length: int, *, pad_id: int = 0
) -> tuple[Int[np.ndarray, "N length"], Int[np.ndarray, "N length"]]:
  """Lists of ids -> (tokens, mask), padded on the right.

  Raises:
    ValueError: A row is longer than `length`; cutting is the tokenizer's work.
  """
  tokens = np.full((len(rows), length), pad_id, np.int32)
  mask = np.zeros((len(rows), length), np.int32)
  for i, row in enumerate(rows):
    if len(row) > length:
      raise ValueError(f"row {i} has {len(row)} tokens, more than {length}")
    tokens[i, : len(row)] = row
    mask[i, : len(row)] = 1
  return tokens, mask


def from_rows(
  rows: Sequence[Sequence[int]], *, pad_id: int = 0, **columns: np.ndarray
) -> dict[str, np.ndarray]:
  """{"tokens", "mask", **columns}: all rows, as wide as the longest."""
  width = max((len(row) for row in rows), default=1)
  tokens, mask = pad_rows(rows, width, pad_id=pad_id)
  return {"tokens": tokens, "mask": mask, **columns}


class Batches:
  """Shuffled batches of rows in memory; batch `step` is a pure function."""

  def __init__(self, arrays: Arrays, *, batch_size: int, seed: int):
    """Args: arrays: all rows, with "tokens" and "mask" [N L]; N >= 1."""
    self._arrays = arrays
    self._batch_size = batch_size
    self._seed = seed
    self._lengths = arrays["mask"].sum(axis=1)
    if not len(self._lengths):
      raise ValueError("there are no rows to train on")

  def at(self, step: int) -> dict[str, np.ndarray]:
    """Batch `step`, cut to the bucket of its longest row."""
    window, place = divmod(step, WINDOW_STEPS)
    dealt = dealt_by_length(
      window,
      seed=self._seed,
      batch_size=self._batch_size,
      steps=WINDOW_STEPS,
      lengths=self._lengths,
    )
    # Shuffled again, or lengths would come in the same order in each window.
    order = rngs.numpy_stream(self._seed, "window", window)
    rows = dealt[order.permutation(WINDOW_STEPS)[place]]
    return _take(self._arrays, rows, int(self._lengths[rows].max()))


def by_length(
  arrays: Arrays, batch_size: int
) -> Iterator[tuple[Int[np.ndarray, " n"], dict[str, np.ndarray]]]:
  """Every row once, in full batches of rows of like length.

  The last batch is filled up by repeating its last row: "valid" [B] is 0 there
  and nothing is dropped. Long rows come first, so that a lack of memory shows
  at once.

  Yields:
    (rows, batch): the n <= B row numbers of the valid rows, and the batch with
    "valid" [B] float32 added.
  """
  lengths = arrays["mask"].sum(axis=1)
  order = np.argsort(-lengths, kind="stable")
  for start in range(0, len(order), batch_size):
    rows = order[start : start + batch_size]
    filled = np.pad(rows, (0, batch_size - len(rows)), mode="edge")
    batch = _take(arrays, filled, int(lengths[rows].max()))
    batch["valid"] = (np.arange(batch_size) < len(rows)).astype(np.float32)
    yield rows, batch


def _take(arrays: Arrays, rows, longest: int) -> dict[str, np.ndarray]:
  limit = arrays["tokens"].shape[1]
  length = bucket_length(longest, limit=limit)
  return {
    name: array[rows, :length] if name in ("tokens", "mask") else array[rows]
    for name, array in arrays.items()
  }
