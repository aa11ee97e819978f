# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The points of a sweep as settings, each with its draws.

A draw is another `data.seed` and `seed`: fresh rows, teacher, generator,
corpus and students. Points that differ in these alone are draws of one setting.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from gd_jax.reporting import arms, statistics

Results = Mapping[str, Any]
Point = Mapping[str, Any]
Points = Sequence[tuple[Point, Results]]

_DRAW_FIELDS = frozenset({"data.seed", "seed"})
# Of results.json: numbers of a field that is None where it means all there is.
_ALL = {
  "data.labels_per_class": lambda r: r["num_labelled"] / r["num_classes"],
  "students.num_texts": lambda r: r["config"]["corpus"]["num_texts"],
}


@dataclasses.dataclass(frozen=True)
class Setting:
  """Fields that are no draw's, and the results of every draw."""

  point: Point
  draws: list[Results]

  def score(self, arm: str) -> dict[str, Any] | None:
    """Its accuracy, as `statistics.over_seeds`; None where it is not there.

    Over draws, each the mean over its seeds; over the seeds of a single draw.
    """
    found = [r["arms"][arm]["accuracy"] for r in self.draws if arm in r["arms"]]
    if len(found) > 1:
      return statistics.over_seeds([score["mean"] for score in found])
    return statistics.over_seeds(found[0]["per_seed"]) if found else None

  def has_fewer_draws(self, arm: str) -> bool:
    """Whether another arm is in more draws."""
    counts = collections.Counter(n for r in self.draws for n in r["arms"])
    return counts[arm] < max(counts.values())

  def number(self, field: str) -> float | None:
    """The value of a field as a number, if it is one."""
    value = self.point.get(field)
    if value is None and field in _ALL and field in self.point:
      value = _ALL[field](self.draws[0])
    if isinstance(value, bool) or not isinstance(value, int | float):
      return None
    return float(value)


def of(points: Points) -> list[Setting]:
  """The settings in the order in which the sweep comes to them."""
  grouped: dict[str, Setting] = {}
  names = [name for name in fields(points) if name not in _DRAW_FIELDS]
  for point, results in points:
    own = {name: point[name] for name in names if name in point}
    grouped.setdefault(repr(own), Setting(own, [])).draws.append(results)
  return [*grouped.values()]


def fields(points: Points) -> list[str]:
  """Every field that a point sets, those of draws among them."""
  return list(dict.fromkeys(field for point, _ in points for field in point))


def varied(found: Sequence[Setting]) -> list[str]:
  """The fields, draws aside, that do not have the same value in all."""
  names = dict.fromkeys(name for setting in found for name in setting.point)
  return [
    name
    for name in names
    if len({repr(setting.point.get(name, ...)) for setting in found}) > 1
  ]


def arms_of(points: Points) -> list[str]:
  """Every arm of any point, in reading order."""
  return arms.in_order(
    {name for _, results in points for name in results["arms"]}
  )


def spread_in_words(found: Sequence[Setting]) -> str:
  """What the deviations of these settings are over."""
  draws = sorted({len(setting.draws) for setting in found} - {1})
  seeds = sorted(
    {
      len(arm["accuracy"]["per_seed"])
      for setting in found
      if len(setting.draws) == 1
      for arm in setting.draws[0]["arms"].values()
    }
    - {1}
  )
  over = []
  if draws:
    over.append(f"{_either(draws)} draws ({what_differs(found)})")
  if seeds:
    over.append(f"{_either(seeds)} student seeds of one draw")
  if not over:
    return "One draw and one seed each, hence no spread."
  return "Small dots, and their std as whiskers: " + ";\n".join(over) + "."


def what_differs(found: Sequence[Setting]) -> str:
  """What the draws of a setting do not share.

  Of rows nothing is said where some settings' draws have the same and some not.
  """
  models = "teacher, generator, corpus, students"
  have_own_rows = {
    len({result["config"]["data"]["seed"] for result in setting.draws}) > 1
    for setting in found
    if len(setting.draws) > 1
  }
  if have_own_rows == {True}:
    return f"rows, {models}"
  return f"{models}; the same rows" if have_own_rows == {False} else models


def _either(counts: Sequence[int]) -> str:
  return " or ".join(map(str, counts))
