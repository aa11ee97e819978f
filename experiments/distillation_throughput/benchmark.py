# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training steps against PyTorch's, and many students against one by one.

Run: python experiments/distillation_throughput/benchmark.py --students=16 \
  --out=experiments/distillation_throughput/results/cpu.json
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import Any

# Before JAX and PyTorch count the cores: one core, one thread in each.
if hasattr(os, "sched_setaffinity"):
  os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import ours

# At the end of the name of a step with matmul_dtype=bfloat16.
_ROUNDED = "_bfloat16"
_DEFAULT = {"student": 15, "sequential": 5, "teacher": 5, "generator": 3}
# The others are for CPUs with AMX; one has to ask for them.
_ROUNDS = _DEFAULT | {f"teacher{_ROUNDED}": 5, f"generator{_ROUNDED}": 3}


def measure(
  only: Sequence[str], *, students: int, rounds: int | None, tiny: bool
) -> Iterator[dict[str, Any]]:
  """Yields, after each comparison, all ratios so far and their spread.

  Args:
    only: Of "student", "teacher", "generator" (a step's time over PyTorch's)
      and "sequential" (many students' speed over one by one); of
      "teacher_bfloat16" and "generator_bfloat16" (a step's time with
      matmul_dtype over that without, and over PyTorch's under autocast).
    students: How many students side by side.
    rounds: Of every comparison; None: more for the faster ones.
    tiny: Shrink every model, to see that the programs run.
  """
  found: dict[str, list[float]] = {}
  seconds: dict[str, float] = {}
  for what in only:
    times = rounds or _ROUNDS[what]
    if what == "sequential":
      _side_by_side(students, times, tiny, found, seconds)
    elif what.endswith(_ROUNDED):
      _with_rounded_products(what, times, tiny, found, seconds)
    else:
      _against_torch(what, times, tiny, found, seconds)
    yield {
      "ratio": {
        name: rounded(statistics.median(values))
        for name, values in found.items()
      },
      "min": {name: rounded(min(values)) for name, values in found.items()},
      "max": {name: rounded(max(values)) for name, values in found.items()},
      "rounds": {name: len(values) for name, values in found.items()},
      "seconds": {name: rounded(value) for name, value in seconds.items()},
      "students": students,
      "machine": machine(),
    }


def _side_by_side(students, times, tiny, found, seconds) -> None:
  for name, size in ours.sizes(tiny=tiny).items():
    mode, (one, vmapped) = ours.side_by_side(size, num_students=students)
    auto = vmapped if mode == "vmap" else one
    one_by_one, together, as_auto = alternate((one, vmapped, auto), times)
    found[name] = divided(one_by_one, as_auto)
    found[f"{name}_if_vmapped"] = divided(one_by_one, together)
    seconds[f"{name}, one by one"] = statistics.median(one_by_one)


def _against_torch(what, times, tiny, found, seconds) -> None:
  # Late, because PyTorch is not needed for the comparison above.
  import peers

  steps = ours.STEPS[what](tiny=tiny), peers.STEPS[what](tiny=tiny)
  mine, theirs = alternate(steps, times)
  name = "torch" if what == "student" else f"torch_{what}"
  found[name] = divided(mine, theirs)
  seconds[what] = statistics.median(mine)
  seconds[f"{what} of torch"] = statistics.median(theirs)


def _with_rounded_products(what, times, tiny, found, seconds) -> None:
  import peers

  model = what.removesuffix(_ROUNDED)
  steps = (
    ours.STEPS[model](tiny=tiny, matmul_dtype="bfloat16"),
    ours.STEPS[model](tiny=tiny),
    peers.STEPS[model](tiny=tiny, autocast=True),
  )
  mine, plain, theirs = alternate(steps, times)
  found[f"float32_{model}"] = divided(mine, plain)
  found[f"autocast_{model}"] = divided(mine, theirs)
  seconds[what] = statistics.median(mine)
  seconds[f"{model}, float32"] = statistics.median(plain)
  seconds[f"{model} of torch, autocast"] = statistics.median(theirs)


def alternate(
  steps: Sequence[Callable[[], Any]], rounds: int
) -> list[list[float]]:
  """Seconds of each step in each round; a first round, not counted, compiles.

  In turn, so that a slow minute of the machine falls on all of them, and each
  round begins with another one: who follows a step that fills the caches with
  its own starts slower.
  """
  seconds: list[list[float]] = [[] for _ in steps]
  for number in range(rounds + 1):
    for place in range(len(steps)):
      which = (number + place) % len(steps)
      start = _clock()
      steps[which]()
      if number:
        seconds[which].append(_clock() - start)
  return seconds


def _clock() -> float:
  """CPU-seconds; on an accelerator seconds."""
  if jax.default_backend() == "cpu":
    return time.process_time()
  return time.perf_counter()


def divided(one: Sequence[float], other: Sequence[float]) -> list[float]:
  """Round by round."""
  return [a / b for a, b in zip(one, other, strict=True)]


def rounded(value: float) -> float:
  return float(f"{value:.3g}")


def names(text: str) -> list[str]:
  """The comparisons that --only names.

  Raises:
    ArgumentTypeError: One of them is unknown.
  """
  found = text.split(",")
  for name in found:
    if name not in _ROUNDS:
      raise argparse.ArgumentTypeError(
        f"{name!r} is none of {', '.join(_ROUNDS)}"
      )
  return found


def machine() -> dict[str, Any]:
  """What it ran on, in general words."""
  cpuinfo = pathlib.Path("/proc/cpuinfo")
  flags = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
  packages = ("jax", "flax", "optax", "torch", "transformers")
  wide = {"avx512f": ", AVX-512", "amx_bf16": ", AMX"}
  return {
    "platform": jax.default_backend(),
    "kind": jax.devices()[0].device_kind,
    "cpu": platform.machine()
    + "".join(words for flag, words in wide.items() if flag in flags),
    "threads": 1,
    "versions": {name: metadata.version(name) for name in packages},
  }


if __name__ == "__main__":
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--students", type=int, default=16)
  parser.add_argument("--only", type=names, default=list(_DEFAULT))
  parser.add_argument("--rounds", type=int, default=None)
  parser.add_argument("--tiny", action="store_true")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  args.out.parent.mkdir(parents=True, exist_ok=True)
  for made in measure(
    args.only,
    students=args.students,
    rounds=args.rounds,
    tiny=args.tiny,
  ):
    args.out.write_text(json.dumps(made, indent=1) + "\n")
    print(made["ratio"], flush=True)
