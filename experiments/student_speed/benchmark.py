# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast the exported student answers on one core, beside larger models.

Run: python experiments/student_speed/benchmark.py --model=WORKDIR/export \
  --out=experiments/student_speed/results/NAME.json
PyTorch and its ONNX export are compared where `pip install -e .[parity]` has
been; without it the teachers run in JAX alone.
"""

import argparse
import csv
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata

# Before anything makes a pool of threads.
if hasattr(os, "sched_setaffinity"):
  os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["OMP_NUM_THREADS"] = "1"

import programs

import gd_jax

_DATA = pathlib.Path(gd_jax.__file__).parent / "data" / "quickstart"
_PACKAGES = ("jax", "onnxruntime", "torch", "scikit-learn", "tokenizers")
_LEAST_TEXTS = 24
_ONCE = """
import gd_jax, sys, time
gd_jax.load(sys.argv[1])("how tall is it?")
assert "jax" not in sys.modules
print(time.process_time())
"""


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--model", type=export, required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--rounds", type=int, default=7)
  parser.add_argument("--large_rounds", type=int, default=3)
  parser.add_argument("--large_batch", type=int, default=256)
  parser.add_argument("--large_limit", type=float, default=60)
  flags = parser.parse_args()
  found = {
    "texts": "the quickstart's test texts",
    "model": {
      path.name: path.stat().st_size
      for path in sorted(flags.model.glob("model.*"))
      if path.suffix != ".md"
    },
    "first_answer_cpu_seconds": first_answers(flags.model),
  }
  texts, labels = rows()
  compared = programs.students(flags.model)
  compared |= programs.baselines(texts, labels)
  for name in programs.SHAPES:
    compared |= programs.teachers(flags.model, name)
  found["batch 1"] = singly(compared, texts, flags.rounds)
  found["batch"] = flags.large_batch
  batch = (texts * flags.large_batch)[: flags.large_batch]
  found["large batch"] = together(
    compared, batch, flags.large_rounds, flags.large_limit
  )
  found |= {"machine": machine(), "versions": versions()}
  flags.out.write_text(json.dumps(found, indent=1) + "\n")


def export(text: str) -> pathlib.Path:
  """A folder WORKDIR/export.

  Raises:
    ArgumentTypeError: It is none.
  """
  folder = pathlib.Path(text)
  if not (folder / "labels.json").exists():
    raise argparse.ArgumentTypeError(f"{text} is no folder WORKDIR/export")
  return folder


def rows() -> tuple[list[str], list[str]]:
  """(texts, labels) of the embedded test set, in an order of no meaning."""
  with (_DATA / "test.tsv").open(encoding="utf-8") as file:
    read = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
  read.sort(key=lambda row: hash_of(row["text"]))
  return [row["text"] for row in read], [row["label"] for row in read]


def hash_of(text: str) -> int:
  return programs.zlib.crc32(text.encode())


def first_answers(model: pathlib.Path) -> dict[str, float]:
  """Of fresh processes, from the interpreter's start to the first answer.

  Modules are compiled to bytecode by a first process, as an installed
  program's are, whatever PYTHONDONTWRITEBYTECODE says here.
  """
  environment = dict(os.environ)
  environment.pop("PYTHONDONTWRITEBYTECODE", None)
  command = [sys.executable, "-c", _ONCE, str(model)]
  with tempfile.TemporaryDirectory() as bytecode:
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    seconds = [
      float(subprocess.check_output(command, text=True, env=environment))
      for _ in range(8)
    ]
  return spread(seconds[1:])


def singly(compared, texts, rounds: int) -> dict[str, dict]:
  """One text a call. All programs take turns, so that a slow minute of the
  machine falls on all of them."""
  rates = {name: [] for name in compared}
  latencies = {name: [] for name in compared}
  # A slow program reads fewer texts a round: the same ones, from the first.
  counts = {}
  for name, program in compared.items():
    program(texts[:1])
    seconds = min(timed(program, texts[:1]) for _ in range(5))
    counts[name] = int(min(max(0.5 / seconds, _LEAST_TEXTS), len(texts)))
    for text in texts[: counts[name]]:  # lengths that are compiled for
      program([text])
  for _ in range(rounds):
    for name, program in compared.items():
      each = [timed(program, [text]) for text in texts[: counts[name]]]
      latencies[name] += [1000 * seconds for seconds in each]
      rates[name].append(len(each) / sum(each))
  return {
    name: {
      "texts_per_cpu_second": spread(rates[name]),
      "milliseconds": {
        "p50": float(f"{quantile(latencies[name], 0.5):.4g}"),
        "p99": float(f"{quantile(latencies[name], 0.99):.4g}"),
      },
      "speedup_over": {
        other: spread(
          [a / b for a, b in zip(rates[name], rates[other], strict=True)]
        )
        for other in compared
        if name.startswith("student") and not other.startswith("student")
      },
    }
    for name in compared
  }


def together(
  compared, batch, rounds: int, limit: float
) -> dict[str, dict | None]:
  """The whole batch in one call; None where one takes too many seconds."""
  slow = {
    name
    for name, program in compared.items()
    if len(batch) / 8 * min(timed(program, batch[:8]) for _ in range(2)) > limit
  }
  seconds = {name: [] for name in compared if name not in slow}
  for number in range(rounds + 1):
    for name in seconds:
      spent = timed(compared[name], batch)
      if number:  # the first compiles
        seconds[name].append(spent)
  return {
    name: None
    if name in slow
    else {
      "texts_per_cpu_second": spread([len(batch) / s for s in seconds[name]]),
      "milliseconds": spread([1000 * s for s in seconds[name]]),
    }
    for name in compared
  }


def timed(program, texts) -> float:
  """CPU-seconds of a call. Everything has one thread and one core: with the
  core to itself a call takes as long, and with others on it this still counts
  its own time alone."""
  start = time.process_time()
  program(texts)
  return time.process_time() - start


def quantile(values: list[float], share: float) -> float:
  return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def spread(values: list[float]) -> dict[str, float]:
  """Median, least and greatest."""
  found = statistics.median(values), min(values), max(values)
  return {
    name: float(f"{value:.4g}")
    for name, value in zip(("median", "min", "max"), found, strict=True)
  }


def machine() -> dict[str, object]:
  """What it ran on, in general words."""
  cpuinfo = pathlib.Path("/proc/cpuinfo")
  flags = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
  known = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16")
  return {
    "cpu": platform.machine(),
    "instructions": [name for name in known if name in flags],
    "cores_used": len(os.sched_getaffinity(0)),
  }


def versions() -> dict[str, str]:
  found = {"python": platform.python_version()}
  for package in _PACKAGES:
    try:
      found[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
      continue
  return found


if __name__ == "__main__":
  main()
