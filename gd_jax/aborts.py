# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A last line where JAX aborts the process because host 0 is gone.

Its client calls abort() from a thread of its own the moment host 0 dies. A
Python signal handler never runs then: abort() does not wait for the main
thread. A C one does, and may call Python.
"""

import ctypes
import os
import signal
import socket
from typing import Any

# C keeps no reference to it.
_kept: list[Any] = []
_told: list[bool] = []


def explain(coordinator: str, line: str) -> None:
  """From now on, an abort while `coordinator` is silent prints `line`.

  Any other abort is as it was.

  Args:
    coordinator: HOST:PORT.
    line: What is said of host 0.
  """
  host, _, port = coordinator.rpartition(":")

  def handle(number: int) -> None:
    try:
      socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
      if not _told:
        os.write(2, f"gd-jax: {line}\n".encode())
      os._exit(2)
    libc.signal(number, None)  # The default: abort() then ends the process.

  libc = ctypes.CDLL(None)
  handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(handle)
  _kept.append(handler)
  libc.signal(signal.SIGABRT, handler)


def told() -> None:
  """The user has been told already why this process ends."""
  _told.append(True)
