# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import importlib
import pathlib
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _root(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT))


def paper(name):
  return importlib.import_module(f"experiments.paper.{name}")


@pytest.fixture
def results(tmp_path):
  """Two draws of tier 1 and three points of an ablation, as collected."""

  def run(change, draw, gd):
    # Of two students, on four rows.
    rows = {"gd": np.array(gd, np.uint8), "kd": np.array([1, 1, 0, 0])}
    return {
      "change": change,
      "draw": draw,
      "rows": rows,
      "seeds": {"gd": 2, "kd": 2},
      "texts": {"gd": 9, "kd": 0},
      "params": {"gd": 1, "kd": 1},
      "evaluation": "all",
      "task": "trec",
      "evaluate_on": "test",
    }

  save = paper("stored").save
  save(
    tmp_path / "tier1/trec",
    [run({}, 0, [2, 2, 1, 1]), run({}, 1, [2, 2, 2, 2])],
  )
  texts = [
    run({"students.num_texts": n}, 0, [2, 2, i, 0])
    for i, n in enumerate((0, 250, 1000))
  ]
  save(tmp_path / "tier3_texts/ag_news", texts)
  return tmp_path


# Dies if: students are added up and not averaged, or a draw is lost.
def test_points_are_means_over_students(results):
  found = paper("plot").points(results / "tier1")
  assert [point for point, _ in found] == [
    {"task": "trec", "data.seed": 0},
    {"task": "trec", "data.seed": 1},
  ]
  means = [run["arms"]["gd"]["accuracy"]["mean"] for _, run in found]
  assert means == [0.75, 1.0]


# Dies if: a sweep with runs has no picture, or one without has one.
def test_a_picture_of_each_sweep_with_runs(results):
  plot = paper("plot")
  assert plot.write(results) == ["tier1", "tier3_texts"]
  assert {path.name for path in results.glob("*.*")} == {
    "tier1.svg",
    "tier3_texts.svg",
  }
  first, sweep = (
    (results / f"{name}.svg").read_text() for name in ("tier1", "tier3_texts")
  )
  assert "trec: accuracy" in first and "% of test texts" in first
  assert "generated texts drawn" in sweep and ">1k<" in sweep


# Dies if: one model's picture does not say which it is, or that of many tasks
# names them all in a line that runs out of it, as its rows do anyway.
def test_what_all_runs_have_alike_is_named():
  points = [
    ({"task": "trec", "students.model": "blend_cnn", "data.seed": i}, {})
    for i in range(2)
  ]
  subject = paper("plot")._subject
  assert subject(points) == "trec, students.model=blend_cnn: "
  points[1][0]["students.model"] = "kim_cnn"
  assert subject(points) == "trec: "
  points[1][0]["task"] = "sst2"
  assert subject(points) == ""


# Dies if: runs were collected and not drawn.
def test_the_committed_pictures_are_of_the_committed_results(tmp_path):
  plot = paper("plot")
  committed = plot.HERE / "results"
  for folder in committed.iterdir():
    if folder.is_dir():
      (tmp_path / folder.name).symlink_to(folder)
  for name in plot.write(tmp_path):
    drawn, kept = (
      ElementTree.parse(folder / f"{name}.svg")
      for folder in (tmp_path, committed)
    )
    # Not their bytes: another Matplotlib places things otherwise.
    assert contents(drawn) == contents(kept), name


def contents(svg):
  """(the words, how many marks)."""
  words = [text for text in svg.getroot().itertext() if text.strip()]
  marks = sum(part.tag.endswith("}use") for part in svg.iter())
  drawn_on = [text for text in words if "Matplotlib" not in text]
  return drawn_on, marks
