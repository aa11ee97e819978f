# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = (
  pathlib.Path(__file__).parents[2] / "experiments/distillation_throughput"
)


def run(tmp_path, only):
  out = tmp_path / "out.json"
  subprocess.run(
    [
      sys.executable,
      str(FOLDER / "benchmark.py"),
      "--tiny",
      "--students=2",
      "--rounds=1",
      f"--only={only}",
      f"--out={out}",
    ],
    check=True,
    timeout=500,
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
  )
  return json.loads(out.read_text())


def test_an_unknown_comparison_is_refused_before_any(tmp_path):
  # Dies if: the others are timed first, or a traceback is all there is.
  done = subprocess.run(
    [
      *(sys.executable, str(FOLDER / "benchmark.py")),
      *("--only=student,foo", f"--out={tmp_path}/out.json"),
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2
  assert "'foo' is none of student, sequential, teacher" in done.stderr


@pytest.mark.slow
def test_many_students_against_one_by_one(tmp_path):
  found = run(tmp_path, "sequential")
  names = {"sequential_small", "sequential_small_if_vmapped"}
  assert set(found["ratio"]) == names
  assert all(value > 0 for value in found["ratio"].values())
  assert found["students"] == 2 and found["machine"]["threads"] == 1


@pytest.mark.slow
@pytest.mark.parity
def test_steps_against_torch(tmp_path):
  found = run(tmp_path, "student,teacher,generator")
  names = {"torch", "torch_teacher", "torch_generator"}
  assert set(found["ratio"]) == set(found["min"]) == set(found["max"]) == names


@pytest.mark.slow
@pytest.mark.parity
def test_rounded_products_against_float32_and_autocast(tmp_path):
  found = run(tmp_path, "teacher_bfloat16,generator_bfloat16")
  assert set(found["ratio"]) == {
    *("float32_teacher", "float32_generator"),
    *("autocast_teacher", "autocast_generator"),
  }
