# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
from xml.etree import ElementTree

import pytest
from etils import epath

from gd_jax.reporting import curves


@pytest.fixture
def write(tmp_path):
  """write(folder, rows, **summary): a folder as a training leaves it."""

  def write(name, rows, **summary):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines)
    (folder / "summary.json").write_text(json.dumps(summary))
    return epath.Path(tmp_path)

  return write


def _lines(panel):
  return [
    [float(point.split(",")[0]) for point in line.get("points").split()]
    for line in ElementTree.fromstring(panel["svg"]).iter("polyline")
  ]


def test_restarts_lie_over_each_other(write):
  # Dies if: the first step of a restart is taken for the last one's end.
  rows = [
    {"step": step, "teacher/heldout/accuracy": 0.5, "teacher/train/xent": 1.0}
    for step in (10, 20, 30, 40, 50, 60)
  ]
  (group,) = curves.groups(write("teacher", rows, total_steps=30), {})
  assert group["name"] == "Teacher"
  assert [panel["name"] for panel in group["panels"]] == [
    "Cross-entropy, nats",
    "Accuracy",
  ]
  first, second = _lines(group["panels"][1])
  assert first == second
  assert len(first) == 3


def test_each_classs_generator_has_its_line(write):
  # Dies if: only a generator of all classes is looked for.
  for number in range(3):
    rows = [{"step": s, "generator/heldout/perplexity": 9.0} for s in (1, 2)]
    workdir = write(f"generator/class-0000{number}", rows)
  (group,) = curves.groups(workdir, {})
  assert group["name"] == "Generator"
  assert len(_lines(group["panels"][0])) == 3


def test_a_student_is_drawn_as_the_mean_of_its_seeds(write):
  # Dies if: a seed that stopped early bends the others' mean.
  write(
    "students/gd/0",
    [
      {"step": step, "students/heldout/accuracy": value}
      for step, value in ((1, 0.2), (2, 0.4), (3, 1.0))
    ],
  )
  workdir = write(
    "students/gd/1",
    [
      {"step": step, "students/heldout/accuracy": value}
      for step, value in ((1, 0.4), (2, 0.6))
    ],
  )
  # An earlier config's; dies if: whatever lies there is drawn.
  rows = [{"step": step, "students/heldout/accuracy": 0.1} for step in (1, 2)]
  write("students/gd/2", rows)
  write("students/gold/0", rows)
  seeds = [workdir / "students/gd" / seed for seed in ("0", "1")]
  found = {"teacher": [workdir / "teacher"], "gd": seeds, "tfidf": [workdir]}
  (group,) = curves.groups(workdir, found)
  assert group["legend"] == [{"name": "gd", "kind": "gd"}]
  (line,) = _lines(group["panels"][0])
  assert len(line) == 2
  (mean,) = curves._mean_lines([curves._lines(seed, "gd") for seed in seeds])
  assert mean[1].values == pytest.approx([0.3, 0.5])


def test_a_cut_line_and_odd_values_are_passed_over(write):
  rows = [
    {"step": 1, "generator/heldout/perplexity": 9.0},
    {"step": 2, "generator/heldout/perplexity": 8.0},
    {"step": 3, "generator/heldout/perplexity": float("nan")},
  ]
  workdir = write("generator", rows)
  with (workdir / "generator/metrics.jsonl").open("a") as file:
    file.write('{"step": 4, "generator/held')
  (group,) = curves.groups(workdir, {})
  assert [len(line) for line in _lines(group["panels"][0])] == [2]


def test_a_run_without_metrics_has_no_curves(tmp_path):
  assert curves.groups(epath.Path(tmp_path), {}) == []
