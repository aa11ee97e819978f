# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from gd_jax.reporting import words


def test_a_score_says_what_its_spread_is_over():
  five = {"mean": 0.8589, "std": 0.0061, "per_seed": [0.8] * 5}
  assert f"{words.spread(five)} ({words.over(five)})" == (
    "85.9 ± 0.6 (std over 5 seeds)"
  )
  one = {"mean": 0.8589, "std": None, "per_seed": [0.8]}
  assert (words.spread(one), words.over(one)) == ("85.9", "1 seed")


@pytest.mark.parametrize(
  ("share", "expected"),
  [(0.0123, "+1.2"), (-0.0123, "−1.2"), (-0.0004, "0.0"), (0.0, "0.0")],
)
def test_points_are_signed(share, expected):
  assert words.points(share) == expected


@pytest.mark.parametrize(
  ("number", "expected"),
  [
    (22_713_216, "22.7 M"),
    (1_068_160, "1.07 M"),
    (30_123, "30,100"),
    (3383.2, "3,380"),
    (95.31, "95.3"),
    (0, "0"),
  ],
)
def test_short_keeps_three_digits(number, expected):
  assert words.short(number) == expected


@pytest.mark.parametrize(
  ("seconds", "expected"),
  [
    (0.04, "0.0 s"),
    (59.7, "1 min 0 s"),
    (250, "4 min 10 s"),
    (3599.8, "1 h 0 min"),
    (7325, "2 h 2 min"),
  ],
)
def test_durations(seconds, expected):
  assert words.duration(seconds) == expected


def test_visible_keeps_letters_and_drops_commands():
  # Dies if: an escape sequence in a class name reaches the terminal.
  assert words.visible("a\tb\nc") == "a b c"
  assert words.visible("\x1b[31mred\x00") == "\ufffd[31mred\ufffd"
  assert words.visible("\u202eevil\ud800") == "\ufffdevil\ufffd"
  assert words.visible("שלום 日本 é 🙂") == "שלום 日本 é 🙂"
