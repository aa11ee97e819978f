# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole folders: one writer at a time, cleared and taken over in one step."""

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Collection, Iterator, Sequence

from etils import epath

from gd_jax import artefacts, atomic, journal, leases
from gd_jax.errors import InUseError, UserError, first_line

# How often one process tries for a lock that another has.
_LOOKS = 3


def place(path: epath.PathLike) -> epath.Path:
  """The folder that a user names: ~ is the home, and a bucket can be opened.

  Shells expand ~ at a word's start alone, and not for Python.

  Raises:
    UserError: It is in a bucket that can't be opened.
  """
  if not atomic.in_bucket(path):
    return epath.Path(os.path.expanduser(path))
  try:
    import fsspec.config

    folder = epath.Path(path)

    # gcsfs remembers what it saw in a folder for ever: what another host, or
    # an earlier run, wrote there later it would never show.
    fsspec.config.conf.setdefault("gs", {})["use_listings_cache"] = False
    folder.exists()
  except Exception as error:  # Each kind's own: no right, no such kind.
    raise UserError(
      f"{path} can't be opened ({first_line(error)}): for gs:// install "
      "gd_jax[gcs] and see that this machine may write there, or choose a "
      "local folder"
    ) from error
  return folder


def clear(folder: epath.Path) -> None:
  """Removes a folder so that a kill midway leaves it absent, not half there.

  Of a link to a folder the link alone goes.
  """
  if _is_link(folder):
    folder.unlink()
  if not folder.exists():
    return
  trash = folder.parent / f".trash-{folder.name}-{secrets.token_hex(4)}"
  folder.rename(trash)
  trash.rmtree()


def empty(folder: epath.Path) -> None:
  """As `clear`, but a link to a folder, such as of a larger disk, stays."""
  if not (_is_link(folder) and folder.is_dir()):
    clear(folder)
    return
  for entry in list(folder.iterdir()):
    if entry.is_dir():
      clear(entry)
    else:
      entry.unlink()


def set_aside(folder: epath.Path) -> epath.Path:
  """Gives a folder a name beside its own that nothing else uses.

  Returns:
    Where it lies now.
  """
  aside = _name_beside(folder)
  folder.rename(aside)
  return aside


def set_files_aside(folder: epath.Path, names: Sequence[str]) -> epath.Path:
  """Moves files of `folder` into a new folder beside it.

  Returns:
    The new folder; in it they have the names they had.
  """
  aside = _name_beside(folder)
  for name in names:
    target = aside / name
    target.parent.mkdir(parents=True, exist_ok=True)
    (folder / name).rename(target)
  return aside


def _name_beside(folder: epath.Path) -> epath.Path:
  return folder.parent / f"{folder.name}.aside-{secrets.token_hex(4)}"


def foreign(folder: epath.Path) -> list[str]:
  """Names of the files in `folder` that were not made here.

  The manifest of a finished folder tells, the journal of another; where both
  are gone or damaged, nothing does.
  """
  try:
    manifest = artefacts.read_manifest(folder)
  except UserError:
    return []
  if manifest is not None:
    known, is_own = manifest["files"], _is_left_over
    finished = []
  else:
    known, is_own = journal.read(folder)[0], artefacts.has_own_proof
    finished = _finished_below(folder)
  return [
    name
    for name, path in artefacts.files_below(folder)
    if known
    and name not in known
    and not is_own(name)
    and {*finished}.isdisjoint(path.parents)
  ]


def _is_left_over(name: str) -> bool:
  return artefacts.is_proof(name) or artefacts.is_resume(name)


def sweep_leftovers(workdir: epath.Path, names: Collection[str]) -> None:
  """Removes what a killed process left half written or half removed.

  Args:
    workdir: Whose lock is held.
    names: Of the folders in it that are this program's own. What else lies
      there, other runs' workdirs among it, is not looked at, nor is what links
      lead to.
  """
  own = tuple(f"{mark}{name}-" for mark in atomic.LEFTOVERS for name in names)
  for entry in list(workdir.iterdir()):
    if _is_link(entry) or not entry.is_dir():
      continue
    if entry.name.startswith(own):
      entry.rmtree()
    elif entry.name in names:
      _sweep_below(entry)


