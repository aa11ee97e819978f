# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Students that train in one program, killed while they are written."""

import shutil

import pytest
from etils import epath

from gd_jax import pipeline, workdirs
from gd_jax.training import student_folder


class Killed(BaseException):
  pass


# Dies if: those that are left train without the neighbours they had before
# (`earlier` of side_by_side.groups is not read): then their last bits differ.
@pytest.mark.slow
def test_a_kill_between_two_students_of_a_group_changes_no_bit(
  finished, tiny_config, progress, tmp_path, soak, monkeypatch
):
  workdir = tmp_path / "work"
  shutil.copytree(finished, workdir)
  for phase in ("students", "report"):
    workdirs.clear(epath.Path(workdir / phase))
  write, written = student_folder.Recipe.write, []

  def write_one(recipe, *args, **kwargs):
    if recipe.arm != "tfidf" and len(written) == 1:
      raise Killed
    write(recipe, *args, **kwargs)
    written.extend([recipe.name] if recipe.arm != "tfidf" else [])

  options = {"phases": ["students"], "progress": progress}
  with monkeypatch.context() as patch, pytest.raises(Killed):
    patch.setattr(student_folder.Recipe, "write", write_one)
    pipeline.run(tiny_config, workdir, **options)
  assert len(list(workdir.glob("students/*/*/params.json"))) == 1
  pipeline.run(tiny_config, workdir, **options)
  whole, mended = (
    {
      name: data
      for name, data in soak.contents(folder).items()
      if name.startswith("students/")
    }
    for folder in (finished, workdir)
  )
  assert soak.differences(whole, mended) == []
