# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
from xml.etree import ElementTree

import pytest

from gd_jax.reporting import plots, svgs

UNIT = svgs.Scale(0.0, 1.0, (0.0, 0.5, 1.0))


def _marks(svg, tag, class_=""):
  return [
    mark
    for mark in ElementTree.fromstring(svg).iter(tag)
    if class_ in mark.get("class", "")
  ]


@pytest.mark.parametrize(
  ("values", "expected"),
  [
    ([0.712, 0.943], (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
    ([3.0, 3.0], (2.0, 3.0)),
    ([0.0, 0.0], (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    ([-0.03, 0.12], (-0.05, 0.0, 0.05, 0.1, 0.15)),
  ],
)
def test_ticks_are_round_and_hold_the_values(values, expected):
  axis = svgs.scale(values)
  assert axis.ticks[0] <= min(values)
  assert axis.high >= max(values)
  assert len(axis.ticks) >= 2
  if len(set(values)) > 1:
    assert axis.ticks == pytest.approx(expected)


@pytest.mark.parametrize(
  "values", [[0.93, 0.9991], [1.0, 1.0], [0.999], [0.0, 0.0], [0.004], [0.3]]
)
def test_a_scale_of_shares_stays_within_them(values):
  # Dies if: the scale of equal values grows the wrong way.
  axis = svgs.scale(values)
  assert 0 <= axis.low < axis.high <= 1
  assert all(0 <= axis.percent(value) <= 100 for value in values)


def test_a_bar_is_as_long_as_its_value():
  # Dies if: the bar is drawn on another scale than the axis.
  svg = plots.bar(0.25, UNIT, kind="gd", title="t", spread=0.1, dots=[0.5])
  (bar,) = _marks(svg, "rect")
  assert (bar.get("x"), bar.get("width")) == ("0%", "25.00%")
  whiskers = _marks(svg, "line", "whisker")
  assert [w.get("x1") for w in whiskers] == ["15.00%", "15.00%", "35.00%"]
  assert _marks(svg, "circle")[0].get("cx") == "50.00%"


def test_an_interval_shows_zero_where_it_lies_within():
  axis = svgs.Scale(-1.0, 1.0, (-1.0, 0.0, 1.0))
  svg = plots.interval(0.5, [0.0, 1.0], axis, kind="gd", title="t")
  assert _marks(svg, "line", "zero")[0].get("x1") == "50.00%"
  (line,) = _marks(svg, "line", "interval")
  assert (line.get("x1"), line.get("x2")) == ("50.00%", "100.00%")
  svg = plots.interval(0.5, [0.4, 0.6], UNIT, kind="gd", title="t")
  assert not _marks(svg, "line", "zero")


def test_titles_are_text():
  title = '<script>x</script> & " \x00'
  svg = plots.bar(0.5, UNIT, kind="gd", title=title)
  assert "<script" not in svg
  root = ElementTree.fromstring(svg)
  assert root.get("aria-label") == '<script>x</script> & " \ufffd'


def test_curves_stay_in_their_frame():
  line = plots.Line(range(10_000), [step % 7 for step in range(10_000)], "gd")
  svg = plots.curves([line], title="t")
  (curve,) = _marks(svg, "polyline")
  points = [point.split(",") for point in curve.get("points").split()]
  assert len(points) == 240
  assert all(0 <= float(x) <= 340 and 0 <= float(y) <= 190 for x, y in points)


def test_a_flat_curve_of_one_point_is_drawn():
  svg = plots.curves([plots.Line([5], [0.0], "gd")], title="t")
  assert _marks(svg, "polyline")
