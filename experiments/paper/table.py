# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of README.md from results/.

Run: python -m experiments.paper.table
"""

import itertools
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from experiments.paper import collect, intervals, readme

HERE = pathlib.Path(__file__).parent
TASKS = ("trec", "sst2", "ag_news", "dbpedia", "dbpedia_100")
METHODS = ("gd", "gd_pretrained")
CEILING = "real_kd"
ARMS = (
  *("teacher", "tfidf", "gold", "kd", "rules_kd", "gd_hard"),
  *METHODS,
  CEILING,
)
THAN = (
  *("kd", "rules_kd", "gold", "tfidf", "gd_hard", "gd"),
  *(CEILING, "teacher"),
)
MODELS = ("res_cnn", "kim_cnn", "blend_cnn", "bilstm")
ABLATIONS = (
  *("tier3_texts", "tier3_texts_64k", "tier3_labels"),
  *("tier3_condition", "tier3_temperature"),
)
NOT_RUN = readme.NOT_RUN


def _draws(scores: intervals.Scores) -> int:
  return max(map(len, scores.values()), default=0)


def _means(scores: intervals.Scores, arms: Iterable[str]) -> list[str]:
  return [
    intervals.spread(scores[arm])
    + intervals.fewer(len(scores[arm]), _draws(scores))
    if arm in scores
    else NOT_RUN
    for arm in arms
  ]


def _cell(
  estimate: intervals.Estimate | None, draws: int, *, points: bool = True
) -> str:
  if estimate is None:
    return NOT_RUN
  words = intervals.in_words(estimate, points=points)
  return words + intervals.fewer(estimate.draws, draws)


def accuracies(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: a row for each task, a column for each arm."""
  lines = [["task", "draws", *ARMS]]
  for task in TASKS:
    scores = intervals.load(results / "tier1" / task)
    draws = str(_draws(scores) or NOT_RUN)
    lines.append([task, draws, *_means(scores, ARMS)])
  return lines


def differences(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: the method minus each other arm, and how near it is to the teacher.

  The share of the gap from kd to the teacher is told where there is a gap.
  """
  than = [f"− {arm}" for arm in THAN]
  lines = [["task", "arm", "draws", *than, "gap closed", "of the teacher"]]
  for task, arm in itertools.product(TASKS, METHODS):
    scores = intervals.load(results / "tier1" / task)
    draws = len(scores.get(arm, {}))
    cells = [
      _cell(intervals.difference(scores, arm, other), draws)
      if arm != other
      else ""
      for other in THAN
    ]
    closed = NOT_RUN
    if intervals.paired(scores, arm, "kd", "teacher"):
      found = intervals.gap_closed(scores, arm)
      closed = "gap below 5 points"
      if found is not None:
        closed = _cell(found, draws, points=False)
    share = _cell(intervals.ratio(scores, arm, "teacher"), draws, points=False)
    lines.append([task, arm, str(draws or NOT_RUN), *cells, closed, share])
  return lines


def generators(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: which texts the arms learned from; means over draws."""
  lines = [["task", "arm", "draws", "held-out perplexity", "texts"]]
  for task, arm in itertools.product(TASKS, (*METHODS, CEILING)):
    runs = [
      run
      for run in collect.load(results / "tier1" / task)
      if arm in run["rows"]
    ]
    cells = [NOT_RUN] * 3
    if runs:
      perplexity = np.mean([run["perplexity"] for run in runs])
      texts = np.mean([run["texts"][arm] for run in runs])
      cells = [str(len(runs)), f"{perplexity:.1f}", f"{texts:,.0f}"]
      if arm == CEILING:
        cells[1] = "real texts"
    lines.append([task, arm, *cells])
  return lines


def models(results: pathlib.Path) -> list[list[str]]:
  """Tier 2: other students, and tier 1's against what distilled them before."""
  arms = ("gold", "kd", "gd")
  last = "res_cnn's gd − this kd"
  lines = [["task", "student", "parameters", "draws", *arms, "gd − kd", last]]
  for task, model in itertools.product(TASKS[:4], MODELS):
    ours = intervals.load(results / "tier1" / task)
    tier = "tier1" if model == "res_cnn" else "tier2"
    runs = [
      run
      for run in collect.load(results / tier / task)
      if run["model"] == model
    ]
    scores = intervals.load(
      results / tier / task, lambda run, model=model: run["model"] == model
    )
    draws = max((len(scores.get(arm, {})) for arm in arms), default=0)
    both = {"gd": ours.get("gd", {}), "kd": scores.get("kd", {})}
    lines.append(
      [
        *(task, model, _params(runs), str(draws or NOT_RUN)),
        *_means({arm: scores[arm] for arm in arms if arm in scores}, arms),
        _cell(intervals.difference(scores, "gd", "kd"), draws),
        _cell(intervals.difference(both, "gd", "kd"), draws),
      ]
    )
  return lines


def _params(runs: Sequence[collect.Run]) -> str:
  """The students' largest; draws differ in their vocabularies."""
  sizes = [run["params"]["kd"] for run in runs if "kd" in run["params"]]
  return f"{max(sizes) / 1e6:.2f} M" if sizes else NOT_RUN


def ablations(results: pathlib.Path) -> list[list[str]]:
  """Tier 3: a row for each point of each sweep."""
  arms = ("kd", "gd_hard", "gd", CEILING)
  lines = [["sweep", "task", "point", "draws", *arms, "gd − kd"]]
  for name, task in itertools.product(ABLATIONS, ("trec", "ag_news")):
    out = results / name / task
    for change in collect.changes(out) or [{}]:
      scores = intervals.load(
        out, lambda run, change=change: run["change"] == change
      )
      point = ", ".join(f"{k}={v}" for k, v in change.items())
      draws = _draws(scores)
      lines.append(
        [
          *(name, task, point, str(draws or NOT_RUN)),
          *_means(scores, arms),
          _cell(intervals.difference(scores, "gd", "kd"), draws),
        ]
      )
  return lines


TABLES = {
  "accuracies": accuracies,
  "differences": differences,
  "generators": generators,
  "models": models,
  "ablations": ablations,
}


def main() -> None:
  """Fills all tables."""
  for name, make in TABLES.items():
    readme.fill(HERE / "README.md", name, make(HERE / "results"))


if __name__ == "__main__":
  main()
