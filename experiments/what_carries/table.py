# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the table of README.md from results/TASK.json and .npz.

Run: python -m experiments.what_carries.table
"""

import json
import pathlib

from experiments.paper import intervals, readme

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia")


def lines(results: pathlib.Path) -> list[list[str]]:
  """Each change's gd against the baseline's, paired by draw."""
  found = [["task", "change", "draws", "gd", "gd − baseline's gd"]]
  for task in TASKS:
    out = results / task
    if not out.with_suffix(".json").exists():
      found.append([task, readme.NOT_RUN, "", "", ""])
      continue
    changes: list[dict] = []
    for run in json.loads(out.with_suffix(".json").read_text()):
      if run["change"] not in changes:
        changes.append(run["change"])
    scores = {}
    for change in changes:
      loaded = intervals.load(
        out, lambda run, change=change: run["change"] == change
      )
      scores[json.dumps(change)] = loaded["gd"]
    base = scores[json.dumps({})]
    for change in changes:
      values = scores[json.dumps(change)]
      words = ", ".join(f"{k}={v}" for k, v in change.items()) or "baseline"
      against = ""
      if change and values.shape == base.shape:
        pair = {"change": values, "base": base}
        against = intervals.in_words(
          intervals.difference(pair, "change", "base")
        )
      cell = intervals.spread(values)
      found.append([task, words, str(len(values)), cell, against])
  return found


def main() -> None:
  """Fills the table."""
  readme.fill(HERE / "README.md", "table", lines(HERE / "results"))


if __name__ == "__main__":
  main()
