# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Texts that are the same, or nearly: every pair, without approximation.

Two texts are nearly the same when the Jaccard similarity of their sets of
words and pairs of neighbouring words reaches a threshold. Pairs of texts are
found by prefix filtering (Bayardo et al. 2007, "Scaling up all pairs
similarity search"): with the members of every set in one common order, two
sets that are similar enough share one of their first few. Rare members come
first, so that few pairs are left to compare. MinHash would miss some pairs,
and which ones would depend on its version; here no decision depends on a hash
or on texts that come later.
"""

import dataclasses
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from gd_jax.data.draws import normalise

# Thai, Japanese and Chinese put no blanks between words: there a character
# counts as a word.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_UNSPACED}]|[^{_UNSPACED}\\s]+")

Shingles = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Match:
  """The text most similar to another one.

  Attributes:
    name: its name in the index.
    similarity: Jaccard similarity, 1.0 for an exact duplicate.
    exact: the same text but for case, punctuation and white space.
  """

  name: str
  similarity: float
  exact: bool


def words(text: str) -> list[str]:
  """The words of a text, without case or punctuation."""
  return _WORD.findall(normalise(text))


def shingle(texts: Sequence[str]) -> list[Shingles]:
  """Each text's set of words and word pairs, as ascending numbers.

  Rare ones have low numbers. Sets can be compared with sets of the same call
  alone.
  """
  sets = [_members(text) for text in texts]
  counts = Counter(member for members in sets for member in members)
  rare_first = sorted(counts, key=counts.__getitem__)
  number = {member: rank for rank, member in enumerate(rare_first)}
  return [tuple(sorted(number[m] for m in members)) for members in sets]


def _members(text: str) -> set[str]:
  found = words(text)
  return {*found, *map(" ".join, itertools.pairwise(found))}


class Index:
  """Texts by name, searched for the one most similar to another text."""

  def __init__(self, threshold: float):
    """An empty index.

    Args:
      threshold: the least similarity that counts, above 0 and at most 1.
    """
    self._threshold = threshold
    self._names: list[str] = []
    self._sets: list[Shingles] = []
    self._exact: dict[str, int] = {}
    self._by_prefix: dict[int, list[int]] = defaultdict(list)

  def add(self, name: str, text: str, shingles: Shingles) -> None:
    """Adds a text; `shingles` is its set, from `shingle`."""
    entry = len(self._names)
    self._names.append(name)
    self._sets.append(shingles)
    self._exact.setdefault(normalise(text), entry)
    for number in self._prefix(shingles):
      self._by_prefix[number].append(entry)

  def find(self, text: str, shingles: Shingles) -> Match | None:
    """An exact duplicate, else the most similar text, else None.

    Of several, the one that was added first.
    """
    exact = self._exact.get(normalise(text))
    if exact is not None:
      return Match(self._names[exact], 1.0, True)
    members = set(shingles)
    found = None
    for entry in sorted(self._candidates(shingles)):
      other = self._sets[entry]
      shared = len(members.intersection(other))
      similarity = shared / (len(members) + len(other) - shared)
      more_similar = found is None or similarity > found.similarity
      if similarity >= self._threshold and more_similar:
        found = Match(self._names[entry], similarity, False)
    return found

  def _candidates(self, shingles: Shingles) -> set[int]:
    """Texts that share a first member and are not too short or too long."""
    # A little wider than exact arithmetic needs: `find` decides.
    least = self._threshold * len(shingles) - 1e-9
    most = len(shingles) / self._threshold + 1e-9
    return {
      entry
      for number in self._prefix(shingles)
      for entry in self._by_prefix.get(number, ())
      if least <= len(self._sets[entry]) <= most
    }

  def _prefix(self, shingles: Shingles) -> Shingles:
    """The members one of which every similar set has among its own first ones.

    A set similar to these N shares at least threshold * N of them, so it
    can't miss all of the first N - threshold * N + 1.
    """
    # Less a little: 0.8 * 5 may come out above 4.
    shared = math.ceil(self._threshold * len(shingles) - 1e-9)
    return shingles[: len(shingles) - shared + 1]
