# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of README.md from results/.

Run: python -m experiments.paper.table
"""

import itertools
import json
import pathlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from experiments.paper import base, intervals, points, readme, stored
from gd_jax import sweeps

HERE = pathlib.Path(__file__).parent
# Tier 1's: each task, and with the default that came later.
TASKS = (
  *(task + end for task in base.TASKS for end in ("", base.NEAREST)),
  "dbpedia_100",
)
METHODS = ("gd", "gd_pretrained")
CEILING = "real_kd"
ARMS = (
  *("teacher", "tfidf", "gold", "kd", "rules_kd", "gd_hard"),
  *METHODS,
  CEILING,
)
LEAST = ("kd", "rules_kd", "gold", "tfidf")
THAN = (*LEAST, "gd_hard", "gd", CEILING, "teacher")
# What was to be reached; better than LEAST is more of it.
GAP_TO_CLOSE, POINTS_BELOW = 0.6, 0.015
SHARES = {"trec": 0.92, "sst2": 0.90, "ag_news": 0.95, "dbpedia": 0.95}
MODELS = ("res_cnn", "kim_cnn", "blend_cnn", "bilstm")
ABLATED = ("kd", "gd_hard", "gd", CEILING)
# Tier 3's sweeps, each with its tasks.
ABLATIONS = {
  "tier3_texts": ("trec", "ag_news"),
  "tier3_texts_64k": ("trec",),
  "tier3_labels": ("trec", "ag_news"),
  "tier3_condition": ("trec", "ag_news"),
  "tier3_temperature": ("trec", "ag_news"),
}
NOT_RUN = readme.NOT_RUN


def _draws(scores: intervals.Scores) -> set[int]:
  return {draw for by_draw in scores.values() for draw in by_draw}


def _count(draws: Collection[int]) -> str:
  return str(len(draws)) if draws else NOT_RUN


def _means(scores: intervals.Scores, arms: Iterable[str]) -> list[str]:
  return [
    intervals.spread(scores[arm])
    + intervals.others(scores[arm], _draws(scores))
    if arm in scores
    else NOT_RUN
    for arm in arms
  ]


def _cell(
  estimate: intervals.Estimate | None,
  draws: Collection[int],
  *,
  points: bool = True,
) -> str:
  if estimate is None:
    return NOT_RUN
  words = intervals.in_words(estimate, points=points)
  return words + intervals.others(estimate.draws, draws)


def accuracies(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: a row for each task, a column for each arm."""
  lines = [["task", "draws", *ARMS]]
  for task in TASKS:
    scores = intervals.load(results / "tier1" / task)
    lines.append([task, _count(_draws(scores)), *_means(scores, ARMS)])
  return lines


