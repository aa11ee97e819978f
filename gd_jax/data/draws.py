# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Low-data draws: which rows are labelled, held out, or copies of a test."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gd_jax import rngs
from gd_jax.data.files import Row


def normalise(text: str) -> str:
  """What makes two texts the same one: words, without case or punctuation.

  A text of punctuation alone is its own normal form, apart from white space.
  """
  folded = text.casefold()
  words = folded.translate(_BLANK_PUNCTUATION).split()
  return " ".join(words or folded.split())


class _BlankPunctuation(dict[int, str]):
  """For `str.translate`: Unicode's punctuation to blanks, as it is met.

  Symbols such as + stay, for C++ is not C.
  """

  def __missing__(self, code: int) -> str:
    character = chr(code)
    if unicodedata.category(character).startswith("P"):
      character = " "
    return self.setdefault(code, character)


_BLANK_PUNCTUATION = _BlankPunctuation()


def drop_copies(
  rows: Sequence[Row], texts: Iterable[str]
) -> tuple[list[Row], int]:
  """The rows whose text is none of `texts`, and how many others there were."""
  known = {normalise(text) for text in texts}
  kept = [row for row in rows if normalise(row.text) not in known]
  return kept, len(rows) - len(kept)


def per_class(
  rows: Sequence[Row],
  size: Callable[[int], int],
  *,
  seed: int,
  purpose: str,
) -> list[int]:
  """Draws `size(n)` of the n rows of every class, without replacement.

  Each class has a random stream of its own, named by `purpose` and the class,
  and the first k of one shuffle are taken: a larger draw contains a smaller
  one, and no class's draw depends on the other classes.

  Returns:
    Indices into `rows`, ascending.
  """
  places: dict[str, list[int]] = {}
  for index, row in enumerate(rows):
    places.setdefault(row.label, []).append(index)
  taken: list[int] = []
  for label, indices in places.items():
    rng = rngs.numpy_stream(seed, purpose, label)
    shuffled = rng.permutation(np.asarray(indices))
    taken.extend(shuffled[: size(len(indices))].tolist())
  return sorted(taken)


def held_out(
  rows: Sequence[Row], fraction: float, *, seed: int
) -> tuple[set[int], int]:
  """Which of `rows` only select: about `fraction` of every class.

  What a model has learned by heart tells nothing of it, so rows whose text
  stands among the others, too, are not held out.

  Returns:
    Indices into `rows`, and how many were not held out for that reason.
  """
  drawn = per_class(rows, held_out_size(fraction), seed=seed, purpose="heldout")
  out = set(drawn)
  learned = {normalise(row.text) for i, row in enumerate(rows) if i not in out}
  found = {i for i in out if normalise(rows[i].text) not in learned}
  return found, len(out) - len(found)


def held_out_size(fraction: float) -> Callable[[int], int]:
  """How many of a class's n rows are held out: none of 1, else 1 to n - 1."""

  def size(n: int) -> int:
    return 0 if n < 2 else min(max(round(fraction * n), 1), n - 1)

  return size
