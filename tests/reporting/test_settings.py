# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from gd_jax.reporting import settings, statistics


def _results(*per_seed, labelled=80, rows=0, **arms):
  arms = {"gd": per_seed, **arms}
  return {
    "num_labelled": labelled,
    "num_classes": 8,
    "config": {"corpus": {"num_texts": 500}, "data": {"seed": rows}},
    "arms": {
      name: {"accuracy": statistics.over_seeds(values)}
      for name, values in arms.items()
    },
  }


def test_points_that_differ_in_their_draw_alone_are_one_setting():
  # Dies if: a draw's field tells settings apart.
  points = [
    ({"data.seed": draw, "seed": draw, "students.lr": lr}, _results(0.5))
    for lr in (1, 2)
    for draw in range(3)
  ]
  found = settings.of(points)
  assert [setting.point for setting in found] == [
    {"students.lr": 1},
    {"students.lr": 2},
  ]
  assert [len(setting.draws) for setting in found] == [3, 3]
  assert settings.varied(found) == ["students.lr"]


def test_the_score_is_over_draws_where_there_are_several():
  # Dies if: seeds of all draws are pooled, which makes draws look like seeds.
  draws = [_results(0.5, 0.7), _results(0.8, 1.0)]
  score = settings.Setting({}, draws).score("gd")
  assert score["per_seed"] == pytest.approx([0.6, 0.9])
  score = settings.Setting({}, draws[:1]).score("gd")
  assert score["per_seed"] == [0.5, 0.7]
  assert settings.Setting({}, draws).score("kd") is None


def test_an_arm_may_be_in_fewer_draws():
  setting = settings.Setting({}, [_results(0.5, kd=(0.4,)), _results(0.6)])
  assert setting.has_fewer_draws("kd") and not setting.has_fewer_draws("gd")


@pytest.mark.parametrize(
  ("field", "value", "expected"),
  [
    ("students.lr", 3, 3.0),
    ("students.lr", "fast", None),
    ("students.lr", True, None),
    ("students.lr", None, None),
    ("data.labels_per_class", None, 10.0),
    ("students.num_texts", None, 500.0),
    ("students.num_texts", 7, 7.0),
  ],
)
def test_numbers_and_what_none_means(field, value, expected):
  setting = settings.Setting({field: value}, [_results(0.5)])
  assert setting.number(field) == expected
  assert setting.number("another") is None


def test_a_field_that_all_share_does_not_vary():
  found = settings.of(
    [
      ({"a": 1, "b": 1}, _results(0.5)),
      ({"a": 1, "b": 2}, _results(0.5)),
      ({"a": 1}, _results(0.5)),
    ]
  )
  assert settings.varied(found) == ["b"]


def test_the_spread_is_said_over_what_it_is():
  # Dies if: seeds are called draws.
  one = settings.Setting({}, [_results(0.5)])
  seeds = settings.Setting({}, [_results(0.5, 0.6, 0.7, teacher=(0.9,))])
  draws = settings.Setting(
    {}, [_results(0.5, 0.6, rows=0), _results(0.5, 0.6, rows=1)]
  )
  assert "no spread" in settings.spread_in_words([one])
  assert "3 student seeds of one draw" in settings.spread_in_words([seeds])
  over_draws = settings.spread_in_words([draws])
  assert "2 draws" in over_draws and "student seeds" not in over_draws
  assert "draws (rows, teacher, generator, corpus, students)" in over_draws
  # Dies if: other trainings on the same rows are said to have other rows.
  again = settings.Setting({}, [_results(0.5), _results(0.6)])
  assert "rows" not in settings.spread_in_words([again, draws])
  said = settings.spread_in_words([again])
  assert "draws (teacher, generator, corpus, students; the same rows)" in said
  both = settings.spread_in_words([draws, seeds])
  assert "2 draws" in both and "3 student seeds" in both
