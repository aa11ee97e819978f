# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The notebook runs from top to bottom.

Its cells are run in order by plain Python, with a stand-in for the one thing
that is IPython's, `display`: a Jupyter kernel would bring thirty packages.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"

_DISPLAY = """
import pathlib, sys, types
sys.modules["IPython.display"] = module = types.ModuleType("IPython.display")
module.Image = lambda path: pathlib.Path(path).read_bytes()
module.display = lambda image: print("displayed", image[1:4].decode())
"""


def _cells():
  return json.loads(NOTEBOOK.read_text())["cells"]


def test_it_is_a_notebook_without_outputs():
  # Dies if: it is committed as it was run, with texts and paths of a machine.
  notebook = json.loads(NOTEBOOK.read_text())
  assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
  cells = notebook["cells"]
  ids = [cell["id"] for cell in cells]
  assert len(set(ids)) == len(ids)
  assert all("".join(cell["source"]).strip() for cell in cells)
  for cell in cells:
    if cell["cell_type"] == "code":
      assert cell["outputs"] == [] and cell["execution_count"] is None
      compile("".join(cell["source"]), cell["id"], "exec")


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path, tiny_bert):
  # Dies if: a cell uses a name that the API does not have.
  fields = {
    "teacher.init": str(tiny_bert),
    "generator.init": str(tiny_bert),
    "data.cache_dir": str(tmp_path / "cache"),
    "students.embed_width": 16,
  }
  parameters = (
    "CONFIG = 'configs/quickstart.py:quick'\n"
    f"WORKDIR = {str(tmp_path / 'run')!r}\nFIELDS = {fields!r}\n"
  )
  code = [_DISPLAY]
  for cell in _cells():
    if cell["cell_type"] == "code":
      is_parameters = "parameters" in cell["metadata"].get("tags", ())
      code.append(parameters if is_parameters else "".join(cell["source"]))
  done = subprocess.run(
    [sys.executable, "-c", "\n".join(code)],
    # Not the clone: whoever opens it in docs/ or elsewhere finds the configs.
    cwd=tmp_path,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.count("displayed PNG") == 4
  assert "students.temperature was 2.0 and is now 4.0" in done.stdout
  assert done.stderr.count("taken over") == 5
