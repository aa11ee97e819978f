# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/TASK.json.

Run: python experiments/low_data/table.py [WORKDIR ...]

The results of the workdirs named are taken into results/ first.
"""

import json
import pathlib
import sys
from typing import Any

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia")
ARMS = ("teacher", "tfidf", "gold", "kd", "gd_hard", "gd")
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def take(workdir: pathlib.Path) -> None:
  """Copies a run's numbers into results/, without where its data lay."""
  file = workdir / "report" / "results.json"
  if not file.exists():
    print(f"{workdir} has no report: name a finished run", file=sys.stderr)
    sys.exit(2)
  result = json.loads(file.read_text())
  for field in ("dir", "folder", "cache_dir"):
    result["config"]["data"][field] = None
  text = json.dumps(result, indent=2, sort_keys=True) + "\n"
  (HERE / "results" / f"{result['task']}.json").write_text(text)


def row(task: str) -> list[str]:
  """The cells of one task; a task without a result says so."""
  file = HERE / "results" / f"{task}.json"
  if not file.exists():
    return [task, "not run", *[""] * (2 + len(ARMS))]
  result = json.loads(file.read_text())
  cells = [
    task,
    f"{result['num_evaluated']:,} ({result['evaluate_on']})",
    f"{result['num_labelled']:,}",
    f"{result['num_synthetic']:,}",
  ]
  for arm in ARMS:
    if arm not in result["arms"]:
      cells.append("not run")
      continue
    cell = accuracy(result, arm)
    if result["arms"][arm]["accuracy"]["std"] is not None:
      seeds = len(result["arms"][arm]["accuracy"]["per_seed"])
      cell += f" ({seeds} seeds)"
    cells.append(cell)
  return cells


def accuracy(result: dict[str, Any], arm: str) -> str:
  """The mean in per cent and, of several seeds, their standard deviation."""
  found = result["arms"][arm]["accuracy"]
  cell = f"{100 * found['mean']:.1f}"
  if found["std"] is not None:
    cell += f" ± {100 * found['std']:.1f}"
  return cell


def table() -> str:
  """The whole table in Markdown."""
  head = ["task", "rows", "labelled", "generated", *ARMS]
  lines = [head, ["---"] * len(head), *map(row, TASKS)]
  return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
  """Takes new results in and puts the table between the README's marks."""
  for workdir in sys.argv[1:]:
    take(pathlib.Path(workdir))
  readme = HERE / "README.md"
  before, rest = readme.read_text().split(BEGIN)
  _, after = rest.split(END)
  readme.write_text(before + BEGIN + table() + END + after)


if __name__ == "__main__":
  main()
