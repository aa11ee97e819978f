# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of README.md from results/*.json.

Run: python experiments/generation_throughput/table.py
"""

import json
import pathlib
from typing import Any

HERE = pathlib.Path(__file__).parent
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def _markdown(lines: list[list[str]]) -> str:
  lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
  return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _spread(value: dict[str, float], form: str) -> str:
  median, low, high = (
    format(value[name], form) for name in ("median", "min", "max")
  )
  return f"{median} ({low} to {high})"


def rates(name: str, found: dict[str, Any]) -> list[list[str]]:
  """A line for each program and mode of one result."""
  setting, lines = found["setting"], []
  modes = {"fixed": "fixed", "useful": "ends by itself"}
  for mode, words in modes.items():
    for program, row in found.get(mode, {}).items():
      lines.append(
        [
          name,
          str(setting["batch"]),
          words,
          program,
          _spread(row["tokens_per_second"], ",.0f"),
          _spread(row["gd_jax_over_it"], ".2f"),
        ]
      )
  for program in found.get("not_run", {}):
    lines.append([name, str(setting["batch"]), "", program, "fails here", ""])
  return lines


def parts(name: str, found: dict[str, Any]) -> list[str]:
  """One line on a step's parts, slots and rows."""
  share = found["sampler_share"]
  over_head = found["sampler_over_head"]
  sorting = over_head["top_p by sorting"] / over_head["top_p"]
  equal, refill = found.get("equal_rows"), found.get("refill_over_static")
  return [
    name,
    str(found["setting"]["batch"]),
    f"{found['step_over_gemm_floor']:.2f}",
    *(f"{100 * share[kind]:.1f}%" for kind in ("pure", "top_k", "top_p")),
    f"{over_head['top_p']:.2f}",
    f"{sorting:.1f}",
    f"{refill['median']:.2f}" if refill else "not run",
    f"{found['slot_use']:.3f}" if "slot_use" in found else "not run",
    f"{equal['share']:.4f} of {equal['rows']}" if equal else "not run",
    str(found["recompiles"]),
  ]


def hardware(name: str, found: dict[str, Any]) -> str:
  """One line on what a result was measured on."""
  device, versions = found["device"], found["versions"]
  packages = ", ".join(f"{key} {value}" for key, value in versions.items())
  instructions = " ".join(device.get("instructions", ()))
  return (
    f"- {name}: {device.get('cpu', device['kind'])} ({instructions}),"
    f" {device['cores']} cores; {found['setting']['rounds']} rounds;"
    f" {packages}\n"
  )


def tables() -> str:
  """All of it in Markdown."""
  files = sorted((HERE / "results").glob("*.json"))
  found = {file.stem: json.loads(file.read_text()) for file in files}
  found = {name: each for name, each in found.items() if "fixed" in each}
  head = ["result", "rows at a time", "lengths", "program"]
  head += ["tokens per CPU-second", "gd_jax is so many times as fast"]
  lines = [line for item in found.items() for line in rates(*item)]
  steps = ["result", "rows at a time", "step / matrix products", "pure"]
  steps += ["top_k", "top_p", "top_p / head", "sorting / top_p"]
  steps += [
    "refill / static",
    "slot use",
    "equal rows at a quarter of the slots",
  ]
  steps += ["recompiles"]
  return "\n".join(
    [
      _markdown([head, *lines]),
      _markdown([steps, *(parts(*item) for item in found.items())]),
      "".join(hardware(*item) for item in found.items()),
    ]
  )


def main() -> None:
  """Puts the tables between the marks in README.md."""
  readme = HERE / "README.md"
  before, rest = readme.read_text().split(BEGIN)
  _, after = rest.split(END)
  readme.write_text(before + BEGIN + "\n" + tables() + "\n" + END + after)


if __name__ == "__main__":
  main()
