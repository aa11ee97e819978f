# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws what is in results/: NAME.svg for each sweep that has runs.

Run: python -m experiments.paper.plot
"""

import pathlib
from typing import Any

from etils import epath

from experiments.paper import stored, table
from gd_jax.reporting import drawing, sweep_figure

HERE = pathlib.Path(__file__).parent
SWEEPS = ("tier1", "tier2", *table.ABLATIONS)
_TITLE = (
  "{}accuracy, % of {} texts.\nSmall marks are draws, each the mean of its "
  "students,\nand whiskers their std; an arm without them has one draw.\n"
  "A hollow mark has fewer draws than others of its row."
)


def points(folder: pathlib.Path) -> list[tuple[dict[str, Any], Any]]:
  """A sweep's runs as `sweep_figure` has them, the task one of their fields.

  Of an arm they have the mean over seeds alone, for no more is collected.
  """
  found = []
  for task in table.TASKS:
    for run in stored.load(folder / task):
      means = {
        arm: float(rows.mean()) / run["seeds"][arm]
        for arm, rows in run["rows"].items()
      }
      arms = {
        arm: {"accuracy": {"mean": mean, "per_seed": [mean]}}
        for arm, mean in means.items()
      }
      point = {"task": task, **run["change"], "data.seed": run["draw"]}
      results = {
        "task": task,
        "evaluate_on": run["evaluate_on"],
        "config": {"data": {"seed": run["draw"]}},
        "arms": arms,
      }
      found.append((point, results))
  return found


def _subject(found: list[tuple[dict[str, Any], Any]]) -> str:
  """What all runs have alike, which no row tells: "trec: ", say, or nothing."""
  alike = [
    str(value) if name == "task" else f"{name}={value}"
    for name, value in found[0][0].items()
    if name != "data.seed"
    and all(point.get(name, ...) == value for point, _ in found)
  ]
  return ", ".join(alike) + ": " if alike else ""


def write(results: pathlib.Path) -> list[str]:
  """Writes NAME.svg for each sweep with runs; returns the names."""
  written = []
  for name in SWEEPS:
    found = points(results / name)
    if not found:
      continue
    splits = dict.fromkeys(run["evaluate_on"] for _, run in found)
    with drawing.style():
      figure = sweep_figure.draw(found)
      title = _TITLE.format(_subject(found), " or ".join(splits))
      figure.suptitle(title, fontsize=8, x=0.01, ha="left")
      drawing.save(figure, epath.Path(results), name, kinds=("svg",))
    written.append(name)
  return written


if __name__ == "__main__":
  print(*write(HERE / "results"))
