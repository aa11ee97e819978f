# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of README.md from results/.

Run: python experiments/student_speed/table.py
"""

import json
import pathlib
import re

_HERE = pathlib.Path(__file__).parent


def main() -> None:
  blocks = []
  for path in sorted((_HERE / "results").glob("*.json")):
    found = json.loads(path.read_text())
    blocks.append("\n".join([*_head(path.stem, found), *_rows(found)]))
  readme = _HERE / "README.md"
  filled = re.sub(
    r"(<!-- table: begin -->\n).*(<!-- table: end -->)",
    lambda match: match[1] + "\n\n".join(blocks) + "\n" + match[2],
    readme.read_text(),
    flags=re.DOTALL,
  )
  readme.write_text(filled)


def _head(name: str, found: dict) -> list[str]:
  machine = found["machine"]
  instructions = ", ".join(machine["instructions"])
  sizes = ", ".join(
    f"`{file}` {size:,} bytes" for file, size in found["model"].items()
  )
  versions = ", ".join(f"{k} {v}" for k, v in found["versions"].items())
  first = found["first_answer_cpu_seconds"]
  batch = found["batch"]
  return [
    f"**{name}**: one {machine['cpu']} core ({instructions}); {versions}. "
    f"{sizes}. First answer of a fresh process: {first['median']:.2f} "
    f"CPU-seconds ({first['min']:.2f} to {first['max']:.2f}).",
    "",
    f"| program | texts/s, one a call | p50, ms | p99, ms | texts/s, {batch} a "
    f"call | ms a call of {batch} |",
    "| --- | --- | --- | --- | --- | --- |",
  ]


def _rows(found: dict) -> list[str]:
  rows = []
  for name, one in found["batch 1"].items():
    many = found["large batch"][name]
    cells = [
      name,
      _spread(one["texts_per_cpu_second"]),
      f"{one['milliseconds']['p50']:.3g}",
      f"{one['milliseconds']['p99']:.3g}",
      _spread(many["texts_per_cpu_second"]) if many else "not run",
      _spread(many["milliseconds"]) if many else "",
    ]
    rows.append(f"| {' | '.join(cells)} |")
  for shape in ("BERT-base", "MiniLM"):
    rows += ["", _times_as_fast(found, shape)]
  return rows


def _times_as_fast(found: dict, shape: str) -> str:
  """How many times as fast each student is as a shape's best program."""
  said = [
    f"{student} {times['median']:.0f} ({times['min']:.0f} to "
    f"{times['max']:.0f}, against {other})"
    for student, (other, times) in slowest(found, shape).items()
  ]
  return f"One text a call, times as fast as {shape} at its fastest: " + (
    "; ".join(said) + "."
  )


def slowest(found: dict, shape: str) -> dict[str, tuple[str, dict]]:
  """{student: (a shape's best program, how many times as fast it is)}."""
  least: dict[str, tuple[str, dict]] = {}
  for student, one in found["batch 1"].items():
    for other, times in one["speedup_over"].items():
      best = least.get(student)
      if other.startswith(shape) and (
        best is None or times["median"] < best[1]["median"]
      ):
        least[student] = other, times
  return least


def _spread(values: dict) -> str:
  return f"{values['median']:,.4g} ({values['min']:,.4g}–{values['max']:,.4g})"


if __name__ == "__main__":
  main()
