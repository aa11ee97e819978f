# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of README.md from results/.

Run: python -m experiments.paper.table
"""

import itertools
import json
import pathlib

from experiments.paper import intervals, readme

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia", "dbpedia_100")
ARMS = (
  *("teacher", "tfidf", "gold", "kd", "rules_kd", "gd_hard", "gd"),
  "gd_pretrained",
)
THAN = ("kd", "rules_kd", "gold", "tfidf", "gd_hard", "teacher")
MODELS = ("kim_cnn", "blend_cnn", "bilstm")
ABLATIONS = (
  *("tier3_texts", "tier3_texts_64k", "tier3_labels"),
  *("tier3_condition", "tier3_temperature"),
)
NOT_RUN = readme.NOT_RUN


def _draws(scores) -> str:
  return str(len(next(iter(scores.values())))) if scores else NOT_RUN


def accuracies(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: a row for each task, a column for each arm."""
  lines = [["task", "draws", *ARMS]]
  for task in TASKS:
    scores = intervals.load(results / "tier1" / task)
    cells = [
      intervals.spread(scores[arm]) if arm in scores else NOT_RUN
      for arm in ARMS
    ]
    lines.append([task, _draws(scores), *cells])
  return lines


def differences(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: gd minus each other arm, and the share of the gap it closes."""
  lines = [["task", *(f"gd − {arm}" for arm in THAN), "gap closed"]]
  for task in TASKS:
    scores = intervals.load(results / "tier1" / task)
    cells = []
    for arm in THAN:
      known = {"gd", arm} <= scores.keys()
      cells.append(
        intervals.in_words(intervals.difference(scores, "gd", arm))
        if known
        else NOT_RUN
      )
    closed = NOT_RUN
    if {"gd", "kd", "teacher"} <= scores.keys():
      found = intervals.gap_closed(scores)
      closed = "gap below 5 points"
      if found is not None:
        closed = intervals.in_words(found, points=False)
    lines.append([task, *cells, closed])
  return lines


def models(results: pathlib.Path) -> list[list[str]]:
  """Tier 2: other students."""
  lines = [["task", "student", "draws", "gold", "kd", "gd", "gd − kd"]]
  for task, model in itertools.product(TASKS[:4], MODELS):
    scores = intervals.load(
      results / "tier2" / task, lambda run, model=model: run["model"] == model
    )
    cells = [
      intervals.spread(scores[arm]) if arm in scores else NOT_RUN
      for arm in ("gold", "kd", "gd")
    ]
    last = NOT_RUN
    if {"gd", "kd"} <= scores.keys():
      last = intervals.in_words(intervals.difference(scores, "gd", "kd"))
    lines.append([task, model, _draws(scores), *cells, last])
  return lines


def ablations(results: pathlib.Path) -> list[list[str]]:
  """Tier 3: a row for each point of each sweep."""
  lines = [["sweep", "task", "point", "draws", "kd", "gd_hard", "gd"]]
  for name, task in itertools.product(ABLATIONS, ("trec", "ag_news")):
    out = results / name / task
    changes = [{}]
    if out.with_suffix(".json").exists():
      runs = json.loads(out.with_suffix(".json").read_text())
      changes = [
        change
        for i, change in enumerate(run["change"] for run in runs)
        if change not in [run["change"] for run in runs[:i]]
      ]
    for change in changes:
      scores = intervals.load(
        out, lambda run, change=change: run["change"] == change
      )
      point = ", ".join(f"{k}={v}" for k, v in change.items())
      cells = [
        intervals.spread(scores[arm]) if arm in scores else NOT_RUN
        for arm in ("kd", "gd_hard", "gd")
      ]
      lines.append([name, task, point, _draws(scores), *cells])
  return lines


TABLES = {
  "accuracies": accuracies,
  "differences": differences,
  "models": models,
  "ablations": ablations,
}


def main() -> None:
  """Fills all tables."""
  for name, make in TABLES.items():
    readme.fill(HERE / "README.md", name, make(HERE / "results"))


if __name__ == "__main__":
  main()
