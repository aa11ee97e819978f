# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
from xml.etree import ElementTree

from gd_jax.reporting import plots, svgs

UNIT = svgs.Scale(0.0, 1.0, (0.0, 0.5, 1.0))


def _marks(svg, tag, class_=""):
  return [
    mark
    for mark in ElementTree.fromstring(svg).iter(tag)
    if class_ in mark.get("class", "")
  ]


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
