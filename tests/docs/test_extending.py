# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The code of docs/extending.md, written to the files it names and run."""

import json

import pytest

from tests.docs import blocks


@pytest.fixture(scope="module")
def run_example(reader):
  """Runs an example's config in its quick form on the embedded texts."""
  files = {
    block.text.split("\n", 1)[0].removeprefix("# "): block.text
    for block in blocks.read("docs/extending.md")
  }
  assert sorted(files) == [
    "configs/bag.py",
    "configs/tickets.py",
    "configs/wide.py",
  ]
  reader.add_rows("rows/trec", "rows/tickets")
  for name, text in files.items():
    assert text.count("\n") < 40, f"{name} is no longer a short example"
    (reader.clone / name).write_text(text)

  def run(name, *flags):
    workdir = reader.clone / "runs" / name
    reader.gd_jax(
      f"--config=configs/{name}.py:quick",
      "--config.data.dir=rows",
      f"--workdir={workdir}",
      *flags,
    )
    return workdir

  return run


@pytest.mark.slow
def test_a_student_of_a_readers_own_is_trained_and_exported(run_example):
  # Dies if: a student needs more than its two table entries.
  workdir = run_example("bag", "--config.students.arms=('gd',)")
  results = json.loads((workdir / "report/results.json").read_text())
  assert results["arms"]["gd"]["num_seeds"] == 2
  about = json.loads((workdir / "export/config.json").read_text())
  assert about["model"]["family"] == "bag"


@pytest.mark.slow
def test_a_task_of_a_readers_own_is_read(run_example):
  workdir = run_example("tickets", "--phases=data")
  assert json.loads((workdir / "data/task.json").read_text())["labels"]


@pytest.mark.slow
def test_a_generator_of_a_readers_own_is_trained_and_drawn_from(run_example):
  # Dies if: corpus or generator know the kinds by themselves.
  workdir = run_example("wide", "--phases=data,generator,corpus")
  model = json.loads((workdir / "generator/model.json").read_text())
  assert model["config"]["num_layers"] == 1
  health = json.loads((workdir / "corpus/health.json").read_text())
  assert health["drawn"] == 32
