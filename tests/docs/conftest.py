# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A clone in which a reader would try what the pages say."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.conftest import tiny_flags

ROOT = pathlib.Path(__file__).parents[2]


class Reader:
  """Runs commands as a reader with a clone does; the models are tiny.

  Attributes:
    clone: What a reader sees, with the embedded texts in FOLDER and rows/TASK.
  """

  def __init__(self, folder: pathlib.Path, tiny_bert: pathlib.Path):
    self.clone = folder / "clone"
    (self.clone / "configs").mkdir(parents=True)
    for name in ("gd_jax", "experiments", "Makefile", "setup.py", "README.md"):
      (self.clone / name).symlink_to(ROOT / name)
    for path in (ROOT / "configs").iterdir():
      (self.clone / "configs" / path.name).symlink_to(path)
    self._tiny = tiny_flags(tiny_bert)
    self._environment = {
      **os.environ,
      "GD_JAX_CACHE": str(folder / "cache"),
      "HF_HUB_OFFLINE": "1",
      "PYTHONPATH": str(self.clone),
    }

  def add_rows(self, *names: str) -> None:
    """The embedded texts, in folders of the clone."""
    texts = ROOT / "gd_jax" / "data" / "quickstart"
    for name in names:
      shutil.copytree(texts, self.clone / name, dirs_exist_ok=True)

  def gd_jax(self, *flags: str) -> None:
    """The command line with tiny models; fails where it fails."""
    self.run(sys.executable, "-m", "gd_jax.main", *flags, *self._tiny)

  def run(self, *command: str) -> str:
    """What a command prints; fails where it fails."""
    done = subprocess.run(
      command,
      cwd=self.clone,
      env=self._environment,
      capture_output=True,
      text=True,
      timeout=550,
      check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory, tiny_bert):
  return Reader(tmp_path_factory.mktemp("reader"), tiny_bert)
