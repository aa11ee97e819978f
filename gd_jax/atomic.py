# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all; what all that is kept stands on."""

import contextlib
import hashlib
import io
import os
import secrets
from collections.abc import Iterator

from etils import epath

TEMPORARY = ".tmp"
# What `workdirs.clear` is removing, and `workdirs.take_over` copying.
LEFTOVERS = (".trash-", ".incoming-")


def in_bucket(path: epath.PathLike) -> bool:
  """Whether `path` is no file of this machine's own, but such as gs://."""
  return "://" in os.fspath(path)


def put(path: epath.Path, payload: bytes) -> None:
  """Writes `payload` so that `path` holds all of it or what it held before."""
  name = f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}"
  temporary = path.parent / name
  try:
    with temporary.open("wb") as file:
      file.write(payload)
      file.flush()
      # What is written to a bucket has no number, by gcsfs or by TensorFlow,
      # and lasts once it is closed.
      with contextlib.suppress(io.UnsupportedOperation, AttributeError):
        os.fsync(file.fileno())
    temporary.replace(path)
  except BaseException:
    with contextlib.suppress(OSError):
      temporary.unlink(missing_ok=True)
    raise


def sha256_file(path: epath.PathLike) -> str:
  """The sha256 of a file's bytes, in hex."""
  sha = hashlib.sha256()
  with epath.Path(path).open("rb") as file:
    while block := file.read(1 << 20):
      sha.update(block)
  return sha.hexdigest()


def files_below(folder: epath.Path) -> Iterator[tuple[str, epath.Path]]:
  """Every file under `folder` as (relative name with "/", path), sorted.

  What a killed process left half written or half removed is passed over.
  """
  for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
    if entry.name.startswith(LEFTOVERS):
      continue
    if entry.is_dir():
      for name, path in files_below(entry):
        yield f"{entry.name}/{name}", path
    elif not entry.name.endswith(TEMPORARY):
      yield entry.name, entry