def _sweep_below(folder: epath.Path) -> None:
  for entry in list(folder.iterdir()):
    if _is_link(entry):
      continue
    if entry.is_dir():
      if entry.name.startswith(atomic.LEFTOVERS):
        entry.rmtree()
      elif not entry.name.startswith("."):
        _sweep_below(entry)
    elif entry.name.startswith(".") and entry.name.endswith(atomic.TEMPORARY):
      entry.unlink()


def _is_link(path: epath.Path) -> bool:
  return os.path.islink(os.fspath(path))  # In a bucket there are none.


def unproven(folder: epath.Path) -> Iterator[tuple[epath.Path, str]]:
  """(what should go, why) of all in an unfinished folder that is damaged.

  Folders inside that are finished prove themselves and are no use but whole;
  every other file is proven by the journal. What Orbax keeps has its own
  digests.
  """
  files = list(artefacts.files_below(folder))
  finished = _finished_below(folder)
  for inner in finished:
    try:
      wrong = next(artefacts.problems(inner), None)
    except UserError:
      wrong = f"{inner / artefacts.MANIFEST} is damaged"
    if wrong:
      yield inner, wrong
  proven, _ = journal.read(folder)
  for name, path in files:
    if artefacts.has_own_proof(name) or not {*finished}.isdisjoint(
      path.parents
    ):
      continue
    if artefacts.sha256_file(path) not in proven.get(name, ()):
      yield path, f"{path} is not as it was written"


def _finished_below(folder: epath.Path) -> list[epath.Path]:
  """The folders inside that have a manifest of their own."""
  return [
    path.parent
    for name, path in artefacts.files_below(folder)
    if "/" in name and path.name == artefacts.MANIFEST
  ]


def drop_unproven(folder: epath.Path) -> list[str]:
  """Removes from an unfinished folder what is not as it was written.

  Returns:
    What was wrong, in words; the phase makes anew what is missing.
  """
  found = list(unproven(folder))
  for path, _ in found:
    if path.is_dir():
      clear(path)
    else:
      path.unlink()
  return [why for _, why in found]


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
    except OSError:  # Another disk's, or a bucket's.
      path.copy(copy)
  incoming.rename(target)


def holder(workdir: epath.Path) -> str | None:
  """Which live process writes into `workdir`; None: none.

  Only a lock is looked at: a lease's holder may have died a moment ago.
  """
  path = os.fspath(workdir / ".lock")
  if atomic.in_bucket(path) or not os.path.exists(path):
    return None
  try:
    handle = os.open(path, os.O_RDONLY)
  except OSError:
    return None
  try:
    fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return None
  except OSError as error:
    if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
      return None
    return _name_in(handle)
  finally:
    os.close(handle)


def _flock(handle: int) -> None:
  """Takes the lock; raises OSError if another process keeps it."""
  for _ in range(_LOOKS):
    try:
      return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
        raise
      time.sleep(0.1)  # `holder` of a --verify has it for a moment.
  return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _name_in(handle: int) -> str:
  return os.pread(handle, 64, 0).decode(errors="replace").strip() or "?"


@contextlib.contextmanager
def lock(workdir: epath.Path, *, option: str = "--workdir") -> Iterator[None]:
  """Holds `workdir` for this process; the kernel lets go when it dies.

  Where there are no such locks, in a bucket or on some network disks, a lease
  is the next best: see `leases`.

  Args:
    workdir: Which; or another folder that one process at a time may fill.
    option: What names it.

  Raises:
    InUseError: another live process holds it.
    UserError: it can't be written.
  """
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    if atomic.in_bucket(workdir):
      handle = None
    else:
      flags = os.O_RDWR | os.O_CREAT
      handle = os.open(os.fspath(workdir / ".lock"), flags, 0o644)
  except (FileExistsError, NotADirectoryError) as error:
    raise UserError(
      f"{workdir} can't be made, a file lies in its way: choose "
      f"another {option}"
    ) from error
  except OSError as error:
    raise UserError(
      f"{workdir} can't be written ({error.strerror}): "
      f"choose another {option} or mend its permissions"
    ) from error
  if handle is None:
    with leases.hold(workdir, option=option):
      yield
    return
  try:
    try:
      _flock(handle)
    except OSError as error:
      if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
        with leases.hold(workdir, option=option):
          yield
        return
      raise InUseError(
        f"{workdir} is in use by process {_name_in(handle)}: wait "
        f"for it, stop it, or choose another {option}"
      ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    yield
  finally:
    os.close(handle)
