# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Blocks of Markdown, and a place where a reader would try them."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks_of(page, language=None):
  """(language, text) of each fenced block of a page, in order."""
  found = _FENCE.findall((ROOT / page).read_text("utf-8"))
  return [block for block in found if language in (None, block[0])]


@pytest.fixture
def read_blocks():
  return blocks_of


@pytest.fixture
def reader(tmp_path, tiny_bert):
  """Runs a command as a reader with a clone does; the models are tiny.

  `clone` holds what a reader sees; the cache is theirs, and empty.
  """
  clone = tmp_path / "clone"
  clone.mkdir()
  for name in ("gd_jax", "experiments", "Makefile", "setup.py", "README.md"):
    (clone / name).symlink_to(ROOT / name)
  (clone / "configs").mkdir()
  for path in (ROOT / "configs").iterdir():
    (clone / "configs" / path.name).symlink_to(path)
  environment = {
    **os.environ,
    "GD_JAX_CACHE": str(tmp_path / "cache"),
    "HF_HUB_OFFLINE": "1",
    "PYTHONPATH": str(clone),
  }

  def run(*command, tiny=True, cwd=clone):
    command = [*map(str, command)]
    if tiny and any(word.startswith("--config=") for word in command):
      command += [
        f"--config.teacher.init={tiny_bert}",
        f"--config.generator.init={tiny_bert}",
        "--config.students.embed_width=16",
      ]
    return subprocess.run(
      command,
      cwd=cwd,
      env=environment,
      capture_output=True,
      text=True,
      timeout=500,
      check=False,
    )

  run.clone = clone
  run.environment = environment
  run.gd_jax = (sys.executable, "-m", "gd_jax.main")
  return run
