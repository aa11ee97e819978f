# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How varied a set of texts is: distinct n-grams and self-BLEU."""

import math
from collections import Counter
from collections.abc import Sequence

_MAX_ORDER = 4

Words = Sequence[str]


def distinct(texts: Sequence[Words], order: int) -> float:
  """Distinct n-grams per n-gram (Li et al. 2016, arXiv:1510.03055).

  Falls as the number of texts grows: compare only sets of one size. 0 where
  no text has `order` words.
  """
  grams = [gram for text in texts for gram in _grams(text, order)]
  return len(set(grams)) / len(grams) if grams else 0.0


def self_bleu(texts: Sequence[Words]) -> float:
  """The mean BLEU-4 of each text against all others (Zhu et al. 2018).

  1.0 where every text occurs twice. Precisions above one word are smoothed by
  adding 1 (Lin and Och 2004), or short texts would all score 0. Grows with
  the number of texts: compare only sets of one size. 0 for fewer than two.
  """
  if len(texts) < 2:
    return 0.0
  tables = [_Clip(texts, order) for order in range(1, _MAX_ORDER + 1)]
  lengths = Counter(len(text) for text in texts)
  scores = []
  for text in texts:
    precisions = []
    for order, table in enumerate(tables, start=1):
      matched, total = table.matches(text)
      smooth = int(order > 1)
      precisions.append((matched + smooth) / max(total + smooth, 1))
    scores.append(_brevity(len(text), lengths) * _geometric_mean(precisions))
  return sum(scores) / len(scores)


def _grams(text: Words, order: int) -> list[tuple[str, ...]]:
  return [
    tuple(text[start : start + order]) for start in range(len(text) - order + 1)
  ]


class _Clip:
  """Of each n-gram the most one text has, and the most any other has."""

  def __init__(self, texts: Sequence[Words], order: int):
    self._order = order
    self._most: Counter[tuple[str, ...]] = Counter()
    self._second: Counter[tuple[str, ...]] = Counter()
    for text in texts:
      for gram, count in Counter(_grams(text, order)).items():
        ranked = sorted((count, self._most[gram], self._second[gram]))
        self._second[gram], self._most[gram] = ranked[1:]

  def matches(self, text: Words) -> tuple[int, int]:
    """(n-grams that another text has as well, n-grams) of one of the texts."""
    counts = Counter(_grams(text, self._order))
    matched = 0
    for gram, count in counts.items():
      # Where this text has the most, the others have the second most.
      own = count == self._most[gram]
      others = self._second[gram] if own else self._most[gram]
      matched += min(count, others)
    return matched, counts.total()


def _brevity(length: int, lengths: Counter[int]) -> float:
  """BLEU's penalty: being shorter than the other text nearest in length."""
  if length == 0:
    return 0.0
  others = [other for other in lengths if other != length or lengths[other] > 1]
  nearest = min(others, key=lambda other: (abs(other - length), other))
  return 1.0 if length >= nearest else math.exp(1 - nearest / length)


def _geometric_mean(values: Sequence[float]) -> float:
  if min(values) <= 0:
    return 0.0
  return math.exp(sum(map(math.log, values)) / len(values))
