# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/TASK.json and .npz.

Run: python -m experiments.what_carries.table
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.paper import intervals, readme
from experiments.what_carries import sweep

HERE = pathlib.Path(__file__).parent
# AG News' draw was made a second time on another machine, whose roundings lead
# to another teacher and other texts: a file of its own, for pairs are of one.
AGAIN = "ag_news_again"
TASKS = ("trec", "sst2", "ag_news", AGAIN, "dbpedia")

Change = dict[str, Any]


def lines(results: pathlib.Path) -> list[list[str]]:
  """Each change's gd against the next smaller change's, paired by draw.

  Behind a task's changes come those that were not run, in one line.
  """
  found = [["task", "change", "draws", "gd", "against", "gd − its gd"]]
  for task in TASKS:
    scores = {
      _words(change): by_draw
      for change in sweep.CHANGES
      if (by_draw := _of_gd(results / task, change))
    }
    changes = [c for c in sweep.CHANGES if _words(c) in scores]
    for change in changes:
      name, than = _words(change), _words(_compared_with(change, changes))
      by_draw = scores[name]
      cells = ["", ""]
      if change:
        estimate = intervals.difference(scores, name, than)
        cells = [than, readme.NOT_RUN]
        if estimate is not None:
          cells[1] = intervals.in_words(estimate)
          cells[1] += intervals.others(estimate.draws, by_draw)
      mean = intervals.spread(by_draw)
      found.append([task, name, str(len(by_draw)), mean, *cells])
    missing = [w for w in map(_words, sweep.CHANGES) if w not in scores]
    if missing and task != AGAIN:
      names = "; ".join(missing) if scores else "nothing yet"
      found.append([task, f"{readme.NOT_RUN}: {names}", "", "", "", ""])
  return found


def _of_gd(out: pathlib.Path, change: Change) -> dict[int, np.ndarray]:
  scores = intervals.load(out, lambda run: run["change"] == change)
  return scores.get("gd", {})


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
