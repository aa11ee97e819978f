# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of README.md from results/.

Run: python experiments/student_speed/table.py
"""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent


def main() -> None:
  blocks = []
  for path in sorted((HERE / "results").glob("*.json")):
    found = json.loads(path.read_text())
    blocks.append("\n".join([*_head(path.stem, found), *_rows(found)]))
  parity = sorted((HERE / "results" / "parity").glob("*.json"))
  readme = HERE / "README.md"
  text = _filled(readme.read_text(), "table", "\n\n".join(blocks))
  if parity:
    found = [json.loads(path.read_text()) for path in parity]
    text = _filled(text, "parity", "\n".join(_parity(found)))
  readme.write_text(text)


def _filled(text: str, name: str, block: str) -> str:
  return re.sub(
    rf"(<!-- {name}: begin -->\n).*(<!-- {name}: end -->)",
    lambda match: match[1] + block + "\n" + match[2],
    text,
    flags=re.DOTALL,
  )


def _parity(tasks: list[dict]) -> list[str]:
  lines = [
    "| task | seeds | rows | ONNX: largest difference, same argmax | "
    "StableHLO | int8: same argmax | accuracy, trained | accuracy, int8 |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
  ]
  same = total = 0
  for task in tasks:
    seeds = task["seeds"]
    read = task["rows"] * len(seeds)
    held = sum(seed["int8"]["same_argmax"] for seed in seeds)
    same, total = same + held, total + read
    cells = [
      task["task"],
      len(seeds),
      f"{task['rows']:,} ({task['evaluate_on']})",
      *(_exact(seeds, name, read) for name in ("onnx", "stablehlo")),
      f"{held / read:.2%}",
      _accuracy([seed["accuracy"] for seed in seeds]),
      _accuracy([seed["int8"]["accuracy"] for seed in seeds]),
    ]
    lines.append(f"| {' | '.join(map(str, cells))} |")
  said = f"int8 decides as the trained student on {same / total:.2%} of all"
  return [*lines, "", f"{said} {total:,} rows of all seeds pooled."]


def _exact(seeds: list[dict], name: str, read: int) -> str:
  largest = max(seed[name]["largest_difference"] for seed in seeds)
  same = sum(seed[name]["same_argmax"] for seed in seeds)
  return f"{largest:.1e}, {'all' if same == read else f'{same:,}'}"


def _accuracy(values: list[float]) -> str:
  return f"{100 * sum(values) / len(values):.2f}"


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
