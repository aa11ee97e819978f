# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The students' training loop: steps, evaluations, the best, resuming.

Legend: S students, N rows of the store, L length, C classes.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from gd_jax import checkpoints, devices, signals
from gd_jax.data import batches
from gd_jax.data.mixture import Mixture, Schedule
from gd_jax.own_resume import OwnResume
from gd_jax.training.distill import Knobs, Program

# Rows of one forward pass of an evaluation, for each student.
EVAL_ROWS = 256
# Steps between two movements of the progress bar.
_ADVANCE_STEPS = 20


@dataclasses.dataclass(frozen=True)
class Student:
  """One student to be trained: `rng` makes its weights and its dropout."""

  mixture: Mixture
  knobs: Knobs
  rng: Key[Array, ""]


@dataclasses.dataclass(frozen=True)
class Outcome:
  """A trained student.

  Attributes:
    params: At its best evaluation, as numpy arrays.
    record: JSON: {"best": {"step", "scores"}, "steps", "diverged"}.
    history: {"step", metric: value} of each evaluation, JSON.
  """

  params: dict[str, Any]
  record: dict[str, Any]
  history: list[dict[str, float]]


def fit(
  program: Program,
  students: Sequence[Student],
  store: Mapping[str, np.ndarray],
  heldout: Mapping[str, np.ndarray],
  *,
  resume: checkpoints.Resume | OwnResume,
  worker: int | None = None,
  stopping: Callable[[], bool] = signals.requested,
  advance: Callable[[int], None] = lambda steps: None,
) -> list[Outcome]:
  """Trains students side by side, each as it would be alone.

  Args:
    program: One that is `alone` for one student, else one that is not.
    students: At least one.
    store: "tokens" [N L], "label" [N], "teacher_logits" [N C] and "labelled"
      [N] bool; labelled rows first.
    heldout: "tokens", "mask", "label" of the rows that select; may be empty,
      then the last parameters count as the best.
    resume: Gets the state at evaluations; a run that it knows is gone on with.
    worker: Which device to take; None for all, where students divide by them.
    stopping: Polled at each step.
    advance: Told of steps done, by all students together.

  Raises:
    signals.Stopped: `stopping` said so. What was done since the last save is
      done again by the next call, to the same bits.
  """
  settings = program.settings
  by_student, shared = _placements(len(students), worker)
  chunks = jax.device_put(
    [batch for _, batch in batches.by_length(heldout, EVAL_ROWS)], shared
  )
  limit = store["tokens"].shape[1]
  schedule = Schedule(
    [student.mixture for student in students],
    np.count_nonzero(store["tokens"], axis=1),
    limit=limit,
  )
  store = jax.device_put(dict(store), shared)
  knobs, rngs = jax.device_put(
    (
      jax.tree.map(_stacked_floats, *(s.knobs for s in students)),
      jnp.stack([s.rng for s in students]),
    ),
    by_student,
  )
  state = jax.device_put(program.init(rngs), by_student)
  best = jax.tree.map(jnp.copy, state.params)
  records = [_fresh_record() for _ in students]
  step = 0
  found = resume.latest({"state": state, "best": best})
  if found is not None:
    step, arrays, records = found[0], found[1], found[2]["records"]
    state, best = arrays["state"], arrays["best"]
  advance(step * len(students))
  totals, told = None, step

  while step < settings.total_steps and not all(r["finished"] for r in records):
    rows, length = schedule.at(step)
    rows = jax.device_put(rows, by_student)
    state, metrics = program.train(
      state, store, rows, knobs, rngs, length=length
    )
    totals = metrics if totals is None else program.add(totals, metrics)
    step += 1
    if stopping():
      resume.close()
      raise signals.Stopped
    evaluating = (
      step % settings.eval_every_steps == 0 or step == settings.total_steps
    )
    if evaluating:
      scores = _evaluate(program, state.params, chunks)
      means = _means(jax.device_get(totals), len(students))
      totals = None
      improved = [
        _record(
          *each,
          step=step,
          selectable=step >= (settings.select_from or 0) * settings.total_steps,
          patience=settings.patience,
        )
        for each in zip(records, scores, means, strict=True)
      ]
      if any(improved):
        flags = jax.device_put(np.array(improved), by_student)
        best = program.keep(best, state.params, flags)
      note = {"records": records}
      resume.save(step, {"state": state, "best": best}, note)
    if evaluating or step - told >= _ADVANCE_STEPS:
      advance((step - told) * len(students))
      told = step
  resume.close()
  advance((settings.total_steps - told) * len(students))
  host = jax.device_get(best)
  return [
    _outcome(jax.tree.map(lambda x, i=i: x[i], host), record)
    for i, record in enumerate(records)
  ]


def _placements(num_students: int, worker: int | None):
  """(of what each student has, of what they share)."""
  mesh, local = devices.local_mesh(), devices.local_devices()
  if worker is None and num_students > 1 and num_students % mesh.size == 0:
    return devices.by_row(mesh), devices.everywhere(mesh)
  device = local[(worker or 0) % len(local)]
  single = jax.sharding.SingleDeviceSharding(device)
  return single, single


def _stacked_floats(*values) -> np.ndarray:
  return np.array(values, np.float32)


def _evaluate(program: Program, params, chunks) -> list[dict[str, float]]:
  """Each student's scores on the held-out rows; none where there are none."""
  totals = None
  for chunk in chunks:
    scores = program.score(params, chunk)
    totals = scores if totals is None else program.add(totals, scores)
  num_students = jax.tree.leaves(params)[0].shape[0]
  return _means(jax.device_get(totals or {}), num_students)


def _means(totals, num_students: int) -> list[dict[str, float]]:
  """[S] (sum, count) pairs -> S dicts, without what was never counted."""
  return [
    {
      name: float(total[i] / count[i])
      for name, (total, count) in totals.items()
      if count[i]
    }
    for i in range(num_students)
  ]


def _fresh_record() -> dict[str, Any]:
  return {
    "best": None,
    "steps": 0,
    "evals_since_best": 0,
    "finished": False,
    "diverged": False,
    "history": [],
  }


def _record(
  record: dict[str, Any],
  scores: dict[str, float],
  means: dict[str, float],
  *,
  step: int,
  selectable: bool,
  patience: int | None,
) -> bool:
  """Enters an evaluation; whether the student is now at its best.

  One that is not selectable is never the best, nor does it cost patience. What
  happens to a finished student is not looked at: it is trained on only
  because its neighbours are.
  """
  if record["finished"]:
    return False
  record["steps"] = step
  if not math.isfinite(means["loss"]):
    record["diverged"] = record["finished"] = True
    return False
  record["history"].append(
    {"step": step}
    | {f"students/train/{name}": value for name, value in means.items()}
    | {f"students/heldout/{name}": value for name, value in scores.items()}
  )
  if not selectable:
    return False
  best = record["best"]
  if best is None or rank(scores) >= rank(best["scores"]):
    record["best"] = {"step": step, "scores": scores}
    record["evals_since_best"] = 0
    return True
  record["evals_since_best"] += 1
  record["finished"] = record["evals_since_best"] == patience
  return False


def rank(scores: Mapping[str, float]) -> tuple[float, ...]:
  """The larger the better: accuracy; where it ties, cross-entropy."""
  return (scores["accuracy"], -scores["xent"]) if scores else ()


def _outcome(params: dict[str, Any], record: dict[str, Any]) -> Outcome:
  kept = {name: record[name] for name in ("best", "steps", "diverged")}
  return Outcome(params, kept, record["history"])
