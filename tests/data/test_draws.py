# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws are stratified, seeded, nested and honest about small classes."""

from collections import Counter

import pytest

from gd_jax.data import draws
from gd_jax.data.files import Row


def _rows(**sizes: int) -> list[Row]:
  labels = [label for label, n in sizes.items() for _ in range(n)]
  return [Row(i, f"text {i}", label) for i, label in enumerate(labels, 2)]


def _draw(rows: list[Row], n: int, seed: int = 0) -> list[Row]:
  taken = draws.per_class(
    rows, lambda size: min(n, size), seed=seed, purpose="draw"
  )
  return [rows[index] for index in taken]


def test_normalise_forgets_case_punctuation_and_white_space():
  assert draws.normalise("  Who's\t«there»? ") == "who s there"
  assert draws.normalise("Who 's there ?") == "who s there"
  assert draws.normalise("STRASSE") == draws.normalise("straße")
  # Symbols are no punctuation, and marks alone are still a text.
  assert draws.normalise("C++") != draws.normalise("C")
  assert draws.normalise(" ?! ") == "?!"


# Dies if: texts are compared as they stand, or the count is of texts.
def test_drop_copies_counts_rows():
  rows = [Row(2, "Who?", "a"), Row(3, "who", "b"), Row(4, "what", "a")]
  kept, dropped = draws.drop_copies(rows, ["WHO !", "where", "when"])
  assert kept == [rows[2]] and dropped == 2


# Dies if: the draw is over all rows together.
def test_a_draw_is_stratified_and_a_small_class_gives_what_it_has():
  rows = _rows(a=50, b=3, c=20)
  drawn = _draw(rows, 10)
  assert Counter(row.label for row in drawn) == {"a": 10, "b": 3, "c": 10}
  assert drawn == sorted(drawn) and len(set(drawn)) == len(drawn)


# Dies if: the seed is not used, or the classes share one stream.
def test_draws_differ_by_seed_alone():
  rows = _rows(a=50, b=50)
  assert _draw(rows, 10) == _draw(rows, 10)
  assert _draw(rows, 10) != _draw(rows, 10, seed=1)
  without_b = _draw(rows[:50], 10)
  assert [row for row in _draw(rows, 10) if row.label == "a"] == without_b
  places = [row.line for row in without_b]
  assert places != [row.line - 50 for row in _draw(rows, 10)[10:]]


# Dies if: a draw of another size shuffles anew.
def test_a_larger_draw_contains_a_smaller_one():
  rows = _rows(a=50, b=50)
  assert set(_draw(rows, 5)) < set(_draw(rows, 20))


# Dies if: rounding may empty a side of a class.
@pytest.mark.parametrize(
  ("n", "fraction", "size"),
  [
    (0, 0.2, 0),
    (1, 0.9, 0),
    (2, 0.01, 1),
    (2, 0.99, 1),
    (100, 0.2, 20),
    (8, 0.2, 2),
  ],
)
def test_held_out_size(n, fraction, size):
  assert draws.held_out_size(fraction)(n) == size
