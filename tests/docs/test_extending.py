# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The code of docs/extending.md, written to the files it names and run."""

import json
import shutil

import pytest

PAGE = "docs/extending.md"


@pytest.fixture
def run_example(reader, read_blocks, quickstart_folder):
  """Runs an example's config in its quick form on the embedded texts."""
  files = {
    text.split("\n", 1)[0].removeprefix("# "): text
    for _, text in read_blocks(PAGE, "python")
  }
  assert sorted(files) == [
    "configs/bag.py",
    "configs/tickets.py",
    "configs/wide.py",
  ]
  for name, text in files.items():
    assert text.count("\n") < 40, f"{name} is no longer a short example"
    (reader.clone / name).write_text(text)

  def run(name, task, *flags):
    shutil.copytree(quickstart_folder, reader.clone / "rows" / task)
    workdir = reader.clone / "runs" / name
    done = reader(
      *reader.gd_jax,
      f"--config=configs/{name}.py:quick",
      "--config.data.dir=rows",
      f"--workdir={workdir}",
      *flags,
    )
    assert done.returncode == 0, done.stderr
    return workdir

  return run


@pytest.mark.slow
def test_a_student_of_a_readers_own_is_trained_and_exported(run_example):
  # Dies if: a student needs more than its two table entries.
  workdir = run_example("bag", "trec", "--config.students.arms=('gd',)")
  results = json.loads((workdir / "report/results.json").read_text())
  assert results["arms"]["gd"]["num_seeds"] == 2
  card = json.loads((workdir / "export/config.json").read_text())
  assert card["model"]["family"] == "bag"


def test_a_task_of_a_readers_own_is_read(run_example):
  workdir = run_example("tickets", "tickets", "--phases=data")
  assert json.loads((workdir / "data/task.json").read_text())["labels"]


@pytest.mark.slow
def test_a_generator_of_a_readers_own_is_trained_and_drawn_from(run_example):
  # Dies if: corpus or generator know the kinds by themselves.
  workdir = run_example("wide", "trec", "--phases=data,generator,corpus")
  model = json.loads((workdir / "generator/model.json").read_text())
  assert model["config"]["num_layers"] == 1
  health = json.loads((workdir / "corpus/health.json").read_text())
  assert health["drawn"] == 32
