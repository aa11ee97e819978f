# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import itertools
from xml.etree import ElementTree

import pytest

from gd_jax.reporting import charts


def _marks(svg, tag, class_=""):
  return [
    mark
    for mark in ElementTree.fromstring(svg).iter(tag)
    if class_ in mark.get("class", "")
  ]


def test_curves_stay_in_their_frame():
  line = charts.Line(range(10_000), [step % 7 for step in range(10_000)], "gd")
  svg = charts.curves([line], title="t")
  (curve,) = _marks(svg, "polyline")
  points = [point.split(",") for point in curve.get("points").split()]
  assert len(points) == 240
  assert all(0 <= float(x) <= 340 and 0 <= float(y) <= 190 for x, y in points)


def test_a_flat_curve_of_one_point_is_drawn():
  svg = charts.curves([charts.Line([5], [0.0], "gd")], title="t")
  assert _marks(svg, "polyline")


def test_points_lie_by_ratio_along_and_by_share_upwards():
  # Dies if: the axis is linear, or the shares hang upside down.
  points = [
    charts.Point(x, y, "gd", name)
    for x, y, name in ((1e3, 0.7, "a"), (1e5, 0.8, "b"), (1e7, 0.9, "c"))
  ]
  circles = _marks(charts.scatter(points, title="t"), "circle")
  x = [float(circle.get("cx")) for circle in circles]
  y = [float(circle.get("cy")) for circle in circles]
  assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
  assert y[0] > y[1] > y[2]


def test_every_point_has_its_name_and_no_two_names_overlap():
  # Dies if: names stand at their points' height alone.
  points = [
    charts.Point(1e6, 0.8 + i / 1e4, "gd", f"arm {i}") for i in range(5)
  ]
  names = _marks(charts.scatter(points, title="t"), "text", "name")
  assert {name.text for name in names} == {f"arm {i}" for i in range(5)}
  heights = sorted(float(name.get("y")) for name in names)
  gaps = [b - a for a, b in itertools.pairwise(heights)]
  assert min(gaps) >= 12.5


def test_a_name_at_the_right_edge_stands_to_the_left():
  points = [
    charts.Point(1.0, 0.5, "gd", "a"),
    charts.Point(1e4, 0.6, "gd", "b"),
  ]
  svg = charts.scatter(points, title="t")
  anchors = {
    name.text: name.get("text-anchor") for name in _marks(svg, "text", "name")
  }
  assert anchors == {"a": "start", "b": "end"}


def test_a_bin_lies_at_its_confidence_and_its_share_is_its_area():
  # Dies if: confidence and accuracy are swapped, or shares are radii.
  bins = [
    {"confidence": 0.5, "accuracy": 0.25, "share": 0.2},
    {"confidence": 1.0, "accuracy": 1.0, "share": 0.8},
  ]
  first, second = _marks(
    charts.reliability(bins, kind="gd", title="t"), "circle"
  )
  assert float(second.get("r")) == pytest.approx(
    2 * float(first.get("r")), abs=0.15
  )
  assert float(first.get("cx")) < float(second.get("cx"))
  ((low, high),) = [
    mark.get("points").split()
    for mark in _marks(
      charts.reliability(bins, kind="gd", title="t"), "polyline", "ideal"
    )
  ]
  assert (second.get("cx"), second.get("cy")) == tuple(high.split(","))
  below = float(first.get("cy")) - float(second.get("cy"))
  whole = float(low.split(",")[1]) - float(second.get("cy"))
  assert below == pytest.approx(0.75 * whole, abs=0.2)
