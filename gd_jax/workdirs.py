# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole folders: one writer at a time, cleared and taken over in one step."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator

from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError


def clear(folder: epath.Path) -> None:
  """Removes a folder so that a kill midway leaves it absent, not half there."""
  if not folder.exists():
    return
  trash = folder.parent / f".trash-{folder.name}-{secrets.token_hex(4)}"
  folder.rename(trash)
  trash.rmtree()


def sweep_leftovers(workdir: epath.Path) -> None:
  """Removes what a killed `clear` or `take_over` left behind."""
  for entry in list(workdir.iterdir()):
    if entry.name.startswith((".trash-", ".incoming-")):
      entry.rmtree()


def take_over(source: epath.Path, target: epath.Path) -> None:
  """Gives `target` what the finished folder `source` holds.

  Large files are hard links where the file system allows: finished files are
  never written in place.
  """
  incoming = target.parent / f".incoming-{target.name}-{secrets.token_hex(4)}"
  for name, path in artefacts.files_below(source):
    copy = incoming / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
      os.link(os.fspath(path), os.fspath(copy))
    except OSError:
      shutil.copyfile(os.fspath(path), os.fspath(copy))
  incoming.rename(target)


@contextlib.contextmanager
def lock(workdir: epath.Path) -> Iterator[None]:
  """Holds `workdir` for this process; the kernel lets go when it dies.

  Raises:
    UserError: another live process holds it, or it can't be written.
  """
  path = workdir / ".lock"
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    handle = os.open(os.fspath(path), os.O_RDWR | os.O_CREAT, 0o644)
  except OSError as error:
    raise UserError(
      f"the workdir {workdir} can't be written ({error.strerror}): "
      "choose another --workdir or mend its permissions"
    ) from error
  try:
    try:
      fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      holder = os.pread(handle, 64, 0).decode(errors="replace").strip()
      raise UserError(
        f"the workdir {workdir} is in use by process {holder or '?'}: wait "
        "for it, stop it, or choose another --workdir"
      ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    yield
  finally:
    os.close(handle)
