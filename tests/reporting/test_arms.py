# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
from gd_jax.reporting import arms


def test_the_method_comes_last_and_strangers_before_it():
  names = ["gd", "zeta", "kd", "teacher", "tfidf", "gold", "gd_hard"]
  assert arms.in_order(names) == [
    "teacher",
    "tfidf",
    "gold",
    "kd",
    "gd_hard",
    "zeta",
    "gd",
  ]


def test_the_headline_is_the_method_or_what_is_nearest():
  assert arms.headline({"teacher", "gold", "gd", "gd_hard"}) == "gd"
  assert arms.headline({"teacher", "gold", "kd"}) == "kd"
  assert arms.headline({"teacher", "tfidf", "zeta"}) == "zeta"
  assert arms.headline({"teacher", "tfidf"}) == "tfidf"
  assert arms.headline({"teacher"}) == "teacher"


def test_an_arm_is_not_compared_with_itself():
  assert arms.comparisons({"teacher", "gold"}) == [("gold", "teacher")]
  assert arms.comparisons({"teacher"}) == []
  assert arms.comparisons({"teacher", "kd", "gd", "zeta"}) == [
    ("gd", "kd"),
    ("gd", "teacher"),
  ]


def test_every_arm_has_words():
  for name in arms.WORDS:
    assert arms.in_words(name).endswith(".")
  assert arms.in_words("zeta")
