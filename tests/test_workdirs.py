# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import fcntl
import os
import subprocess
import sys
import threading

import pytest
from etils import epath

from gd_jax import artefacts, workdirs
from gd_jax.errors import UserError


def test_take_over_survives_clearing_the_source(tmp_path):
  source = epath.Path(tmp_path) / "a" / "corpus"
  target = epath.Path(tmp_path) / "b" / "corpus"
  artefacts.begin(source, config={}, inputs={})
  artefacts.write_atomic(source / "rows.txt", "x")
  artefacts.finish(source, config={}, inputs={}, counts={}, seconds=1.0)
  target.parent.mkdir()
  workdirs.take_over(source, target)
  workdirs.clear(source)
  assert artefacts.is_done(target, {}, {})


def test_lock_is_refused_while_held_and_free_after_a_kill(tmp_path):
  # Dies if: the lock is a mere file that outlives its process.
  workdir = epath.Path(tmp_path) / "w"
  program = (
    "import sys, time\n"
    "from etils import epath\n"
    "from gd_jax import workdirs\n"
    "with workdirs.lock(epath.Path(sys.argv[1])):\n"
    "  print('held', flush=True)\n"
    "  time.sleep(60)\n"
  )
  holder = subprocess.Popen(
    [sys.executable, "-c", program, os.fspath(workdir)],
    stdout=subprocess.PIPE,
    text=True,
  )
  try:
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
      pytest.raises(UserError, match=f"in use by process {holder.pid}"),
      workdirs.lock(workdir),
    ):
      pass
  finally:
    holder.kill()
    holder.communicate()
  with workdirs.lock(workdir):
    pass


# Dies if: an error of the file system gets through as it is.
def test_a_read_only_workdir_is_refused_in_one_line(tmp_path):
  workdir = tmp_path / "w"
  workdir.mkdir()
  mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", os.fspath(workdir)]
  if subprocess.run(mount, capture_output=True, check=False).returncode:
    workdir.chmod(0o555)
    if os.access(workdir, os.W_OK):
      pytest.skip("neither a mount nor a mode keeps this user from writing")
  try:
    with (
      pytest.raises(UserError, match=r"can't be written.*--workdir"),
      workdirs.lock(epath.Path(workdir)),
    ):
      pass
  finally:
    umount = ["umount", os.fspath(workdir)]
    subprocess.run(umount, capture_output=True, check=False)
    workdir.chmod(0o755)


# Dies if: what a killed process left is counted, kept, or cleared at the top
# of the workdir alone; or if what is not this program's goes with it.
def test_leftovers_are_swept(tmp_path):
  workdir = epath.Path(tmp_path)
  for name in (".trash-draw-1", "draw/.trash-resume-2", "notes", ".trash-my-2"):
    (workdir / name).mkdir(parents=True)
    (workdir / name / "file").write_text("x")
  (workdir / "notes" / ".todo.tmp").write_text("x")
  (workdir / "draw" / ".rows.jsonl.ab12.tmp").write_text("x")
  (workdir / "draw" / "rows.jsonl").write_text("x")
  files = [name for name, _ in artefacts.files_below(workdir / "draw")]
  assert files == ["rows.jsonl"]
  for link in ("draw/linked", "grow"):
    (tmp_path / link).symlink_to(tmp_path / "notes")
  workdirs.sweep_leftovers(workdir, ["draw", "grow"])
  found = {os.path.relpath(path, tmp_path) for path in tmp_path.rglob("*")}
  assert found == {
    *("draw", "draw/rows.jsonl", "draw/linked", "grow"),
    *("notes", "notes/file", "notes/.todo.tmp"),
    *(".trash-my-2", ".trash-my-2/file"),
  }


# Dies if: a link is refused after it was renamed, or what it leads to goes.
def test_of_a_link_the_link_alone_is_cleared(tmp_path):
  (tmp_path / "disk").mkdir()
  (tmp_path / "disk" / "rows.jsonl").write_text("x")
  (tmp_path / "corpus").symlink_to(tmp_path / "disk")
  workdirs.clear(epath.Path(tmp_path) / "corpus")
  assert [path.name for path in tmp_path.iterdir()] == ["disk"]
  assert (tmp_path / "disk" / "rows.jsonl").exists()


# Dies if: a look of --verify at the lock makes a run that starts give up.
def test_a_lock_is_tried_again(tmp_path):
  folder = epath.Path(tmp_path)
  with workdirs.lock(folder):
    pass
  handle = os.open(tmp_path / ".lock", os.O_RDONLY)
  fcntl.flock(handle, fcntl.LOCK_SH)
  letting_go = threading.Timer(0.15, os.close, [handle])
  letting_go.start()
  with workdirs.lock(folder):
    assert workdirs.holder(folder) == str(os.getpid())
  letting_go.join()
