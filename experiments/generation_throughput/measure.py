# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Times in CPU-seconds and in seconds, of programs run in alternation."""

import dataclasses
import os
import pathlib
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import jax

_PACKAGES = ("jax", "jaxlib", "torch", "transformers", "ctranslate2", "numpy")
_INSTRUCTIONS = (
  "avx2",
  "avx512f",
  "avx512_vnni",
  "avx512_bf16",
  "amx_bf16",
)


@dataclasses.dataclass(frozen=True)
class Work:
  """What one run of a program did: tokens drawn for texts, and steps."""

  tokens: int
  steps: int | None = None


@dataclasses.dataclass(frozen=True)
class Run:
  """One timed run. `cpu` and `wall` are seconds."""

  work: Work
  cpu: float
  wall: float

  def rate(self) -> float:
    """Tokens per CPU-second; on an accelerator per second."""
    return self.work.tokens / self.seconds()

  def seconds(self) -> float:
    """CPU-seconds; on an accelerator seconds."""
    return self.cpu if jax.default_backend() == "cpu" else self.wall


Program = Callable[[], Work]


def one_thread() -> None:
  """Pins this process to one core: every thread pool made later has one
  thread. To be called before any model is made."""
  if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def timed(program: Program) -> Run:
  """Runs it once. What it needs must be compiled already."""
  cpu, wall = time.process_time(), time.perf_counter()
  work = program()
  return Run(work, time.process_time() - cpu, time.perf_counter() - wall)


def alternate(
  programs: Mapping[str, Program], rounds: int
) -> dict[str, list[Run]]:
  """Runs all programs in turn, `rounds` times, so that a slow minute of the
  machine falls on all of them."""
  runs: dict[str, list[Run]] = {name: [] for name in programs}
  for _ in range(rounds):
    for name, program in programs.items():
      runs[name].append(timed(program))
  return runs


def spread(values: list[float]) -> dict[str, float]:
  """Median, least and greatest."""
  found = statistics.median(values), min(values), max(values)
  return {
    name: float(f"{value:.4g}")
    for name, value in zip(("median", "min", "max"), found, strict=True)
  }


def ratios(ours: list[Run], theirs: list[Run]) -> dict[str, float]:
  """How many times as many tokens a second, round by round."""
  pairs = zip(ours, theirs, strict=True)
  return spread([one.rate() / other.rate() for one, other in pairs])


def device() -> dict[str, Any]:
  """What the programs ran on, in general words."""
  found: dict[str, Any] = {
    "platform": jax.default_backend(),
    "kind": jax.devices()[0].device_kind,
    "cores": os.cpu_count(),
    "threads": len(os.sched_getaffinity(0))
    if hasattr(os, "sched_getaffinity")
    else None,
  }
  cpuinfo = pathlib.Path("/proc/cpuinfo")
  if cpuinfo.exists():
    text = cpuinfo.read_text()
    name = re.search(r"model name\s*: (.*)", text)
    found["cpu"] = name[1] if name else platform.machine()
    flags = set(text.split())
    found["instructions"] = [i for i in _INSTRUCTIONS if i in flags]
  return found


def versions() -> dict[str, str]:
  """The versions of what was compared, as far as it is installed."""
  found = {"python": platform.python_version()}
  for package in _PACKAGES:
    try:
      found[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
      continue
  return found
