# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which rows a student sees at which step: labelled and generated ones mixed.

Everything is a pure function of the step, so that resuming needs no state.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Int

from gd_jax import rngs
from gd_jax.data import batches

# Steps whose rows are drawn together and dealt out by length: 16 batches of 64
# TREC questions are then 20 tokens wide on average instead of 45.
WINDOW_STEPS = 16


@dataclasses.dataclass(frozen=True)
class Mixture:
  """One student's rows of the store, whose first rows are labelled.

  Attributes:
    num_labelled: Rows 0 .. num_labelled - 1; at least 1.
    num_generated: The prefix of generated rows that this student may see; 0
      makes it see labelled rows alone.
    batch_size: Rows a step.
    labelled_fraction: About the least share of labelled rows in a batch. They
      have a larger share where they are a larger share of all rows, so that an
      ever smaller corpus leads without a jump to none. Below 1, a batch has at
      least one row of each kind; at 1 it has no generated one.
    seed: Of the order of rows.
    first_generated: Where the generated rows begin; None: after the labelled.
  """

  num_labelled: int
  num_generated: int
  batch_size: int
  labelled_fraction: float
  seed: int
  first_generated: int | None = None

  @property
  def generated_per_batch(self) -> int:
    """How many of a batch's rows are generated."""
    if not self.num_generated or self.labelled_fraction >= 1:
      return 0
    natural = self.num_labelled / (self.num_labelled + self.num_generated)
    share = 1 - max(self.labelled_fraction, natural)
    wanted = round(share * self.batch_size)
    return min(max(wanted, 1), max(self.batch_size - 1, 1))

  def window(
    self, index: int, lengths: Int[np.ndarray, " N"]
  ) -> Int[np.ndarray, "W B"]:
    """The rows of steps index * WINDOW_STEPS and the following ones.

    Both kinds are visited epoch by epoch, none ever dropped. Within a window
    each batch gets rows of like length, and the batches come in an order that
    is the same for all students: those that train together pad alike.

    Args:
      index: Of the window.
      lengths: Tokens of each row of the store.
    """
    generated = self.generated_per_batch
    parts = [
      self._dealt(index, "labelled", self.batch_size - generated, lengths)
    ]
    if generated:
      parts.append(self._dealt(index, "generated", generated, lengths))
    rows = np.concatenate(parts, axis=1)
    return rows[rngs.numpy_stream(0, "window", index).permutation(WINDOW_STEPS)]

  def _dealt(
    self, index: int, kind: str, per_batch: int, lengths: np.ndarray
  ) -> Int[np.ndarray, "W n"]:
    first, n = 0, self.num_labelled
    if kind == "generated":
      n = self.num_generated
      first = self.num_labelled
      if self.first_generated is not None:
        first = self.first_generated
    if not per_batch:
      return np.zeros((WINDOW_STEPS, 0), np.int64)
    return first + batches.dealt_by_length(
      index,
      seed=rngs.derived_seed(self.seed, kind),
      batch_size=per_batch,
      steps=WINDOW_STEPS,
      lengths=lengths[first : first + n],
    )


class Schedule:
  """The rows and the padded length of every step, for students side by side."""

  def __init__(
    self, mixtures: list[Mixture], lengths: Int[np.ndarray, " N"], *, limit: int
  ):
    """`limit` is the store's width, which no length exceeds."""
    self._mixtures = mixtures
    self._lengths = lengths
    self._limit = limit
    self._window = functools.lru_cache(maxsize=1)(self._draw)

  def _draw(self, index: int) -> Int[np.ndarray, "W S B"]:
    windows = [m.window(index, self._lengths) for m in self._mixtures]
    return np.stack(windows, axis=1).astype(np.int32)

  def at(self, step: int) -> tuple[Int[np.ndarray, "S B"], int]:
    """(rows of each student, the one length that all are padded to)."""
    rows = self._window(step // WINDOW_STEPS)[step % WINDOW_STEPS]
    longest = int(self._lengths[rows].max())
    return rows, batches.bucket_length(longest, limit=self._limit)
