# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest
from etils import epath
from matplotlib.colors import to_hex

from gd_jax.reporting import drawing, sweep_figure


@pytest.fixture(autouse=True)
def _style():
  with drawing.style():
    yield


def _lines(axes):
  """{arm: [(x, y), ...]} of the lines that a legend names."""
  handles, labels = axes.get_legend_handles_labels()
  return {
    label: [tuple(map(float, point)) for point in handle[0].get_xydata()]
    for handle, label in zip(handles, labels, strict=True)
  }


def test_accuracy_over_the_number_of_texts(make_results, tmp_path):
  # Dies if: points are joined in the sweep's order instead of the field's.
  points = [
    ({"students.num_texts": n}, make_results()) for n in (1000, 0, 64_000)
  ]
  figure = sweep_figure.draw(points)
  (axes,) = figure.axes
  assert set(_lines(axes)) == {"teacher", "tfidf", "gold", "gd"}
  gd = _lines(axes)["gd"]
  assert [x for x, _ in gd] == [0, 1000, 64_000]
  assert [y for _, y in gd] == pytest.approx([87] * 3)
  assert axes.get_xscale() == "symlog"
  assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1k", "64k"]
  assert axes.get_xlabel() == "generated texts drawn"
  assert "3 student seeds" in figure.get_suptitle()
  sweep_figure.write(points, epath.Path(tmp_path))
  assert {path.name for path in tmp_path.iterdir()} == {
    "sweep.png",
    "sweep.svg",
  }


def test_draws_are_dots_and_their_mean_a_point(make_results):
  # Dies if: each draw is a point of its own on the line.
  points = []
  for labels in (10, 100):
    for draw, accuracy in enumerate((0.6, 0.8)):
      results = make_results(("gd",), num_labelled=2 * labels)
      results["arms"]["gd"]["accuracy"] |= {"mean": accuracy}
      points.append(
        ({"data.labels_per_class": labels, "data.seed": draw}, results)
      )
  (axes,) = sweep_figure.draw(points).axes
  assert _lines(axes)["gd"] == [
    (10.0, pytest.approx(70)),
    (100.0, pytest.approx(70)),
  ]
  assert axes.get_xscale() == "log"
  dots = [
    tuple(map(float, dot))
    for dots in axes.collections
    for dot in getattr(dots, "get_offsets", list)()
  ]
  assert {x for x, _ in dots} >= {10.0, 100.0}
  assert {round(y) for _, y in dots} >= {60, 80}


# Dies if: a mean of fewer draws looks like the others, or theirs look so too.
@pytest.mark.parametrize("field", [{}, {"data.labels_per_class": 10}])
def test_an_arm_of_fewer_draws_is_hollow(make_results, field):
  arms = [("gd", "gold"), ("gd",)]
  points = [
    (point | {"data.seed": draw}, make_results(names))
    for point in (field, {name: 10 * value for name, value in field.items()})
    for draw, names in enumerate(arms)
  ]
  (axes,) = sweep_figure.draw(points).axes
  hollow = {
    to_hex(marks.get_edgecolor()[0])
    for marks in axes.collections
    if len(face := marks.get_facecolor()) and (face == 1).all()
  }
  assert hollow == {drawing.colour("gold")}


def test_a_second_field_is_a_panel(make_results):
  points = [
    ({"students.temperature": t, "corpus.sampler": s}, make_results())
    for s in ("pure", "top_k")
    for t in (1.0, 2.0, 4.0)
  ]
  axes = sweep_figure.draw(points).axes
  assert [a.get_title() for a in axes] == ["sampler=pure", "sampler=top_k"]
  assert [x for x, _ in _lines(axes[1])["gd"]] == [1, 2, 4]


@pytest.mark.parametrize(
  "points",
  [
    [{"students.model": "res_cnn"}, {"students.model": "kim_cnn"}, {}],
    # A number in some points alone.
    [{"students.mix": None}, {"students.mix": 0.2}, {"students.mix": 0.4}],
  ],
)
def test_what_is_no_number_has_rows(make_results, points):
  found = [(point, make_results(("gd", "kd"))) for point in points]
  (axes,) = sweep_figure.draw(found).axes
  assert len(axes.get_yticks()) == 3
  labels = [text.get_text() for text in axes.get_yticklabels()]
  assert len(set(labels)) == 3
  rows = {round(y) for _, y in _lines(axes)["gd"]}
  assert rows == {0, 1, 2}


def test_too_many_panels_become_rows(make_results):
  points = [
    ({"a.x": x, "a.y": str(y)}, make_results(("gd",)))
    for x in (1, 2)
    for y in range(7)
  ]
  (axes,) = sweep_figure.draw(points).axes
  assert len(axes.get_yticks()) == 14


def test_draws_alone_are_one_row(make_results):
  points = [({"data.seed": d, "seed": d}, make_results()) for d in range(3)]
  figure = sweep_figure.draw(points)
  assert len(figure.axes[0].get_yticks()) == 1
  assert "3 draws" in figure.get_suptitle()


def test_an_arm_that_a_point_lacks_is_drawn_where_it_is(make_results):
  points = [
    ({"a.x": 1}, make_results(("gd",))),
    ({"a.x": 2}, make_results(("gd", "kd"))),
  ]
  (axes,) = sweep_figure.draw(points).axes
  assert [x for x, _ in _lines(axes)["kd"]] == [2.0]
