# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What proves the files of a folder that has no manifest yet.

While a phase is at work, every file it writes is entered here by its sha256,
and so are the seconds spent. A run that goes on where a killed one ended
trusts no file that is not as it was entered. Where several hosts fill a folder,
each keeps a journal of its own.
"""

import contextlib
import fnmatch
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from etils import epath

from gd_jax import atomic

WRITTEN = "written.json"
# Of the other hosts, and of those of earlier runs.
_OTHERS = "written-*.json"


class Journal:
  """The journal of one folder; safe to use from several threads."""

  def __init__(self, folder: epath.Path, *, host: int = 0):
    """Goes on from the journal of `host` in `folder`, if there is one."""
    self._folder = folder
    self._path = folder / (f"written-{host}.json" if host else WRITTEN)
    self._guard = threading.Lock()
    self._files, self._earlier = _read(self._path)
    self._start = time.monotonic()

  @property
  def seconds(self) -> float:
    """Spent on the folder so far, earlier runs included."""
    return self._earlier + time.monotonic() - self._start

  def enter(self, path: epath.Path, payload: bytes) -> None:
    """Notes that `path` is about to hold `payload`, or still what it held."""
    name = _name_in(self._folder, path)
    if name is None:
      return
    with self._guard:
      # A kill may come before the file does: then it is the one of before.
      before = self._files.get(name, [])[-1:]
      self._files[name] = [*before, hashlib.sha256(payload).hexdigest()]
      self._write()

  def tick(self) -> None:
    """Notes the seconds, lest a kill lose them."""
    with self._guard:
      self._write()

  def _write(self) -> None:
    _put(self._path, self._files, self.seconds)


_current: Journal | None = None


@contextlib.contextmanager
def keep(folder: epath.Path, *, host: int = 0) -> Iterator[Journal]:
  """Enters whatever this host writes below `folder` meanwhile."""
  global _current
  before, _current = _current, Journal(folder, host=host)
  try:
    yield _current
  finally:
    _current = before


def enter(path: epath.Path, payload: bytes) -> None:
  """Enters a file into the journal that is being kept, if one is."""
  if _current is not None:
    _current.enter(path, payload)


def tick() -> None:
  """Notes the seconds in the journal that is being kept, if one is."""
  if _current is not None:
    _current.tick()


def read(folder: epath.Path) -> tuple[dict[str, list[str]], float]:
  """(the sha256s that each file may have, seconds spent) of `folder`.

  Both are empty where there is no journal or a damaged one: then nothing is
  proven, and all is made anew. The seconds are host 0's.
  """
  files, seconds = _read(folder / WRITTEN)
  for path in folder.glob(_OTHERS):
    for name, found in _read(path)[0].items():
      files[name] = [*files.get(name, []), *found]
  return files, seconds


def remove(folder: epath.Path) -> None:
  """Removes the journals of `folder`: its manifest proves it now."""
  for path in [folder / WRITTEN, *folder.glob(_OTHERS)]:
    path.unlink(missing_ok=True)


def is_journal(name: str) -> bool:
  """Whether a file of that name is a journal."""
  return name == WRITTEN or fnmatch.fnmatchcase(name, _OTHERS)


def _read(path: epath.Path) -> tuple[dict[str, list[str]], float]:
  try:
    found = json.loads(path.read_text())
    if found["digest"] == _digest(found["files"], found["seconds"]):
      return found["files"], found["seconds"]
  except (OSError, ValueError, KeyError, TypeError):
    pass
  return {}, 0.0


def seed(folder: epath.Path, manifest: Mapping[str, Any]) -> None:
  """Begins the journal of a finished folder that is about to grow."""
  files = {name: [entry["sha256"]] for name, entry in manifest["files"].items()}
  _put(folder / WRITTEN, files, manifest["seconds"])


def _put(
  path: epath.Path, files: Mapping[str, list[str]], seconds: float
) -> None:
  seconds = round(seconds, 3)
  found = {
    "files": files,
    "seconds": seconds,
    "digest": _digest(files, seconds),
  }
  atomic.put(path, json.dumps(found, indent=1).encode())


def _digest(files: Any, seconds: Any) -> str:
  text = json.dumps([files, seconds], sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


def _name_in(folder: epath.Path, path: epath.Path) -> str | None:
  try:
    return path.relative_to(folder).as_posix()
  except ValueError:
    return None
