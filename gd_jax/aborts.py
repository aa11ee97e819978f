# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The last line of a process among several, said once, and even by an abort.

Where host 0 is gone, JAX ends the process without a word to the user: its
client calls abort() from a thread of its own the moment host 0 dies. A
Python signal handler never runs then: abort() does not wait for the main
thread. A C one does, and may call Python.
"""

import ctypes
import os
import signal
import socket
import threading
from typing import Any

# C keeps no reference to it.
_kept: list[Any] = []
# Taken by the thread that tells the user why the process ends.
_telling = threading.Lock()


def explain(coordinator: str, line: str, *, code: int) -> None:
  """From now on, an abort while `coordinator` is silent prints `line`.

  Any other abort is as it was.

  Args:
    coordinator: HOST:PORT.
    line: What is said of host 0.
    code: What the process exits with.
  """
  host, _, port = coordinator.rpartition(":")

  def handle(number: int) -> None:
    try:
      socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
      tell(line)
      os._exit(code)
    libc.signal(number, None)  # The default: abort() then ends the process.

  libc = ctypes.CDLL(None)
  handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(handle)
  _kept.append(handler)
  libc.signal(signal.SIGABRT, handler)


def tell(line: str) -> None:
  """Prints why this process ends, unless the user has been told."""
  if told():
    os.write(2, f"gd-jax: {line}\n".encode())


def told() -> bool:
  """From now on the user counts as told; whether that is new."""
  return _telling.acquire(blocking=False)
