# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import sys

import pytest
from absl.testing import flagsaver
from etils import epath

from configs.paper import ag_news
from gd_jax import main
from gd_jax.errors import UserError
from gd_jax.planning import machines, plan, shapes


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
  """run(*flags) -> (exit code, stdout, stderr) of a dry run."""

  def start(*flags):
    argv = [
      "gd-jax",
      "--config=configs/quickstart.py:quick",
      f"--workdir={tmp_path / 'work'}",
      "--dry_run",
      *flags,
    ]
    saved = flagsaver.save_flag_values()
    monkeypatch.setattr(sys, "argv", argv)
    try:
      code = main.main()
    finally:
      flagsaver.restore_flag_values(saved)
    return code, *capsys.readouterr()

  return start


def test_a_dry_run_says_all_and_does_nothing(run, tmp_path):
  # Dies if: a phase is left out, or the workdir is made.
  code, said, _ = run("--devices=h200")
  assert code == 0
  for name in ("teacher", "generator", "corpus", "soft_labels", "students"):
    assert f"\n{name} " in said
  assert "estimated from shapes" in said
  assert not (tmp_path / "work").exists()


def test_an_unknown_machine_gets_one_line(run):
  code, _, said = run("--devices=v5e-7")
  assert code == 2 and said.count("\n") == 1 and "v5e-7" in said


def test_what_does_not_fit_is_said_so():
  # Dies if: bytes are not compared with one device's memory.
  config = ag_news.get_config().unlock()
  config.corpus.slots = 8192
  machine = machines.parse("v5e-1")
  texts = shapes.Texts(4, 400, None)
  found = plan.judge(config, texts, machine, "corpus")
  assert not found.fits
  assert "NO" in "\n".join(plan.describe([found], texts, machine))


def _finished(workdir, phase, **counts):
  (workdir / phase).mkdir()
  found = {"seconds": 1234.0, "counts": counts}
  (workdir / phase / "manifest.json").write_text(json.dumps(found))


def _said(config, workdir, machine):
  machine = machines.parse(machine)
  lines, texts = plan.make(config, epath.Path(workdir), machine)
  return "\n".join(plan.describe(lines, texts, machine)), lines


# Dies if: seconds or bytes are not those of the phase's own manifest, or what
# the process held before counts as the phase's.
def test_beside_a_finished_run_it_says_how_far_it_was_off(config, tmp_path):
  memory = {"platform": "cpu", "before": 2**30, "peak": 3 * 2**30}
  _finished(tmp_path, "students")  # as before there were such counts
  _finished(tmp_path, "teacher", memory=memory)
  said, lines = _said(config, tmp_path, "cpu")
  assert "students: measured 21 min here, planned" in said
  planned = lines[0].footprint.total
  assert (
    f"teacher: measured 2.00 GiB here, planned {planned / 2**30:.2f} GiB: off"
    f" by a factor of {2 * 2**30 / planned:.2f}"
  ) in said
  assert said.count("measured") == 3


# Dies if: a plan for one kind of machine is compared with a run on another.
def test_a_run_elsewhere_is_not_compared(config, tmp_path):
  memory = {"platform": "gpu", "before": 0, "peak": 2**30}
  _finished(tmp_path, "students")
  _finished(tmp_path, "corpus", memory=memory)
  assert _said(config, tmp_path, "cpu")[0].count("measured") == 1
  assert _said(config, tmp_path, "h200")[0].count("measured") == 2


def test_classes_come_from_the_files(config, texts, tmp_path):
  # Dies if: rows beyond labels_per_class are counted as drawn.
  found = shapes.texts(config, epath.Path(tmp_path))
  assert (found.num_classes, found.num_labelled) == (8, 200)
  assert 5 < found.mean_tokens < 40
  config.data.labels_per_class = 10
  assert shapes.texts(config, epath.Path(tmp_path)).num_labelled == 80


def test_a_task_of_which_nothing_is_known_is_refused(config, tmp_path):
  config.task, config.data.folder = "custom", str(tmp_path / "no")
  with pytest.raises(UserError, match=r"needs the texts of 'custom'"):
    shapes.texts(config, epath.Path(tmp_path))
