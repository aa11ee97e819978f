# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/TASK.json and .npz.

Run: python -m experiments.what_carries.table
"""

import pathlib

from experiments.paper import collect, intervals, readme

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia")


def lines(results: pathlib.Path) -> list[list[str]]:
  """Each change's gd against the baseline's, paired by draw."""
  found = [["task", "change", "draws", "gd", "gd − baseline's gd"]]
  for task in TASKS:
    out = results / task
    if not out.with_suffix(".json").exists():
      found.append([task, readme.NOT_RUN, "", "", ""])
    for change in collect.changes(out):
      of_gd = {
        name: intervals.load(out, lambda run, c=point: run["change"] == c).get(
          "gd", {}
        )
        for name, point in (("baseline", {}), ("change", change))
      }
      words = ", ".join(f"{k}={v}" for k, v in change.items()) or "baseline"
      against = ""
      if change:
        estimate = intervals.difference(of_gd, "change", "baseline")
        against = readme.NOT_RUN
        if estimate is not None:
          against = intervals.in_words(estimate)
          if estimate.draws < len(of_gd["change"]):
            against += f" ({estimate.draws} draws)"
      values = of_gd["change"]
      cell = intervals.spread(values)
      found.append([task, words, str(len(values)), cell, against])
  return found


def main() -> None:
  """Fills the table."""
  readme.fill(HERE / "README.md", "table", lines(HERE / "results"))


if __name__ == "__main__":
  main()
