# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The most memory that a piece of work takes: what a plan is compared with."""

import pathlib
import resource
import sys
from collections.abc import Callable
from typing import Any

from gd_jax import devices

_STATUS, _RESET = "/proc/self/status", "/proc/self/clear_refs"


def counted(run: Callable[..., dict[str, Any]]) -> Callable:
  """As `run`, which returns counts, with the memory it took among them.

  That is "memory": {"platform", "kind" and "num_devices" of all hosts' devices,
  "before": bytes in use when it began, "peak": bytes}, or nothing where it
  can't be told: an earlier work took more.
  """

  def call(*args):
    peak = _Peak()
    found = run(*args)
    return found | peak.taken()

  return call


class _Peak:
  """The highest use of memory from when it is made until `taken` is called.

  On accelerators that of this host's first device, by its allocator; elsewhere
  this process', libraries and compiler included.
  """

  def __init__(self):
    self._highest, self._before = self._begin()

  def _begin(self) -> tuple[int, int]:
    """(the highest so far, bytes in use), as the work begins."""
    stats = self._stats()
    if stats:
      return stats["peak_bytes_in_use"], stats["bytes_in_use"]
    try:
      # Linux forgets the highest on demand.
      pathlib.Path(_RESET).write_text("5")
      return 0, _highest_of_process()
    except OSError:
      highest = _highest_of_process()
      return highest, highest

  def _stats(self) -> dict[str, Any] | None:
    found = devices.local_devices()[0].memory_stats()
    return found if found and "peak_bytes_in_use" in found else None

  def taken(self) -> dict[str, Any]:
    stats = self._stats()
    peak = stats["peak_bytes_in_use"] if stats else _highest_of_process()
    if peak <= self._highest:
      return {}
    return {
      "memory": {
        "platform": devices.platform(),
        "kind": devices.kind(),
        "num_devices": devices.number(),
        "before": self._before,
        "peak": peak,
      }
    }


def _highest_of_process() -> int:
  """Bytes that it has had in memory at most."""
  try:
    lines = pathlib.Path(_STATUS).read_text().splitlines()
    return 1024 * int(
      next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    )
  except (OSError, StopIteration):
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
