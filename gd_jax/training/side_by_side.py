# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Many trainings on one machine: in one program, or in threads."""

import concurrent.futures
import threading
from collections.abc import (
  Callable,
  Collection,
  Hashable,
  Iterator,
  Mapping,
  Sequence,
)
from typing import Any

from gd_jax import signals

MODES = ("auto", "vmap", "sequential")
# Multiplications of a step's forward pass up to which S students gain by a
# `vmap` on a CPU: twice as fast at 3.6 million, half as fast at 80 million.
_SMALL_ON_CPU = 4_000_000


def choose_mode(mode: str, *, work: float, platform: str) -> str:
  """ "vmap" or "sequential" for config.students.mode, "auto" or either.

  On accelerators a step of a small model is launches, not arithmetic, and S
  students cost hardly more than one. On a CPU that holds only for tiny models:
  the others lose by the `vmap`, as S students' states leave the cache.

  Args:
    mode: The field.
    work: Parameters that work on a token, times the tokens of a batch.
    platform: JAX's name for it.

  Raises:
    ValueError: Another mode.
  """
  if mode not in MODES:
    raise ValueError(f"mode is one of {MODES}, not {mode!r}")
  if mode != "auto":
    return mode
  large = work > _SMALL_ON_CPU
  return "sequential" if platform == "cpu" and large else "vmap"


def groups(
  names: Sequence[str],
  done: Collection[str],
  *,
  together: bool,
  earlier: Sequence[Sequence[str]] = (),
  place: Callable[[str], Hashable] = lambda name: 0,
) -> list[list[str]]:
  """Which trainings share a program.

  The last bits of a student may depend on its neighbours, and the result must
  not depend on where a run was killed: a group that an earlier run began stays
  as it is, and is trained whole whenever any of it is missing.

  Args:
    names: Of all trainings that are wanted, in order.
    done: Those that need no training.
    together: One program for all of a place, or one for each.
    earlier: The groups of the runs before.
    place: Where a training is done: see `places`.

  Returns:
    Those that stay, and new ones of what is neither done nor in one of them.
  """
  wanted = {*names}
  found = [[*group] for group in earlier if wanted.issuperset(group)]
  grouped = {name for group in found for name in group}
  new = [name for name in names if name not in grouped and name not in done]
  keys = {name: place(name) if together else name for name in new}
  for key in dict.fromkeys(keys.values()):
    found.append([name for name in new if keys[name] == key])
  return found


def places(
  owners: Mapping[str, int], num_workers: int, *, are_devices: bool = True
) -> dict[str, tuple[int, int]]:
  """(host, device or 0) of each training, so that all devices have work.

  A host's trainings are one program over all of its devices where they divide
  by these, and else one on each device. The cores of a CPU do not share a
  program of small students well: each has one.

  Args:
    owners: Which host's each training is.
    num_workers: Devices or cores of one host.
    are_devices: Whether they are devices.
  """
  found = {}
  for host in {*owners.values()}:
    names = [name for name, owner in owners.items() if owner == host]
    divide = are_devices and not len(names) % num_workers
    parts = 1 if divide else num_workers
    found |= {name: (host, i % parts) for i, name in enumerate(names)}
  return found


def run_jobs(
  jobs: Sequence[Callable[[Callable[[], bool]], Any]],
  *,
  workers: int,
  stopping: Callable[[], bool] = signals.requested,
) -> Iterator[tuple[int, Any]]:
  """Runs jobs in threads and yields (index, result) as they end.

  One student's convolutions leave half of a small CPU idle; two programs of
  one thread each do not. Each job gets a function to poll: it says True when
  `stopping` does, or when another job has failed.
  """
  failed = threading.Event()

  def poll():
    return failed.is_set() or stopping()

  with concurrent.futures.ThreadPoolExecutor(workers) as pool:
    futures = {pool.submit(job, poll): i for i, job in enumerate(jobs)}
    try:
      for future in concurrent.futures.as_completed(futures):
        yield futures[future], future.result()
    except BaseException:
      failed.set()
      pool.shutdown(wait=False, cancel_futures=True)
      raise
