# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One plot over all runs of a sweep.

Accuracy over the field that varies, if it is a number; of several, the one with
the most values, and a panel for each combination of the others. Otherwise, and
where there were too many panels, a row for each setting.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etils import epath

from gd_jax.reporting import drawing, settings
from gd_jax.reporting.settings import Points, Setting

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

_MOST_PANELS = 6
# From this ratio of the largest to the smallest number on, a scale is by ratio.
_LOG_FROM = 8
_MOST_TICKS = 8
_IN_WORDS = {
  "corpus.num_texts": "generated texts drawn",
  "students.num_texts": "generated texts drawn",
  "data.labels_per_class": "labelled texts per class",
}


def write(points: Points, folder: epath.Path) -> None:
  """Writes FOLDER/sweep.png and FOLDER/sweep.svg.

  Args:
    points: (field overrides, results.json) of each point, at least one.
    folder: the sweep's.
  """
  with drawing.style():
    drawing.save(draw(points), folder, "sweep")


def draw(points: Points) -> "Figure":
  """The figure; to be called within `drawing.style()`.

  Whiskers and small marks are draws, or seeds of a single draw. The mark of an
  arm with fewer draws than others beside it is hollow.
  """
  found, names = settings.of(points), settings.arms_of(points)
  field = _number_field(found)
  panels = {} if field is None else _panels(found, field)
  if field is None or len(panels) > _MOST_PANELS:
    figure = _rows(found, names)
  else:
    figure = _lines(panels, field, names)
  handles, labels = figure.axes[0].get_legend_handles_labels()
  figure.legend(handles, labels, loc="outside right center")
  tasks = dict.fromkeys(results["task"] for _, results in points)
  title = ", ".join(map(drawing.name, tasks))
  splits = dict.fromkeys(results["evaluate_on"] for _, results in points)
  figure.suptitle(
    f"{title}: accuracy, % of {' or '.join(splits)} texts\n"
    f"{settings.spread_in_words(found)}",
    fontsize=8,
    x=0.01,
    ha="left",
  )
  return figure


def _number_field(found: Sequence[Setting]) -> str | None:
  """The varied field with numbers in every setting and most values."""
  values = {
    field: {setting.number(field) for setting in found}
    for field in settings.varied(found)
  }
  numbers = {f: v for f, v in values.items() if None not in v and len(v) > 1}
  return max(numbers, key=lambda f: len(numbers[f])) if numbers else None


def _panels(found: Sequence[Setting], field: str) -> dict[str, list[Setting]]:
  """Settings by what they have of the other varied fields, in words."""
  others = [name for name in settings.varied(found) if name != field]
  panels: dict[str, list[Setting]] = {}
  for setting in found:
    panels.setdefault(_title(setting.point, others), []).append(setting)
  return panels


def _lines(
  panels: Mapping[str, list[Setting]], field: str, names: Sequence[str]
) -> "Figure":
  columns = min(3, len(panels))
  rows = math.ceil(len(panels) / columns)
  width = 4.6 if columns == 1 else 3.1 * columns
  figure = drawing.new(width + 1.3, 3.1 * rows + 0.9)
  every = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
  for axes, (title, found) in zip(every, panels.items(), strict=False):
    ordered = sorted(found, key=lambda setting: setting.number(field) or 0.0)
    for name in names:
      _line(axes, name, ordered, field)
    _scale(axes, sorted({setting.number(field) or 0.0 for setting in found}))
    axes.set_title(title)
    axes.grid()
    axes.set_xlabel(_IN_WORDS.get(field, field))
  for axes in every[len(panels) :]:
    axes.set_axis_off()
  return figure


def _line(
  axes: "Axes", name: str, found: Sequence[Setting], field: str
) -> None:
  scored = [
    (setting.number(field) or 0.0, score)
    for setting in found
    if (score := setting.score(name)) is not None
  ]
  if not scored:
    return
  hollow = [
    (setting.number(field) or 0.0, 100 * score["mean"])
    for setting in found
    if (score := setting.score(name)) and setting.has_fewer_draws(name)
  ]
  colour = drawing.colour(name)
  axes.errorbar(
    [x for x, _ in scored],
    [100 * score["mean"] for _, score in scored],
    yerr=[100 * (score["std"] or 0.0) for _, score in scored],
    color=colour,
    marker=drawing.marker(name),
    markersize=6,
    linewidth=1.3,
    linestyle="--" if name in ("teacher", "tfidf") else "-",
    elinewidth=1,
    capsize=2,
    label=drawing.name(name),
  )
  _hollow(axes, name, hollow)
  _small(
    axes,
    name,
    [(x, 100 * y) for x, score in scored for y in _singles(score)],
  )


