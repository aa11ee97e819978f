# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One writer at a time where the file system has no locks: a bucket.

A lease is a small file that its holder writes anew every few seconds. It is a
best effort: two that start within the same second and see each other's files
late may both go on; each notices at its next heartbeat, and one stops.
"""

import contextlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from etils import epath

from gd_jax import atomic, signals
from gd_jax.errors import InUseError

NAME = ".lease.json"
BEAT_SECONDS = 15.0
# A lease that has not been written for so long is a dead process's.
STALE_SECONDS = 90.0


class Lease:
  """A lease on a folder; `take`, then `beat` until `give_back`."""

  def __init__(
    self,
    folder: epath.Path,
    *,
    option: str = "--workdir",
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
  ):
    self._path, self._option = folder / NAME, option
    self._clock, self._sleep = clock, sleep
    self._token = secrets.token_hex(8)

  def take(self) -> None:
    """Makes the lease ours.

    Raises:
      InUseError: another process holds it and has written it of late.
    """
    found = self._read()
    if found and self._is_alive(found):
      raise InUseError(self._refusal(found))
    self._write()
    self._sleep(1.0)  # Whoever wrote at the same moment is seen by now.
    found = self._read()
    if found and found["token"] != self._token:
      raise InUseError(self._refusal(found))

  def beat(self) -> bool:
    """Writes the lease anew; False, and nothing is written, if it was lost."""
    found = self._read()
    if found and found["token"] != self._token and self._is_alive(found):
      return False
    self._write()
    return True

  def give_back(self) -> None:
    """Removes the lease, if it is still ours."""
    found = self._read()
    if found and found["token"] == self._token:
      self._path.unlink(missing_ok=True)

  def _is_alive(self, found: dict[str, Any]) -> bool:
    # Either way: a clock that jumped back must not make a lease eternal.
    return abs(self._clock() - found["time"]) < STALE_SECONDS

  def _read(self) -> dict[str, Any] | None:
    try:
      found = json.loads(self._path.read_text())
      return {
        "token": str(found["token"]),
        "holder": str(found["holder"]),
        "time": float(found["time"]),
      }
    except (OSError, ValueError, KeyError, TypeError):
      return None

  def _write(self) -> None:
    holder = f"{os.getpid()} on {platform.node()}"
    found = {"token": self._token, "holder": holder, "time": self._clock()}
    atomic.put(self._path, json.dumps(found).encode())

  def _refusal(self, found: dict[str, Any]) -> str:
    ago = max(self._clock() - found["time"], 0)
    return (
      f"{self._path.parent} is in use by process {found['holder']}, heard of"
      f" {ago:.0f} s ago: stop it, choose another {self._option}, or, if it is"
      f" dead, wait until {STALE_SECONDS:.0f} s have passed"
    )


@contextlib.contextmanager
def hold(folder: epath.Path, *, option: str = "--workdir") -> Iterator[None]:
  """Holds a lease on `folder`, with a heartbeat in a thread.

  If it is lost, or can't be written for so long that another may take it, the
  run is asked to stop as by SIGTERM.

  Args:
    folder: Which.
    option: What names it.

  Raises:
    InUseError: another process holds it.
  """
  lease, ended = Lease(folder, option=option), threading.Event()
  lease.take()

  def work():
    last = time.monotonic()
    while not ended.wait(BEAT_SECONDS):
      try:
        kept, last = lease.beat(), time.monotonic()
      except Exception:  # A bucket's errors are of many kinds, few an OSError.
        # The network may be back at the next beat, if there may be one.
        kept = time.monotonic() - last < STALE_SECONDS - BEAT_SECONDS
      if not kept:
        signals.ask_to_stop()
        return

  beating = threading.Thread(target=work, daemon=True)
  beating.start()
  try:
    yield
  finally:
    ended.set()
    beating.join()
    # Whatever ends the run is to be told, not that the bucket is out of reach;
    # a lease that stays grows stale by itself.
    with contextlib.suppress(Exception):
      lease.give_back()
