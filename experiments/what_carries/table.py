# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/TASK.json and .npz.

Run: python -m experiments.what_carries.table
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.paper import collect, intervals, readme
from experiments.what_carries import sweep

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia")

Change = dict[str, Any]


def lines(results: pathlib.Path) -> list[list[str]]:
  """Each change's gd against the next smaller change's, paired by draw."""
  found = [["task", "change", "draws", "gd", "against", "gd − its gd"]]
  for task in TASKS:
    out = results / task
    if not out.with_suffix(".json").exists():
      found.append([task, readme.NOT_RUN, "", "", "", ""])
    changes = collect.changes(out)
    scores = {_words(change): _of_gd(out, change) for change in changes}
    for change in changes:
      name, than = _words(change), _words(_compared_with(change, changes))
      by_draw = scores[name]
      cells = ["", ""]
      if change:
        estimate = intervals.difference(scores, name, than)
        cells = [than, readme.NOT_RUN]
        if estimate is not None:
          cells[1] = intervals.in_words(estimate)
          if estimate.draws < len(by_draw):
            cells[1] += f" ({estimate.draws} draws)"
      mean = intervals.spread(by_draw)
      found.append([task, name, str(len(by_draw)), mean, *cells])
  return found


def _of_gd(out: pathlib.Path, change: Change) -> dict[int, np.ndarray]:
  return intervals.load(out, lambda run: run["change"] == change)["gd"]


def _words(change: Change) -> str:
  return ", ".join(f"{k}={v}" for k, v in change.items()) or "baseline"


def _compared_with(change: Change, others: Sequence[Change]) -> Change:
  """The largest other one that is part of it; the baseline is part of all.

  Of several as large, the one that the sweep names first.
  """
  parts = [
    other
    for other in others
    if other != change and other.items() <= change.items()
  ]
  return max(
    parts,
    key=lambda part: (len(part), -sweep.CHANGES.index(part)),
    default={},
  )


def main() -> None:
  """Fills the table."""
  readme.fill(HERE / "README.md", "table", lines(HERE / "results"))


if __name__ == "__main__":
  main()
