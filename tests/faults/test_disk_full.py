# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A full disk at every write: said in one line, nothing lost, gone on with."""

import contextlib
import errno
import itertools
import os
import subprocess

import pytest

from gd_jax import atomic, pipeline, verifier

_STEPS_KB = (256, 512, 1024)


@pytest.fixture
def full_at(monkeypatch):
  """full_at(n): the disk is full in the midst of the n-th write, from 0 on.

  Returns a context manager that says whether it came to that.
  """

  @contextlib.contextmanager
  def arm(number):
    left, full = [number], []

    def sync_or_fail(handle):
      if left[0] == 0:
        full.append(True)
        os.ftruncate(handle, 5)
        raise OSError(errno.ENOSPC, "No space left on device")
      left[0] -= 1

    with monkeypatch.context() as patch:
      patch.setattr(atomic.os, "fsync", sync_or_fail)
      yield full

  return arm


# Dies if: a file is written in place, or the manifest is not written last.
def test_each_write_in_turn(toys, tmp_path, progress, fingerprints, full_at):
  pipeline.run(toys, tmp_path / "whole", progress=progress)
  expected = fingerprints(tmp_path / "whole")
  for tried in itertools.count():
    workdir = tmp_path / f"full{tried}"
    with full_at(tried) as full, contextlib.suppress(OSError):
      pipeline.run(toys, workdir, progress=progress)
    if not full:
      break
    assert len(fingerprints(workdir)) < 3
    assert verifier.verify(workdir) == []
    assert not [*workdir.glob("**/.*.tmp")]
    pipeline.run(toys, workdir, progress=progress)
    assert fingerprints(workdir) == expected
  # Each phase: its recipe, three files, its manifest, and their entries.
  assert tried >= 3 * (1 + 2 * 3 + 1)


# Dies if: the old proof of a folder that grows goes before the new one stands,
# or its files are not in the new journal.
def test_each_write_of_a_folder_that_grows(
  toys, tmp_path, progress, fingerprints, full_at
):
  toys.draw.n = 2
  only = {"phases": ["draw"], "progress": progress}
  pipeline.run(toys, tmp_path / "whole", **only)
  for tried in itertools.count():
    workdir = tmp_path / f"full{tried}"
    toys.draw.n = 1
    pipeline.run(toys, workdir, **only)
    toys.draw.n = 2
    with full_at(tried) as full, contextlib.suppress(OSError):
      pipeline.run(toys, workdir, **only)
    if not full:
      break
    assert verifier.verify(workdir) == []
    assert (workdir / "draw" / "part2.json").exists()
    pipeline.run(toys, workdir, **only)
    assert progress.warnings == []
    assert fingerprints(workdir) == fingerprints(tmp_path / "whole")
  assert tried >= 9


# Dies if: a phase of the real pipeline trusts what was half written, or cannot
# go on in its folder.
@pytest.mark.slow
def test_many_writes_of_a_real_run(
  finished, tiny_config, tmp_path, progress, full_at, soak
):
  workdir = tmp_path / "work"
  for tried in itertools.count():
    # Ever more of them come to their end: what is not gone on with, but begun
    # anew, has to come to its own in one go.
    with full_at(3 * tried) as full, contextlib.suppress(OSError):
      pipeline.run(tiny_config, workdir, phases=soak.PHASES, progress=progress)
    if not full:
      break
    assert verifier.verify(workdir) == []
  assert tried >= 8
  # A file that is only half there is no reason to doubt those beside it.
  assert not [line for line in progress.warnings if "made anew" in line]
  whole, mended = soak.contents(finished), soak.contents(workdir)
  assert soak.differences(whole, mended) == []


@pytest.fixture
def small_disk(tmp_path):
  """A file system of its own, and how to make it larger."""
  folder = tmp_path / "disk"
  folder.mkdir()
  made = subprocess.run(
    ["mount", "-t", "tmpfs", "-o", f"size={_STEPS_KB[0]}k", "tmpfs", folder],
    capture_output=True,
    check=False,
  )
  if made.returncode:
    pytest.skip("mounting a tmpfs needs root")

  def resize(kilobytes):
    options = f"remount,size={kilobytes}k"
    subprocess.run(["mount", "-o", options, folder], check=True)

  yield folder, resize
  subprocess.run(["umount", "--lazy", folder], check=True)


# Dies if: ENOSPC of TensorStore or of a thread gets through as a traceback.
@pytest.mark.slow
def test_a_real_disk_that_is_made_larger(
  soak, small_disk, finished, tiny_command, tmp_path
):
  disk, resize = small_disk
  argv = tiny_command(disk / "work")
  for kilobytes in _STEPS_KB:
    resize(kilobytes)
    log = tmp_path / f"log{kilobytes}"
    code = soak.start(argv, log).wait(900)
    said = log.read_text()
    assert code == 2, said[-2000:]
    assert "the disk is full" in said
    assert "Traceback" not in said, said[-3000:]
  resize(64 * 1024)
  soak.finish(argv, tmp_path / "log")
  whole, mended = soak.contents(finished), soak.contents(disk / "work")
  assert soak.differences(whole, mended) == []
