# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and Ctrl-C, heard between steps instead of in the middle of one."""

import signal
import types

_received: list[int] = []


class Stopped(Exception):
  """A loop has given up because it was asked to; what it saved stays."""


def install() -> None:
  """Remembers SIGTERM and SIGINT; a second SIGINT interrupts at once."""

  def remember(number: int, frame: types.FrameType | None) -> None:
    del frame
    if number == signal.SIGINT and _received:
      raise KeyboardInterrupt
    _received.append(number)

  signal.signal(signal.SIGTERM, remember)
  signal.signal(signal.SIGINT, remember)


def ask_to_stop() -> None:
  """Has the same effect as a SIGTERM."""
  _received.append(signal.SIGTERM)


def requested() -> bool:
  """Whether a signal asked this process to stop."""
  return bool(_received)


def check() -> None:
  """Raises `Stopped` where a loop has nothing left to save."""
  if requested():
    raise Stopped


def exit_code() -> int:
  """128 + the number of the signal that came first, as shells count."""
  return 128 + (_received[0] if _received else signal.SIGTERM)


def forget() -> None:
  """Clears what was received; for tests and notebooks."""
  _received.clear()
