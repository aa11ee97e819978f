# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What CI and the citation say of versions is what setup.py says."""

import pathlib
import re

import gd_jax

ROOT = pathlib.Path(__file__).parents[2]


def test_ci_tests_the_lowest_versions_that_are_allowed():
  # Dies if: a lower bound moves in setup.py and CI stays behind.
  setup = (ROOT / "setup.py").read_text("utf-8")
  workflow = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
  for package in ("jax", "flax"):
    lowest = re.findall(rf'"{package}>=([\d.]+)', setup)
    assert re.findall(rf"\b{package}==([\d.]+)", workflow) == lowest
  for version in re.findall(r"Python :: (3\.\d+)", setup):
    assert f'"{version}"' in workflow


def test_the_citation_is_of_this_version():
  citation = (ROOT / "CITATION.cff").read_text("utf-8")
  assert f"version: {gd_jax.__version__}\n" in citation
