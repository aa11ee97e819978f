# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""TFDS copies of a task's rows, made once per content of their sources."""

import contextlib
import io
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from etils import epath

from gd_jax import artefacts
from gd_jax.data.files import Row
from gd_jax.errors import UserError
from gd_jax.progress import Progress


class Source(Protocol):
  """Where the rows of one split come from; its str() names it in errors."""

  def fingerprint(self) -> str | None:
    """Digest of what `read` depends on; None while that is not known."""
    ...

  def fetch(self, *, allow_download: bool, progress: Progress) -> None:
    """Makes sure that it can be read here and that it has a fingerprint."""
    ...

  def read(self) -> Iterable[Row]:
    """Its rows, each line number once."""
    ...


def fingerprint(sources: Mapping[str, Source]) -> str | None:
  """Digest of the contents of all sources; None while one is not known."""
  found = {split: source.fingerprint() for split, source in sources.items()}
  return None if None in found.values() else artefacts.digest(found)


def load_rows(
  task: str,
  sources: Mapping[str, Source],
  *,
  cache: epath.Path,
  allow_download: bool,
  progress: Progress,
) -> dict[str, list[Row]]:
  """The rows of each source, by split, in the order of the source.

  They come from a TFDS copy in a folder of `cache` that is named by the
  fingerprint of the sources and appears whole, by one rename: a changed file
  is never served stale, and two processes may prepare the same copy at once.

  Raises:
    UserError: a source is no good, or `cache` can't be written or read.
  """
  folder = _folder(task, sources, cache)
  if folder is None or not folder.exists():
    for source in sources.values():
      source.fetch(allow_download=allow_download, progress=progress)
    folder = _folder(task, sources, cache)
    assert folder is not None, "a fetched source has a fingerprint"
    progress.say(f"data: preparing {task} in {folder}, once")
    _prepare(task, sources, folder)
  try:
    builder = _builder_class(task)(data_dir=folder)
    return {split: builder.rows(split) for split in sources}
  except Exception as error:  # whatever TFDS makes of a damaged file
    raise UserError(
      f"{folder} is damaged ({error!r}): delete it and run again"
    ) from error


def _folder(
  task: str, sources: Mapping[str, Source], cache: epath.Path
) -> epath.Path | None:
  content = fingerprint(sources)
  if content is None:
    return None
  return cache / f"{task}-{_builder_class(task).VERSION}-{content[:20]}"


def _builder_class(task: str) -> Any:
  from gd_jax.data import builders

  return builders.BUILDERS.get(task, builders.LabelledTexts)


def _prepare(
  task: str, sources: Mapping[str, Source], folder: epath.Path
) -> None:
  import tensorflow_datasets as tfds

  temporary = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.tmp"
  try:
    temporary.mkdir(parents=True)
    # TFDS prints to stdout, which is for results, and shows bars of its own.
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
      builder = _builder_class(task)(data_dir=temporary, sources=sources)
      builder.download_and_prepare()
    try:
      temporary.rename(folder)
    except OSError:
      if not folder.exists():  # else another process was first
        raise
  except OSError as error:
    raise UserError(
      f"{folder.parent} can't be written ({error.strerror}): set "
      "--config.data.cache_dir to another folder"
    ) from error
  finally:
    if temporary.exists():
      temporary.rmtree()
