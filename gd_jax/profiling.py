# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Traces of a run, for xprof and TensorBoard."""

import contextlib
import pathlib
from collections.abc import Iterator

import jax

from gd_jax.errors import UserError


@contextlib.contextmanager
def trace(folder: str | None) -> Iterator[None]:
  """Writes what devices and host did meanwhile into `folder`, if there is one.

  A trace is written when the block is left, by an exception too.

  Raises:
    UserError: the folder can't be made or written, or is in a bucket.
  """
  if not folder:
    yield
    return
  if "://" in folder:
    raise UserError(
      f"--profile={folder}: a trace is written to a disk; name a folder there"
    )
  try:
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    (pathlib.Path(folder) / ".writable").touch()
    (pathlib.Path(folder) / ".writable").unlink()
  except OSError as error:
    raise UserError(
      f"--profile={folder} can't be written ({error.strerror}): name another "
      "folder"
    ) from error
  options = jax.profiler.ProfileOptions()
  # Each call of a Python function as an event: millions in a minute.
  options.python_tracer_level = 0
  with jax.profiler.trace(folder, profiler_options=options):
    yield


def span(name: str) -> contextlib.AbstractContextManager:
  """A bar named `name` over its block in a trace that is being taken."""
  return jax.profiler.TraceAnnotation(name)
