# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tables of experiments/*/README.md are what their results say."""

import importlib
import shutil
import sys

import pytest

from tests.docs import blocks

EXPERIMENTS = sorted(
  path.parent.name for path in (blocks.ROOT / "experiments").glob("*/table.py")
)
# Thousands of resamples for each cell.
SLOW = ("paper",)


# Dies if: results or a table's script change and the script is not run.
@pytest.mark.parametrize(
  "name",
  [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
    for name in EXPERIMENTS
  ],
)
def test_tables_are_what_the_results_say(name, tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(str(blocks.ROOT))
  here = blocks.ROOT / "experiments" / name
  module = importlib.import_module(f"experiments.{name}.table")
  shutil.copytree(here, tmp_path / name)
  monkeypatch.setattr(module, "HERE", tmp_path / name)
  monkeypatch.setattr(sys, "argv", ["table"])
  written = tmp_path / name / "README.md"
  expected = written.read_text("utf-8")
  module.main()
  assert written.read_text("utf-8") == expected
