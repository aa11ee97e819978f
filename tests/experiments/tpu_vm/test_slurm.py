# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[3] / "experiments/tpu_vm/slurm.sbatch"
# What each is called with, a line each; srun is the tasks' own exit code.
SRUN = 'printf "%s\\n" srun "$@" >> "$CALLS"; exit "$TASKS_END_WITH"'
SCONTROL = 'printf "%s\\n" scontrol "$@" >> "$CALLS"; exit "$REQUEUE_ENDS_WITH"'


@pytest.fixture
def batch(tmp_path):
  """Runs the script as slurmd would; gives what it did and called."""
  for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
    (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
    (tmp_path / name).chmod(0o755)
  calls = tmp_path / "calls"

  def run(code, *argv, requeue=0, **environment):
    calls.write_text("")
    done = subprocess.run(
      ["bash", str(SCRIPT), *argv],
      env={
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "TASKS_END_WITH": str(code),
        "REQUEUE_ENDS_WITH": str(requeue),
        "SLURM_JOB_ID": "4711",
        **environment,
      },
      capture_output=True,
      text=True,
    )
    return done, calls.read_text().splitlines()

  return run


def test_it_is_a_script_with_the_options_that_it_needs():
  # Dies if: the signal goes to the batch shell (B:), which passes nothing on.
  subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
  options = {
    line.split()[1]
    for line in SCRIPT.read_text().splitlines()
    if line.startswith("#SBATCH")
  }
  assert {"--signal=TERM@120", "--requeue", "--open-mode=append"} <= options


def test_every_task_gets_the_arguments_as_they_are(batch):
  # Dies if: $@ is not quoted.
  odd = '--config.students.arms=("kd", "gd")'
  done, calls = batch(0, "--config=configs/trec.py", odd)
  assert done.returncode == 0
  start = calls.index("python")
  assert calls[start:] == [
    *("python", "-m", "gd_jax.main"),
    *("--config=configs/trec.py", odd, "--distributed"),
  ]
  # Dies if: the first task that has saved takes the others with it.
  assert "--kill-on-bad-exit=0" in calls[:start]


@pytest.mark.parametrize("code", [143, 75])
def test_what_was_saved_goes_back_into_the_queue(batch, code):
  # Dies if: 143, or that a task is gone, is not told from other codes.
  done, calls = batch(code, "--config=x")
  assert done.returncode == 0 and "restart 1" in done.stderr
  assert calls[-3:] == ["scontrol", "requeue", "4711"]


@pytest.mark.parametrize("code", [0, 1, 2, 130, 137])
def test_whatever_else_ends_it_ends_it(batch, code):
  done, calls = batch(code, "--config=x")
  assert done.returncode == code and "scontrol" not in calls


def test_restarts_are_finite(batch):
  # Dies if: a job that never gets on is put back for ever.
  done, calls = batch(143, "--config=x", SLURM_RESTART_COUNT="100")
  assert done.returncode == 143 and "scontrol" not in calls
  assert "submit it again" in done.stderr
  _, calls = batch(143, "--config=x", SLURM_RESTART_COUNT="99")
  assert "scontrol" in calls


def test_a_cluster_that_does_not_requeue(batch):
  done, _ = batch(143, "--config=x", requeue=1)
  assert done.returncode == 143 and "does not requeue" in done.stderr
