# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Charts with two axes as inline SVG: curves, points, reliability.

They are drawn in units of their own and stretch as a whole. Colours are the
style sheet's: a mark carries the class of its arm.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from gd_jax.reporting import svgs, words

_MOST_POINTS = 240
_SHARES = svgs.Scale(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


@dataclasses.dataclass(frozen=True)
class Line:
  """A curve: `values` at `steps`; `kind` is its colour, `style` its dashes."""

  steps: Sequence[float]
  values: Sequence[float]
  kind: str
  style: str = "solid"


@dataclasses.dataclass(frozen=True)
class Point:
  """A point with its name; `kind` is its colour."""

  x: float
  y: float
  kind: str
  label: str


def curves(lines: Sequence[Line], *, title: str) -> Markup:
  """Lines over steps, with axes; as wide as its column allows."""
  frame = _Frame(
    svgs.scale(
      [step for line in lines for step in line.steps],
      num_ticks=4,
      from_zero=True,
    ),
    svgs.scale([v for line in lines for v in line.values], num_ticks=4),
    size=(340, 190),
    title=title,
  )
  frame.grid(x_label=lambda tick: f"{tick:,g}", y_label=lambda t: f"{t:,g}")
  for line in lines:
    frame.add(
      "polyline",
      points=frame.path(_thinned(line.steps, line.values)),
      class_=f"curve {line.style} arm-{line.kind}",
    )
  return svgs.markup(frame.svg)


def scatter(points: Sequence[Point], *, title: str) -> Markup:
  """Shares over a logarithmic axis; every point carries its name."""
  frame = _Frame(
    svgs.log_scale([point.x for point in points]),
    svgs.scale([point.y for point in points], num_ticks=4),
    size=(340, 250),
    title=title,
  )
  frame.grid(x_label=words.short, y_label=words.percent)
  for point in points:
    frame.add(
      "circle",
      cx=svgs.short(frame.x(point.x)),
      cy=svgs.short(frame.y(point.y)),
      r=4.5,
      class_=f"mean arm-{point.kind}",
    )
  for is_left in (False, True):
    _name(frame, [p for p in points if _is_right(frame, p) == is_left], is_left)
  return svgs.markup(frame.svg)


def reliability(
  bins: Sequence[Mapping[str, Any]], *, kind: str, title: str
) -> Markup:
  """The share that is right over confidence; a dot's area is its rows'."""
  frame = _Frame(_SHARES, _SHARES, size=(200, 195), title=title)
  frame.grid(x_label=_whole_percent, y_label=_whole_percent)
  frame.add(
    "polyline", points=frame.path([(0.0, 0.0), (1.0, 1.0)]), class_="ideal"
  )
  for found in bins:
    frame.add(
      "circle",
      cx=svgs.short(frame.x(found["confidence"])),
      cy=svgs.short(frame.y(found["accuracy"])),
      r=svgs.short(max(1.5, 10 * math.sqrt(found["share"]))),
      class_=f"bin arm-{kind}",
    )
  return svgs.markup(frame.svg)


class _Frame:
  """An SVG with two axes; `x` and `y` say where a value lies in it."""

  _LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 24

  def __init__(
    self,
    x_axis: svgs.Scale,
    y_axis: svgs.Scale,
    *,
    size: tuple[int, int],
    title: str,
  ):
    self._x_axis, self._y_axis = x_axis, y_axis
    self.width, self.height = size
    self.top, self.bottom = self._TOP, self.height - self._BOTTOM
    self.svg = svgs.element(
      "svg", class_="curves", viewBox="0 0 {} {}".format(*size), role="img"
    )
    self.svg.set("aria-label", words.visible(title))

  def x(self, value: float) -> float:
    inner = self.width - self._LEFT - self._RIGHT
    return self._LEFT + inner * self._x_axis.percent(value) / 100

  def y(self, value: float) -> float:
    inner = self.bottom - self.top
    return self.bottom - inner * self._y_axis.percent(value) / 100

  def path(self, points: Sequence[tuple[float, float]]) -> str:
    return " ".join(
      f"{svgs.short(self.x(x))},{svgs.short(self.y(y))}" for x, y in points
    )

  def add(self, tag: str, **attributes: object) -> svgs.Element:
    return svgs.add(self.svg, tag, **attributes)

  def grid(
    self,
    *,
    x_label: Callable[[float], str],
    y_label: Callable[[float], str],
  ) -> None:
    """Lines and labels at the ticks."""
    left, right = self._LEFT, self.width - self._RIGHT
    for tick in self._y_axis.ticks:
      y = self.y(tick)
      at = svgs.short(y)
      self.add("line", x1=left, x2=right, y1=at, y2=at, class_="grid")
      label = self.add(
        "text", x=left - 6, y=svgs.short(y + 3.5), text_anchor="end"
      )
      label.text = y_label(tick)
    for tick in self._x_axis.ticks:
      x = self.x(tick)
      if self._x_axis.is_log:
        at = svgs.short(x)
        self.add(
          "line", x1=at, x2=at, y1=self.top, y2=self.bottom, class_="grid"
        )
      # A label in the middle of the last tick would be cut off.
      anchor = "end" if x > right - 12 else "middle"
      label = self.add(
        "text", x=svgs.short(x), y=self.height - 6, text_anchor=anchor
      )
      label.text = x_label(tick)


def _is_right(frame: _Frame, point: Point) -> bool:
  """Whether there is no room for a name to the right of the point."""
  return frame.x(point.x) > 0.62 * frame.width


def _name(frame: _Frame, points: Sequence[Point], is_left: bool) -> None:
  """Names beside the points, moved apart where they would overlap."""
  wanted = [frame.y(point.y) for point in points]
  places = svgs.apart(
    wanted, least=13, low=frame.top + 6, high=frame.bottom - 6
  )
  sign = -1 if is_left else 1
  for point, y, place in zip(points, wanted, places, strict=True):
    x = frame.x(point.x)
    frame.add(
      "line",
      x1=svgs.short(x + 6 * sign),
      x2=svgs.short(x + 15 * sign),
      y1=svgs.short(y),
      y2=svgs.short(place),
      class_="leader",
    )
    label = frame.add(
      "text",
      x=svgs.short(x + 17 * sign),
      y=svgs.short(place + 3.5),
      text_anchor="end" if is_left else "start",
      class_="name",
    )
    label.text = words.visible(point.label)


def _whole_percent(share: float) -> str:
  return f"{100 * share:.0f}"


def _thinned(
  steps: Sequence[float], values: Sequence[float]
) -> list[tuple[float, float]]:
  """At most `_MOST_POINTS` of the points, the first and the last among them."""
  keep = np.linspace(0, len(steps) - 1, min(len(steps), _MOST_POINTS))
  return [(steps[i], values[i]) for i in keep.round().astype(int)]
