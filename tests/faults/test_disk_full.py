# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A full disk at every write: said in one line, nothing lost, gone on with."""

import errno
import subprocess

import pytest
from etils import epath

from gd_jax import artefacts, atomic, pipeline

_STEPS_KB = (256, 512, 1024)


# Dies if: a file is written in place, the manifest is not written last, or a
# phase's old proof goes before the new one stands.
def test_each_write_in_turn(
  toys, tmp_path, progress, monkeypatch, fingerprints
):
  pipeline.run(toys, tmp_path / "whole", progress=progress)
  expected = fingerprints(tmp_path / "whole")
  put, tried = atomic.put, 0
  while True:
    workdir, left = tmp_path / f"full{tried}", [tried]

    def put_or_fail(path, payload, left=left):
      if left[0] == 0:
        path.parent.joinpath(f".{path.name}.0.tmp").write_bytes(payload[:5])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
      left[0] -= 1
      put(path, payload)

    monkeypatch.setattr(atomic, "put", put_or_fail)
    try:
      pipeline.run(toys, workdir, progress=progress)
      break
    except OSError as error:
      assert error.errno == errno.ENOSPC
    finally:
      monkeypatch.setattr(atomic, "put", put)
    done = fingerprints(workdir)
    for name in done:
      artefacts.require_whole(epath.Path(workdir) / name)
    assert pipeline.verify(workdir) == []
    pipeline.run(toys, workdir, progress=progress)
    assert fingerprints(workdir) == expected
    assert not [*workdir.glob("**/.*.tmp")]
    tried += 1
  # Each phase: its recipe, three files, its manifest, and their entries.
  assert tried >= 3 * (1 + 2 * 3 + 1)


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
    code = soak.start(argv, log).wait(300)
    said = log.read_text()
    assert code == 2, said[-2000:]
    assert "the disk is full" in said
    assert "Traceback" not in said, said[-3000:]
  resize(64 * 1024)
  soak.finish(argv, tmp_path / "log")
  whole, mended = soak.contents(finished), soak.contents(disk / "work")
  assert soak.differences(whole, mended) == []
