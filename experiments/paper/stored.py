# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What was taken from runs, as two files in results/: numbers, no text."""

import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.paper import points
from gd_jax import artefacts
from gd_jax.errors import UserError

# A run's facts; "rows" has {arm: [N], how many seeds got each row right}.
Run = dict[str, Any]


def load(out: pathlib.Path) -> list[Run]:
  """What `save` wrote to OUT.json and OUT.npz; nothing if nothing did.

  Raises:
    UserError: The two files are not of one `save`.
  """
  if not out.with_suffix(".json").exists():
    return []
  runs = json.loads(out.with_suffix(".json").read_text())
  with np.load(out.with_suffix(".npz")) as arrays:
    for i, run in enumerate(runs):
      run["rows"] = {
        arm: arrays.get(f"{i}/{arm}", np.array(0)) for arm in run["seeds"]
      }
      if run.pop("digest") != _digest(run["rows"]):
        raise UserError(
          f"{out}.json and {out.name}.npz are not of one collecting, which may"
          " have been killed: take both from the last commit and collect again"
        )
  return runs


def _digest(rows: dict[str, np.ndarray]) -> str:
  return artefacts.digest({arm: each.tolist() for arm, each in rows.items()})


def save(out: pathlib.Path, runs: Sequence[Run]) -> None:
  """Adds runs to OUT.json and OUT.npz.

  An arm of a change and a draw that is there already is replaced.

  Raises:
    UserError: Some were evaluated on other rows than others, or made by another
      recipe, or arms of one draw had two teachers.
  """
  kept: list[Run] = []
  for run in [*load(out), *runs]:
    for old in kept:
      if (old["change"], old["draw"]) == (run["change"], run["draw"]):
        for field in ("rows", "seeds", "texts", "params"):
          old[field] = {
            arm: value
            for arm, value in old[field].items()
            if arm not in run["rows"]
          }
    kept = [*(old for old in kept if old["rows"]), run]
  if len({run["evaluation"] for run in kept}) > 1:
    raise UserError(f"{out}: runs that were evaluated on different rows")
  _require_alike(out, kept)
  _require_one_teacher(out, kept)
  out.parent.mkdir(parents=True, exist_ok=True)
  arrays = {
    f"{i}/{arm}": rows
    for i, run in enumerate(kept)
    for arm, rows in run["rows"].items()
  }
  buffer = io.BytesIO()
  np.savez_compressed(buffer, allow_pickle=False, **arrays)
  facts = [
    {key: value for key, value in run.items() if key != "rows"}
    | {"digest": _digest(run["rows"])}
    for run in kept
  ]
  text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
  artefacts.write_atomic(out.with_suffix(".npz"), buffer.getvalue())
  artefacts.write_atomic(out.with_suffix(".json"), text)


def _require_alike(out: pathlib.Path, runs: Sequence[Run]) -> None:
  """Refuses runs that differ in what their changes do not say."""
  first: dict[tuple[str, ...], Run] = {}
  for run in runs:
    # What was collected before recipes were kept is taken on trust.
    for part, found in run.get("recipe", {}).items():
      for arm in run["rows"] if part == "texts" else [""]:
        other = first.setdefault((part, arm), run)
        if other["recipe"][part] != found:
          raise UserError(
            f"{out}: the {part} of draw {run['draw']} ({_told(run)}) are of"
            f" another recipe than those of draw {other['draw']}"
            f" ({_told(other)}): collect them together, or into another file"
          )


def _require_one_teacher(out: pathlib.Path, runs: Sequence[Run]) -> None:
  """Refuses runs of one draw whose differences would be two teachers' too.

  But where the change is one of the teacher or of its rows.
  """
  first: dict[str, Run] = {}
  for run in runs:
    # What was collected before this was kept is taken on trust.
    if (teacher := run.get("taught_by")) is None:
      continue
    of_teacher = [
      (name, value)
      for name, value in run["change"].items()
      if name.partition(".")[0] in points.RECIPES["teacher"]
    ]
    other = first.setdefault(f"{run['draw']} {of_teacher}", run)
    if other["taught_by"] != teacher:
      raise UserError(
        f"{out}: in draw {run['draw']}, {_told(run)} had another teacher than"
        f" {_told(other)}: make them with --reuse of one workdir, or collect"
        " all of them anew"
      )


def _told(run: Run) -> str:
  changed = [f"{name}={value}" for name, value in run["change"].items()]
  return ", ".join([*changed, *run["rows"]])
