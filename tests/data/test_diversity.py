# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import math

import pytest

from gd_jax.data import diversity


def words(*texts):
  return [text.split() for text in texts]


# Dies if: n-grams cross texts, or repeated ones are counted as distinct.
def test_distinct():
  texts = words("a b a b", "a c")
  assert diversity.distinct(texts, 1) == 3 / 6
  assert diversity.distinct(texts, 2) == 3 / 4  # ab ba ab | ac
  assert diversity.distinct(texts, 3) == 1.0
  assert diversity.distinct(texts, 5) == 0.0


# Dies if: a text is compared with itself.
def test_self_bleu_of_texts_with_nothing_in_common_is_0():
  assert diversity.self_bleu(words("a b c d e", "f g h i j")) == 0.0


# Dies if: twins are not counted as others.
def test_self_bleu_of_twins_is_1():
  texts = words("a b c d e", "a b c d e", "f g h i j k", "f g h i j k")
  assert diversity.self_bleu(texts) == pytest.approx(1.0)


# Dies if: counts are not clipped by the other texts', or the precisions are
# not smoothed as said.
def test_self_bleu_by_hand():
  texts = words("a a a b", "a b c d")
  # "a a a b": words 1 + 1 of 4; pairs ab, 1 of 3; no longer ones of 2 and 1.
  first = (2 / 4 * (1 + 1) / (3 + 1) * 1 / (2 + 1) * 1 / (1 + 1)) ** 0.25
  # "a b c d": a, b of 4; ab of 3; none of 2 and of 1.
  second = (2 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25
  assert diversity.self_bleu(texts) == pytest.approx((first + second) / 2)


# Dies if: a short text is not penalised for being shorter than the nearest.
def test_brevity_penalty():
  long, short = "a b c d e f", "a b c"
  precision_of_long = (3 / 6 * 3 / 6 * 2 / 5 * 1 / 4) ** 0.25
  precision_of_short = 1.0  # all its n-grams; of order 4 it has none
  penalty = math.exp(1 - 6 / 3)
  expected = (precision_of_long + penalty * precision_of_short) / 2
  assert diversity.self_bleu(words(long, short)) == pytest.approx(expected)


@pytest.mark.parametrize("texts", [[], ["a b"], ["", "a"], ["", ""]])
def test_too_little_to_compare(texts):
  assert diversity.self_bleu(words(*texts)) == 0.0
