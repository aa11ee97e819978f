# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What may befall stdout: a reader that has enough, an encoding too small."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator


def escape_unknown_characters() -> None:
  """What stdout's encoding lacks is printed as an escape, as stderr does it.

  A run of hours must not end at the "±" of its table where LC_ALL is C.
  """
  if isinstance(sys.stdout, io.TextIOWrapper):
    sys.stdout.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
  """What is printed below goes nowhere once nobody reads it any more."""
  try:
    yield
    if sys.stdout is not None:
      sys.stdout.flush()
  except BrokenPipeError:
    close_stdout()


def flush_or_close() -> None:
  """Flushes stdout, if that is possible; why it isn't was said before."""
  try:
    if sys.stdout is not None:
      sys.stdout.flush()
  except OSError:
    close_stdout()


def close_stdout() -> None:
  """Sends stdout nowhere, so that Python's own flush at exit can't fail."""
  nowhere = os.open(os.devnull, os.O_WRONLY)
  os.dup2(nowhere, sys.stdout.fileno())
  os.close(nowhere)