def _marks(
  axes: "Axes",
  name: str,
  places: Sequence[tuple[float, float]],
  **looks: Any,
) -> None:
  """An arm's marks at these (x, y)."""
  if places:
    x, y = zip(*places, strict=True)
    axes.scatter(x, y, marker=drawing.marker(name), **looks)


def _hollow(
  axes: "Axes", name: str, places: Sequence[tuple[float, float]]
) -> None:
  """White over the marks at these (x, y)."""
  edge = drawing.colour(name)
  _marks(axes, name, places, s=16, facecolor="white", edgecolor=edge, zorder=3)


def _small(
  axes: "Axes", name: str, places: Sequence[tuple[float, float]]
) -> None:
  """Single draws or seeds at these (x, y)."""
  colour = drawing.colour(name)
  _marks(axes, name, places, s=9, color=colour, linewidths=0, alpha=0.5)


def _scale(axes: "Axes", numbers: Sequence[float]) -> None:
  """By ratio where the numbers call for it, with 0 beside it."""
  positive = [number for number in numbers if number > 0]
  if numbers[0] >= 0 and positive and positive[-1] / positive[0] >= _LOG_FROM:
    if numbers[0] > 0:
      axes.set_xscale("log")
    else:
      axes.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
  shown = numbers
  if len(numbers) > _MOST_TICKS:
    step = math.ceil(len(numbers) / _MOST_TICKS)
    shown = numbers[::step]
  axes.set_xticks(shown, [_short(number) for number in shown])
  axes.set_xticks([], minor=True)


def _short(number: float) -> str:
  """1000 -> "1k", 64500 -> "64.5k", 0.25 -> "0.25"."""
  for unit, suffix in ((1e6, "M"), (1e3, "k")):
    if abs(number) >= unit:
      return f"{number / unit:.4g}{suffix}"
  return f"{number:.4g}"


def _rows(found: Sequence[Setting], names: Sequence[str]) -> "Figure":
  height = max(0.3, 0.13 * len(names))
  figure = drawing.new(7.2, 1.2 + height * 1.25 * len(found))
  axes = figure.subplots()
  varied = settings.varied(found)
  steps = [0.8 * ((i + 0.5) / len(names) - 0.5) for i in range(len(names))]
  for name, step in zip(names, steps, strict=True):
    scored = [
      (row + step, score)
      for row, setting in enumerate(found)
      if (score := setting.score(name)) is not None
    ]
    colour = drawing.colour(name)
    axes.errorbar(
      [100 * score["mean"] for _, score in scored],
      [y for y, _ in scored],
      xerr=[100 * (score["std"] or 0.0) for _, score in scored],
      color=colour,
      marker=drawing.marker(name),
      markersize=5,
      linestyle="none",
      elinewidth=1,
      capsize=2,
      label=drawing.name(name),
    )
    hollow = [
      (100 * score["mean"], row + step)
      for row, setting in enumerate(found)
      if (score := setting.score(name)) and setting.has_fewer_draws(name)
    ]
    _hollow(axes, name, hollow)
    _small(
      axes,
      name,
      [(100 * value, y) for y, score in scored for value in _singles(score)],
    )
  labels = [_title(setting.point, varied, "\n") for setting in found]
  axes.set_yticks(range(len(found)), labels, fontsize=8)
  axes.tick_params(axis="y", length=0)
  axes.set_ylim(len(found) - 0.5, -0.5)
  for row in range(1, len(found)):
    axes.axhline(row - 0.5, color="#e4e1da", linewidth=0.8)
  axes.grid(axis="x")
  axes.set_xlabel("accuracy, %")
  return figure


def _singles(score: Mapping[str, Any]) -> Sequence[float]:
  """Single draws or seeds, where they are more than their mean."""
  return score["per_seed"] if len(score["per_seed"]) > 1 else ()


def _title(
  point: Mapping[str, Any], names: Sequence[str], between: str = ", "
) -> str:
  parts = [
    drawing.name(f"{name.rpartition('.')[2]}={point[name]}")
    for name in names
    if name in point
  ]
  return between.join(parts) or ("as it stands" if names else "")