def differences(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: the method minus each other arm, and how near it is to the teacher.

  The share of the gap from kd to the teacher is told where there is a gap.
  """
  than = [f"− {arm}" for arm in THAN]
  lines = [["task", "arm", "draws", *than, "gap closed", "of the teacher"]]
  for task, arm in itertools.product(TASKS, METHODS):
    scores = intervals.load(results / "tier1" / task)
    draws = scores.get(arm, {})
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
    lines.append([task, arm, _count(draws), *cells, closed, share])
  return lines


def goals(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: what was to be reached, and whether it was.

  The method is to be better than each of LEAST; to close GAP_TO_CLOSE of the
  gap from kd to the teacher or, where that is small, to be at most POINTS_BELOW
  the teacher; to have its task's share of the teacher's accuracy; and to be no
  worse than blend_cnn distilled on the labelled rows alone.
  """
  head = [
    *("task", "arm", "draws", f"better than {', '.join(LEAST)}"),
    f"closes {GAP_TO_CLOSE} of the gap, or {100 * POINTS_BELOW:.1f} below",
    *("share of the teacher", "blend_cnn's kd"),
  ]
  lines = [head]
  for task, arm in itertools.product(TASKS, METHODS):
    name = task.removesuffix(base.NEAREST).removesuffix("_100")
    scores = intervals.load(results / "tier1" / task)
    draws = scores.get(arm, {})
    blend = intervals.load(
      results / "tier2" / name, lambda run: run["model"] == "blend_cnn"
    )
    both = {arm: draws, "kd": blend.get("kd", {})}
    lines.append(
      [
        *(task, arm, _count(draws), _unbeaten(scores, arm)),
        _near_enough(scores, arm),
        _reached(intervals.ratio(scores, arm, "teacher"), SHARES[name]),
        _reached(intervals.difference(both, arm, "kd"), 0.0, points=True),
      ]
    )
  return lines


def _unbeaten(scores: intervals.Scores, arm: str) -> str:
  """Yes, or the arms that the method is not better than."""
  found = {
    other: estimate
    for other in LEAST
    if (estimate := intervals.difference(scores, arm, other)) is not None
  }
  if len(found) < len(LEAST):
    return NOT_RUN
  if any(len(e.draws) < intervals.ENOUGH_DRAWS for e in found.values()):
    return "too few draws"
  missed = [name for name, e in found.items() if not e.better]
  return f"not than {', '.join(missed)}" if missed else "yes"


def _near_enough(scores: intervals.Scores, arm: str) -> str:
  closed = intervals.gap_closed(scores, arm)
  if closed is not None:
    return _reached(closed, GAP_TO_CLOSE)
  below = intervals.difference(scores, arm, "teacher")
  return _reached(below, -POINTS_BELOW, points=True)


def _reached(
  estimate: intervals.Estimate | None, least: float, *, points: bool = False
) -> str:
  if estimate is None:
    return NOT_RUN
  value = f"{100 * estimate.value:+.1f}" if points else f"{estimate.value:.3f}"
  return f"{'yes' if estimate.value >= least else 'no'}: {value}"


def by_draw(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: the method minus other arms in each draw, the first one first."""
  than = LEAST
  lines = [["task", "arm", "draw", *(f"− {arm}" for arm in than)]]
  for task, arm in itertools.product(TASKS, METHODS):
    scores = intervals.load(results / "tier1" / task)
    for draw, ours in sorted(scores.get(arm, {}).items()):
      theirs = (scores.get(other, {}).get(draw) for other in than)
      cells = (
        NOT_RUN if rows is None else f"{100 * (ours - rows).mean():+.1f}"
        for rows in theirs
      )
      lines.append([task, arm, str(draw), *cells])
  return lines


def generators(results: pathlib.Path) -> list[list[str]]:
  """Tier 1: which texts the arms learned from; means over draws."""
  lines = [["task", "arm", "draws", "held-out perplexity", "texts"]]
  for task, arm in itertools.product(TASKS, (*METHODS, CEILING)):
    runs = [
      run for run in stored.load(results / "tier1" / task) if arm in run["rows"]
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


def general(results: pathlib.Path) -> list[list[str]]:
  """How general models learned: held-out perplexities as they read."""
  files = (results / "general").glob("*.json")
  found = [json.loads(file.read_text()) for file in files]
  found.sort(key=lambda model: model["tokens"])
  rows = [(model["tokens"], row) for model in found for row in model["curve"]]
  seen = {name for _, row in rows for name in row}
  names = [*sorted(seen - {"tokens", "all"}), "all"]

  def cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"

  return [
    ["to read", "has read", *names],
    *(
      [f"{whole:,}", f"{row['tokens']:,}", *(cell(row.get(n)) for n in names)]
      for whole, row in rows
    ),
  ]


def read_first(results: pathlib.Path) -> list[list[str]]:
  """What general models may read, without the tasks' test texts."""
  lines = [["text", "lines", "left out for a test text"]]
  file = results / "general_text.json"
  found = json.loads(file.read_text())["lines"] if file.exists() else {}
  for name, counts in sorted(found.items()):
    lines.append([name, f"{counts['kept']:,}", f"{counts['left_out']:,}"])
  return lines if found else [*lines, [NOT_RUN] * 3]


def coverage(results: pathlib.Path) -> list[list[str]]:
  """How far an interval over so many draws is to be trusted; simulated."""
  del results
  return [
    ["draws", "intervals that hold the truth"],
    *([str(n), f"{intervals.coverage(n):.0%}"] for n in range(2, 6)),
  ]


def models(results: pathlib.Path) -> list[list[str]]:
  """Tier 2: other students, and tier 1's against what distilled them before."""
  arms = ("gold", "kd", "gd")
  last = "res_cnn's gd − this kd"
  lines = [["task", "student", "parameters", "draws", *arms, "gd − kd", last]]
  for task, model in itertools.product(base.TASKS, MODELS):
    ours = intervals.load(results / "tier1" / task)
    tier = "tier1" if model == "res_cnn" else "tier2"
    runs = [
      run for run in stored.load(results / tier / task) if run["model"] == model
    ]
    scores = intervals.load(
      results / tier / task, lambda run, model=model: run["model"] == model
    )
    scores = {arm: scores[arm] for arm in arms if arm in scores}
    draws = _draws(scores)
    both = {"gd": ours.get("gd", {}), "kd": scores.get("kd", {})}
    lines.append(
      [
        *(task, model, _params(runs), _count(draws)),
        *_means(scores, arms),
        _cell(intervals.difference(scores, "gd", "kd"), draws),
        _cell(intervals.difference(both, "gd", "kd"), draws),
      ]
    )
  return lines


def _params(runs: Sequence[stored.Run]) -> str:
  """The students' largest; draws differ in their vocabularies."""
  sizes = [run["params"]["kd"] for run in runs if "kd" in run["params"]]
  return f"{max(sizes) / 1e6:.2f} M" if sizes else NOT_RUN


def ablations(results: pathlib.Path) -> list[list[str]]:
  """Tier 3: a row for each point of each sweep, and one for those not run."""
  last = "gd − kd"
  head = ["sweep", "task", "point", "parameters", "draws", *ABLATED, last]
  lines = [head]
  for name, tasks in ABLATIONS.items():
    for task in tasks:
      runs = stored.load(results / name / task)
      missing = []
      for change in _changes(name):
        point = ", ".join(f"{k}={v}" for k, v in change.items())
        of_point = [run for run in runs if run["change"] == change]
        if of_point:
          lines.append([name, task, point, *_ablation(of_point)])
        else:
          missing.append(point)
      if missing:
        words = f"{NOT_RUN}: {'; '.join(missing)}"
        lines.append([name, task, words, *[""] * (len(head) - 3)])
  return lines


def _ablation(runs: Sequence[stored.Run]) -> list[str]:
  scores = intervals.of(runs)
  draws = _draws(scores)
  return [
    *(_params(runs), _count(draws)),
    *_means(scores, ABLATED),
    _cell(intervals.difference(scores, "gd", "kd"), draws),
  ]


def _changes(name: str) -> list[dict[str, Any]]:
  """What the points of a sweep change, in its order, whatever the draw."""
  found: list[dict[str, Any]] = []
  for point in sweeps.points_of(str(HERE / f"{name}.py")):
    change = {k: v for k, v in point.items() if k not in points.DRAW}
    if change not in found:
      found.append(change)
  return found


TABLES = {
  "accuracies": accuracies,
  "differences": differences,
  "goals": goals,
  "by_draw": by_draw,
  "coverage": coverage,
  "generators": generators,
  "read_first": read_first,
  "general": general,
  "models": models,
  "ablations": ablations,
}


def main() -> None:
  """Fills all tables."""
  for name, make in TABLES.items():
    readme.fill(HERE / "README.md", name, make(HERE / "results"))


if __name__ == "__main__":
  main()
