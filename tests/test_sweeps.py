# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest
from ml_collections import config_dict

from gd_jax import artefacts, config_checks, pipeline, sweeps
from gd_jax.errors import UserError
from gd_jax.progress import Progress


def _config():
  config = config_dict.ConfigDict({"seed": 0, "students": {"lr": 0.1}})
  return config.lock()


def test_points_come_from_the_config_file(tmp_path):
  file = tmp_path / "config.py"
  file.write_text("def sweep(add):\n  for s in (1, 2): add(seed=s)\n")
  assert sweeps.points_of(str(file)) == [{"seed": 1}, {"seed": 2}]
  for text, words in (
    ("", "its sweep is not there"),
    ("def sweep(add): pass\n", "its sweep adds no point"),
  ):
    file.write_text(text)
    with pytest.raises(UserError, match=words):
      sweeps.points_of(str(file))
  with pytest.raises(UserError, match=r"README\.md is no config file"):
    sweeps.points_of("README.md")


def test_a_point_changes_its_fields_alone():
  config = _config()
  point = sweeps.apply(config, {"students.lr": 0.5})
  assert (point.students.lr, point.seed, config.students.lr) == (0.5, 0, 0.1)
  with pytest.raises(UserError, match=r"lacks: students\.rate"):
    sweeps.apply(config, {"students.rate": 0.5})
  with pytest.raises(UserError, match=r"lacks: student\.lr"):
    sweeps.apply(config, {"student.lr": 0.5})
  with pytest.raises(UserError, match="seed='x'"):
    sweeps.apply(config, {"seed": "x"})
  with pytest.raises(UserError, match=r"students\.lr can't be None"):
    sweeps.apply(config, {"students.lr": None})


def test_folder_names_are_safe_and_tell_points_apart():
  # Dies if: two values that look alike after cleaning share a folder.
  names = {
    sweeps.folder_name(point)
    for point in (
      {"a.b": 1.0},
      {"a.b": 2.0},
      {"a.b": "../../x"},
      {"a.b": "/x"},
      {"a.b": ("x",)},
      {"a.b": "x" * 300},
      {"a.b": "x" * 301},
    )
  }
  assert len(names) == 7
  for name in names:
    assert "/" not in name and not name.startswith(".") and len(name) < 120


def test_all_runs_are_in_one_table_and_one_plot(tmp_path, monkeypatch, capsys):
  # Dies if: the plot or the table is made of the last point alone.
  def run(config, folder, **options):
    score = {"mean": config.students.lr, "std": None}
    accuracy = score | {"per_seed": [config.students.lr]}
    artefacts.write_json(
      folder / "report" / "results.json",
      {
        "task": "toy",
        "evaluate_on": "test",
        "arms": {"gd": {"accuracy": accuracy}},
      },
    )

  monkeypatch.setattr(pipeline, "run", run)
  monkeypatch.setattr(config_checks, "check", lambda config: None)
  points = [{"students.lr": 0.25}, {"students.lr": 0.5}]
  for point in points:
    (tmp_path / sweeps.folder_name(point) / "report").mkdir(parents=True)
  sweeps.run(_config(), points, tmp_path, progress=Progress(quiet=True))
  shown = capsys.readouterr().out
  assert "25.0" in shown and "50.0" in shown
  assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
  svg = (tmp_path / "sweep.svg").read_text()
  assert "students.lr" in svg and ">0.25<" in svg and ">0.5<" in svg
  found = artefacts.read_json(tmp_path / "sweep.json")
  assert [row["point"] for row in found] == points


# Dies if: what is to be redone is taken over from a point still to be redone.
def test_a_redo_takes_nothing_over_from_later_points(tmp_path, monkeypatch):
  taken = []

  def run(config, folder, *, reuse, **options):
    del config, options
    taken.append((folder.name, [other.name for other in reuse]))

  monkeypatch.setattr(pipeline, "run", run)
  monkeypatch.setattr(config_checks, "check", lambda config: None)
  points = [{"students.lr": rate} for rate in (0.25, 0.5, 0.75)]
  names = [sweeps.folder_name(point) for point in points]
  for name in names:
    (tmp_path / name / "data").mkdir(parents=True)
  # One that was not begun is no workdir to take over from.
  points = [*points, {"students.lr": 1.0}, {"students.lr": 2.0}]
  (tmp_path / sweeps.folder_name(points[-2])).mkdir()
  quiet = Progress(quiet=True)
  sweeps.run(_config(), points, tmp_path, redo=["teacher"], progress=quiet)
  assert taken[:3] == [(name, names[:i]) for i, name in enumerate(names)]
  assert taken[4][1] == names
