# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""metrics.jsonl files -> the page's panels of training curves.

A metric is named PHASE/SPLIT/KEY. One panel shows one key: the means over
training steps dashed, the scores on held-out rows solid.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils import epath

from gd_jax.data import formats
from gd_jax.reporting import arms, charts, view, words

Keyed = tuple[str, charts.Line]  # a line and the key of its metric

_KEYS = {
  "xent": "Cross-entropy, nats",
  "kl": "KL from the teacher, nats",
  "mse": "Squared distance from the teacher's logits",
  "accuracy": "Accuracy",
  "macro_f1": "Macro F1",
  "perplexity": "Perplexity a token",
}
# Where a student has several losses, its own objective is shown as well.
_STUDENT_KEYS = {"loss": "Loss", **_KEYS}


def groups(
  workdir: epath.Path, found: Mapping[str, Sequence[epath.Path]]
) -> list[dict[str, Any]]:
  """One group of panels per trained model; students share theirs.

  Args:
    workdir: the run's folder.
    found: the folder of each seed of each arm, from `evaluate.find`.
  """
  folders = [
    (name, folder)
    for name, of_arm in found.items()
    for folder in of_arm
    if name != "teacher" and (folder / "metrics.jsonl").exists()
  ]
  generators = [
    line
    for folder in formats.folders(workdir / "generator")
    for line in _lines(folder, "teacher")
  ]
  alone = [
    _group("Teacher", _KEYS, _lines(workdir / "teacher", "teacher")),
    _group("Generator", _KEYS, generators),
  ]
  seeds: dict[str, list] = {}
  for name, folder in folders:
    seeds.setdefault(name, []).append(_lines(folder, view.kind(name)))
  names = arms.in_order(seeds)
  lines = [line for name in names for line in _mean_lines(seeds[name])]
  group = _group("Students", _STUDENT_KEYS, lines)
  group["legend"] = [
    {"name": words.visible(name), "kind": view.kind(name)} for name in names
  ]
  return [group for group in (*alone, group) if group["panels"]]


def _group(name: str, keys: dict[str, str], lines) -> dict[str, Any]:
  panels = []
  for key, title in keys.items():
    shown = [line for line_key, line in lines if line_key == key]
    if any(len(line.steps) > 1 for line in shown):
      svg = charts.curves(shown, title=f"{name}: {title} over steps")
      panels.append({"name": title, "svg": svg})
  return {"name": name, "legend": [], "panels": panels}


def _lines(folder: epath.Path, kind: str) -> list[Keyed]:
  """(key, line) of every metric in one file; a restart is a line of its own."""
  points: dict[tuple[str, str, int], list[tuple[int, float]]] = {}
  steps_a_round = _steps_a_round(folder)
  for row in _rows(folder / "metrics.jsonl"):
    # Restarts are numbered on: step n * round + 1 is the first of the next.
    round_, step = divmod(row["step"] - 1, steps_a_round)
    for name, value in row.items():
      _, split, key = ["", "", *name.split("/")][-3:]
      if split and isinstance(value, float) and math.isfinite(value):
        points.setdefault((split, key, round_), []).append((step + 1, value))
  return [
    (
      key,
      charts.Line(
        steps=[step for step, _ in line],
        values=[value for _, value in line],
        kind=kind,
        style="dashed" if split == "train" else "solid",
      ),
    )
    for (split, key, _), line in points.items()
  ]


def _mean_lines(seeds: Sequence[Sequence[Keyed]]) -> list[Keyed]:
  """The mean over seeds, at the steps that all of them reached."""
  grouped: dict[tuple[str, str], list[charts.Line]] = {}
  for key, line in (keyed for lines in seeds for keyed in lines):
    grouped.setdefault((key, line.style), []).append(line)
  found = []
  for (key, style), lines in grouped.items():
    values = [dict(zip(line.steps, line.values, strict=True)) for line in lines]
    steps = sorted(set(values[0]).intersection(*values[1:]))
    means = [sum(v[step] for v in values) / len(values) for step in steps]
    found.append((key, charts.Line(steps, means, lines[0].kind, style)))
  return found


def _steps_a_round(folder: epath.Path) -> int:
  path = folder / "summary.json"
  summary = json.loads(path.read_text()) if path.exists() else {}
  return summary.get("total_steps") or 10**12


def _rows(path: epath.Path) -> Iterable[dict[str, Any]]:
  """The lines that are whole: a killed run may have cut the last one."""
  if not path.exists():
    return
  for line in path.read_text().splitlines():
    try:
      yield json.loads(line)
    except ValueError:
      continue
