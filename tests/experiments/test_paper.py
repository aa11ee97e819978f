# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import importlib
import json
import pathlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from gd_jax import sweeps

ROOT = pathlib.Path(__file__).parents[2]
SWEEPS = sorted((ROOT / "experiments/paper").glob("tier*.py"))
SWEEPS.append(ROOT / "experiments/what_carries/sweep.py")
N = 400


@pytest.fixture(autouse=True)
def _root(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT))


def paper(name):
  return importlib.import_module(f"experiments.paper.{name}")


# Dies if: a sweep names a field that the config lacks, or reads test rows to
# make choices.
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_point_is_a_config(path):
  module = importlib.import_module(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
  )
  config = module.get_config("trec")
  points = sweeps.points_of(str(path))
  names = {sweeps.folder_name(point) for point in points}
  assert len(names) == len(points) >= 2
  for point in points:
    made = sweeps.apply(config, point)
    assert made.data.seed == made.seed == point["seed"]
  expected = "validation" if path.stem == "sweep" else "test"
  assert config.data.evaluate_on == expected
  with pytest.raises(ValueError, match="name a task"):
    module.get_config("")


def test_dbpedia_has_draws_of_80():
  labels = {
    task: paper("tier1").get_config(task).data.labels_per_class
    for task in ("trec", "dbpedia", "dbpedia_100")
  }
  assert labels == {"trec": 100, "dbpedia": 80, "dbpedia_100": 100}


ACCURACY = {"teacher": 0.9, "tfidf": 0.6, "kd": 0.7, "gd": 0.8}


def write_sweep(folder, *, draws=4, seeds=2, accuracy=ACCURACY):
  """A sweep's folder in which each arm is right that often."""
  entries = []
  labels = np.random.default_rng(9).integers(0, 3, N)
  for draw in range(draws):
    run = folder / f"seed={draw}"
    (run / "data").mkdir(parents=True)
    (run / "report/logits").mkdir(parents=True)
    row_id = np.random.default_rng(draw).permutation(N)
    (run / "data/evaluation_labels.json").write_text(
      json.dumps({"row_id": row_id.tolist(), "label": labels[row_id].tolist()})
    )
    arms = {}
    for i, (arm, share) in enumerate(accuracy.items()):
      rng = np.random.default_rng([draw, i])
      count = 1 if arm == "teacher" else seeds
      # Nobody ever gets the row with the id 0.
      right = (rng.random((count, N)) < share) & (row_id != 0)[None]
      chosen = (labels[row_id] + ~right) % 3
      save_file(
        {"row_id": row_id, "logits": np.eye(3, dtype=np.float32)[chosen]},
        run / f"report/logits/{arm}.safetensors",
      )
      arms[arm] = {"params_total": 1}
    results = {
      "arms": arms,
      "config": {"students": {"model": "res_cnn"}},
      "task": "trec",
      "draw": draw,
    }
    (run / "report/results.json").write_text(json.dumps(results))
    point = {"data.seed": draw, "seed": draw}
    entries.append({"point": point, "results": results})
  (folder / "sweep.json").write_text(json.dumps(entries))
  return folder


@pytest.fixture
def out(tmp_path):
  target = tmp_path / "results/tier1/trec"
  collect = paper("collect")
  collect.save(target, *collect.collect(write_sweep(tmp_path / "sweep")))
  return target


# Dies if: rows of several draws are not brought into one order, a seed is
# counted twice, or draws are mixed up.
def test_scores_are_by_draw_and_row(out):
  scores = paper("intervals").load(out)
  assert {arm: values.shape for arm, values in scores.items()} == dict.fromkeys(
    ACCURACY, (4, N)
  )
  assert set(np.unique(scores["gd"])) == {0.0, 0.5, 1.0}
  for arm, share in ACCURACY.items():
    assert not scores[arm][:, 0].any()
    assert scores[arm].mean() == pytest.approx(share, abs=0.03)
  run = json.loads(out.with_suffix(".json").read_text())[2]
  assert run["draw"] == 2 and run["change"] == {}


