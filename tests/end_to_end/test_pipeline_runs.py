# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every phase on real code with a tiny random BERT, as a user would run it."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.conftest import tiny_flags

ROOT = pathlib.Path(__file__).parents[2]


def run_command(*flags, check=True):
  """Runs the command line in a process of its own."""
  done = subprocess.run(
    [sys.executable, "-m", "gd_jax.main", *map(str, flags)],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  if check:
    assert done.returncode == 0, done.stderr
  return done


@pytest.fixture(scope="module")
def flags(tmp_path_factory, tiny_bert):
  cache = tmp_path_factory.mktemp("cache")
  return [
    "--config=configs/quickstart.py:quick",
    f"--config.teacher.init={tiny_bert}",
    f"--config.generator.init={tiny_bert}",
    f"--config.data.cache_dir={cache}",
    "--config.students.embed_width=16",
  ]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, flags):
  workdir = tmp_path_factory.mktemp("run") / "work"
  run_command(*flags, f"--workdir={workdir}")
  return workdir


def _fingerprints(workdir):
  return {
    path.parent.name: json.loads(path.read_text())["fingerprint"]
    for path in workdir.glob("*/manifest.json")
  }


def test_one_command_makes_every_artefact(workdir):
  results = json.loads((workdir / "report" / "results.json").read_text())
  assert set(results["arms"]) == {
    "teacher",
    "tfidf",
    "gold",
    "kd",
    "gd_hard",
    "gd",
  }
  assert results["evaluate_on"] == "test"
  for name, arm in results["arms"].items():
    assert 0 <= arm["accuracy"]["mean"] <= 1, name
    assert arm["params_total"] > 0, name
  assert len(results["arms"]["gd"]["accuracy"]["per_seed"]) == 2
  page = (workdir / "report" / "index.html").read_text()
  assert "<script" not in page or "src=" not in page


def test_the_same_command_again_does_nothing(workdir, flags):
  before = _fingerprints(workdir)
  done = run_command(*flags, f"--workdir={workdir}")
  assert done.stderr.count("done already") == 8
  assert _fingerprints(workdir) == before


def test_another_run_of_the_same_seed_is_identical(workdir, flags, tmp_path):
  # Dies if: anything in a fingerprint depends on the clock, on the path, or
  # on randomness that is not derived from the seed.
  run_command(*flags, f"--workdir={tmp_path / 'again'}")
  again = _fingerprints(tmp_path / "again")
  before = _fingerprints(workdir)
  for name in ("data", "teacher", "generator", "corpus", "soft_labels"):
    assert again[name] == before[name], name
  assert again["students"] == before["students"]


def test_a_changed_field_is_refused(workdir, flags):
  done = run_command(
    *flags,
    "--config.teacher.learning_rate=0.5",
    f"--workdir={workdir}",
    check=False,
  )
  assert done.returncode == 2
  assert "teacher.learning_rate was 0.0001 and is now 0.5" in done.stderr
  assert "Traceback" not in done.stderr


def test_verify_is_content(workdir):
  done = run_command(f"--workdir={workdir}", "--verify")
  assert "what was looked at is as its manifests say" in done.stderr


# Dies if: a full-size config's smoke test, which its file tells people to run,
# can't run.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ag_news", "dbpedia", "yahoo_answers"])
def test_the_full_sizes_smoke_test_runs(tmp_path, tiny_bert, name):
  rows = ROOT / "gd_jax" / "data" / "quickstart"
  shutil.copytree(rows, tmp_path / "rows" / name)
  run_command(
    f"--config=configs/paper/{name}.py:quick",
    f"--config.data.dir={tmp_path}/rows",
    f"--workdir={tmp_path}/run",
    *tiny_flags(tiny_bert),
  )
  results = json.loads((tmp_path / "run/report/results.json").read_text())
  assert results["arms"]["gd"]["num_seeds"] == 2
