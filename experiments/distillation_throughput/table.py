# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/*.json.

Run: python -m experiments.distillation_throughput.table
"""

import json
import pathlib

from experiments.paper import readme

HERE = pathlib.Path(__file__).parent
_ROUNDED = "finetuning with matmul_dtype=bfloat16"
# Of a file that has none of them, or none but them, no others are looked for.
_OF_AMX = ("float32_", "autocast_")
# (name, in words, goal)
ROWS = (
  ("torch", "student step, time over PyTorch's", "at most 0.9"),
  ("torch_teacher", "MiniLM finetuning, time over PyTorch's", "at most 1.3"),
  ("torch_generator", "GPT-2 finetuning, time over PyTorch's", "at most 1.1"),
  ("float32_teacher", f"MiniLM {_ROUNDED}, time over float32's", "none"),
  ("autocast_teacher", f"MiniLM {_ROUNDED}, time over PyTorch's", "none"),
  ("float32_generator", f"GPT-2 {_ROUNDED}, time over float32's", "none"),
  ("autocast_generator", f"GPT-2 {_ROUNDED}, time over PyTorch's", "none"),
  (
    "sequential_small_if_vmapped",
    "small students vmapped, speed over one by one",
    "at least 1.4",
  ),
  (
    "sequential_middle_if_vmapped",
    "students of middle size vmapped, speed over one by one",
    "auto does not on a CPU",
  ),
  (
    "sequential_if_vmapped",
    "default students vmapped, speed over one by one",
    "auto does not on a CPU",
  ),
  ("sequential_small", "small students by auto", "at least 0.95"),
  ("sequential_middle", "students of middle size by auto", "at least 0.95"),
  ("sequential", "default students by auto", "at least 0.95"),
)


def lines(results: pathlib.Path) -> list[list[str]]:
  """A row for each ratio of each file."""
  found = [["machine", "what", "median", "least to most", "rounds", "goal"]]
  for file in sorted(results.glob("*.json")):
    made = json.loads(file.read_text())
    machine = made["machine"]
    where = machine["kind"]
    if machine["platform"] == "cpu":
      where = f"one core of a CPU ({machine['cpu']})"
    kinds = {name.startswith(_OF_AMX) for name in made["ratio"]}
    for name, words, goal in ROWS:
      if name.startswith(_OF_AMX) not in kinds:
        continue
      if name not in made["ratio"]:
        found.append([where, words, readme.NOT_RUN, "", "", goal])
        continue
      if name.startswith("sequential"):
        words = f"{made['students']} {words}"
      spread = f"{made['min'][name]:.2f} to {made['max'][name]:.2f}"
      rounds = str(made["rounds"][name])
      cell = f"{made['ratio'][name]:.2f}"
      found.append([where, words, cell, spread, rounds, goal])
  return found


def main() -> None:
  """Fills the table."""
  readme.fill(HERE / "README.md", "table", lines(HERE / "results"))


if __name__ == "__main__":
  main()
