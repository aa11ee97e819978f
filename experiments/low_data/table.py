# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/TASK.json.

Run: python experiments/low_data/table.py
"""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia")
ARMS = ("teacher", "tfidf", "gold", "kd", "gd_hard", "gd")
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


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
    accuracy = result["arms"][arm]["accuracy"]
    cell = f"{100 * accuracy['mean']:.1f}"
    if accuracy["std"] is not None:
      seeds = len(accuracy["per_seed"])
      cell += f" ± {100 * accuracy['std']:.1f} ({seeds} seeds)"
    cells.append(cell)
  return cells


def table() -> str:
  """The whole table in Markdown."""
  head = ["task", "rows", "labelled", "generated", *ARMS]
  lines = [head, ["---"] * len(head), *map(row, TASKS)]
  return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
  """Puts the table between the marks in README.md."""
  readme = HERE / "README.md"
  before, rest = readme.read_text().split(BEGIN)
  _, after = rest.split(END)
  readme.write_text(before + BEGIN + table() + END + after)


if __name__ == "__main__":
  main()