# Dies if: resamples of the two arms are not the same rows and draws.
def test_an_interval_is_of_paired_differences(out):
  intervals = paper("intervals")
  scores = intervals.load(out)
  found = intervals.difference(scores, "gd", "kd")
  value = scores["gd"].mean() - scores["kd"].mean()
  assert found.value == pytest.approx(value)
  assert found.better and found.low < value < found.high
  # An arm that is always right one row more often: no spread at all.
  shifted = scores | {"more": scores["gd"] + 0.01}
  paired = intervals.difference(shifted, "more", "gd")
  assert paired.high - paired.low < 1e-4
  worse = intervals.difference(scores, "kd", "teacher")
  assert worse.high < 0 and not worse.better


# Dies if: draws are not resampled: few draws that differ would look sure.
def test_the_interval_knows_of_the_draws():
  intervals = paper("intervals")
  base = np.full((4, N), 0.5)
  gain = np.array([0.2, -0.1, 0.25, -0.15])[:, None]
  found = intervals.difference({"a": base + gain, "b": base}, "a", "b")
  assert found.low < -0.04 and found.high > 0.14
  rows = np.zeros((4, N))
  rows[:, : N // 2] = 0.2
  found = intervals.difference({"a": base + rows, "b": base}, "a", "b")
  # The standard error of a mean over rows: 0.1 / sqrt(N).
  assert found.high - found.low == pytest.approx(4 * 0.1 / N**0.5, rel=0.1)


# Dies if: it is a mean of ratios, or given where there is hardly a gap.
def test_the_closed_gap_is_a_ratio_of_means(out):
  intervals = paper("intervals")
  scores = intervals.load(out)
  means = {arm: values.mean() for arm, values in scores.items()}
  found = intervals.gap_closed(scores)
  assert found.value == pytest.approx(
    (means["gd"] - means["kd"]) / (means["teacher"] - means["kd"])
  )
  assert 0 < found.low < found.value < found.high < 1
  near = scores | {"teacher": scores["kd"] + 0.04}
  assert intervals.gap_closed(near) is None


# Dies if: cells of runs that were not made are left empty, or look like runs.
def test_tables_say_what_was_not_run(out, tmp_path):
  table = paper("table")
  results = tmp_path / "results"
  head, trec, *others = table.accuracies(results)
  cells = dict(zip(head, trec, strict=True))
  assert cells["draws"] == "4"
  mean, std = map(float, cells["gd"].split(" ± "))
  assert mean == pytest.approx(80, abs=3) and std > 0
  assert cells["rules_kd"] == cells["gd_pretrained"] == "not run"
  assert all(set(row[1:]) == {"not run"} for row in others)
  head, trec, *_ = table.differences(results)
  cells = dict(zip(head, trec, strict=True))
  assert cells["gd − kd"].startswith("+") and cells["gd − gold"] == "not run"
  assert cells["gap closed"].startswith("0.")
  assert len(table.models(results)) == 13
  assert all("not run" in row for row in table.ablations(results)[1:])


# Dies if: another sweep's gd takes the place of the first one's.
def test_an_arm_may_come_from_another_sweep(out, tmp_path):
  collect, intervals = paper("collect"), paper("intervals")
  better = write_sweep(tmp_path / "other", accuracy=ACCURACY | {"gd": 0.95})
  collect.save(out, *collect.collect(better, {"gd": "gd_pretrained"}))
  scores = intervals.load(out)
  assert scores["gd"].mean() == pytest.approx(0.8, abs=0.03)
  assert scores["gd_pretrained"].mean() == pytest.approx(0.95, abs=0.03)
  assert set(scores) == {*ACCURACY, "gd_pretrained"}


def test_what_carries_compares_with_the_baseline(out, tmp_path):
  table = importlib.import_module("experiments.what_carries.table")
  collect = paper("collect")
  runs, rows = collect.collect(tmp_path / "sweep")
  target = tmp_path / "carries/trec"
  collect.save(target, runs, rows)
  better = write_sweep(tmp_path / "other", accuracy=ACCURACY | {"gd": 0.9})
  runs, rows = collect.collect(better)
  changed = [run | {"change": {"students.loss": "mse"}} for run in runs]
  collect.save(target, changed, rows)
  _, base, mse, *others = table.lines(tmp_path / "carries")
  assert base[1:3] == ["baseline", "4"] and base[4] == ""
  assert mse[1] == "students.loss=mse" and mse[4].startswith("+")
  assert [row[1] for row in others] == ["not run"] * 3
