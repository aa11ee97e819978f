# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of small charts as inline SVG: bars, intervals.

Bars and dots stand in per cent of their width, so that they stretch with the
page while strokes and letters keep their size. Colours are the style sheet's:
a mark carries the class of its arm.
"""

from collections.abc import Sequence

from markupsafe import Markup

from gd_jax.reporting import svgs, words

_ROW_HEIGHT = 26
_MIDDLE = _ROW_HEIGHT / 2
# Where single values lie, so that an interval's line does not hide them.
_ABOVE = 6


def bar(
  value: float,
  axis: svgs.Scale,
  *,
  kind: str,
  title: str,
  spread: float | None = None,
  dots: Sequence[float] = (),
) -> Markup:
  """One bar from the axis's start to `value`.

  Args:
    value: the bar's end.
    axis: shared by the rows of a chart.
    kind: the colour, `arm-KIND` in the style sheet.
    title: what a reader hears, and sees on hovering.
    spread: half the length of a whisker around the bar's end.
    dots: single values, drawn as points.
  """
  svg = _row(title)
  _grid(svg, axis)
  svgs.add(
    svg,
    "rect",
    x="0%",
    y=5,
    width=svgs.percent(max(axis.percent(value), 0.0)),
    height=_ROW_HEIGHT - 10,
    rx=3,
    class_=f"bar arm-{kind}",
  )
  if spread is not None:
    _whisker(svg, axis, value - spread, value + spread)
  _dots(svg, axis, dots, y=_MIDDLE, kind="dot on-bar")
  return svgs.markup(svg)


def interval(
  mean: float,
  bounds: Sequence[float],
  axis: svgs.Scale,
  *,
  kind: str,
  title: str,
  dots: Sequence[float] = (),
) -> Markup:
  """A point on its interval, and single values above it."""
  svg = _row(title)
  _grid(svg, axis)
  if axis.low < 0 < axis.high:
    _vertical(svg, axis.percent(0), class_="zero")
  y = _MIDDLE + 3 if dots else _MIDDLE
  low, high = (axis.percent(bound) for bound in bounds)
  svgs.add(
    svg,
    "line",
    x1=svgs.percent(low),
    x2=svgs.percent(high),
    y1=y,
    y2=y,
    class_=f"interval arm-{kind}",
  )
  _dots(svg, axis, dots, y=_ABOVE, kind=f"dot arm-{kind}")
  svgs.add(
    svg,
    "circle",
    cx=svgs.percent(axis.percent(mean)),
    cy=y,
    r=4.5,
    class_=f"mean arm-{kind}",
  )
  return svgs.markup(svg)


def ticks(axis: svgs.Scale, labels: Sequence[str]) -> Markup:
  """The line of labels under a chart of rows."""
  svg = svgs.element("svg", class_="ticks", width="100%", height=18)
  svg.set("aria-hidden", "true")
  last = len(axis.ticks) - 1
  for i, (tick, label) in enumerate(zip(axis.ticks, labels, strict=True)):
    anchor = "start" if i == 0 else "end" if i == last else "middle"
    text = svgs.add(
      svg, "text", x=svgs.percent(axis.percent(tick)), y=13, text_anchor=anchor
    )
    text.text = label
  return svgs.markup(svg)


def _row(title: str) -> svgs.Element:
  svg = svgs.element("svg", class_="row", width="100%", height=_ROW_HEIGHT)
  svg.set("role", "img")
  svg.set("aria-label", words.visible(title))
  svgs.add(svg, "title").text = words.visible(title)
  return svg


def _grid(svg: svgs.Element, axis: svgs.Scale) -> None:
  for tick in axis.ticks:
    _vertical(svg, axis.percent(tick), class_="grid")


def _vertical(svg: svgs.Element, percent: float, *, class_: str) -> None:
  at = svgs.percent(percent)
  svgs.add(svg, "line", x1=at, x2=at, y1=0, y2=_ROW_HEIGHT, class_=class_)


def _whisker(
  svg: svgs.Element, axis: svgs.Scale, low: float, high: float
) -> None:
  left, right = (svgs.percent(axis.percent(value)) for value in (low, high))
  svgs.add(
    svg, "line", x1=left, x2=right, y1=_MIDDLE, y2=_MIDDLE, class_="whisker"
  )
  for end in (left, right):
    svgs.add(
      svg,
      "line",
      x1=end,
      x2=end,
      y1=_MIDDLE - 4,
      y2=_MIDDLE + 4,
      class_="whisker",
    )


def _dots(
  svg: svgs.Element,
  axis: svgs.Scale,
  values: Sequence[float],
  *,
  y: float,
  kind: str,
) -> None:
  for value in values:
    svgs.add(
      svg,
      "circle",
      cx=svgs.percent(axis.percent(value)),
      cy=y,
      r=2.5,
      class_=kind,
    )
