# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The training loop: steps, evaluations, the best parameters, resuming."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Key

from gd_jax import checkpoints, devices, signals
from gd_jax.progress import Bar
from gd_jax.training import metrics as metrics_lib
from gd_jax.training import step as step_lib

Scores = dict[str, float]
# What a host may wish for at the end of a step; 1 is to save.
_STOP = 2


@dataclasses.dataclass
class Run:
  """All that an interrupted loop needs to go on; what a checkpoint holds.

  Attributes:
    state: Where the training stands.
    best_params: The parameters of the best evaluation so far.
    record: JSON: {"round": which restart this is, "best": {"round", "step",
      "scores"} or None, "evals_since_best": in this round, "round_best":
      scores or None, "rounds": round_best of each finished round}.
  """

  state: step_lib.TrainState
  best_params: step_lib.Params
  record: dict[str, Any]


def first_run(state: step_lib.TrainState) -> Run:
  """The run before any step; `state` may be donated later."""
  return Run(state, copy(state.params), _fresh_record(0))


def next_round(run: Run, state: step_lib.TrainState) -> Run:
  """A new restart from `state` that keeps the best of the earlier ones."""
  run = finished(run)
  record = _fresh_record(run.record["round"] + 1)
  record |= {name: run.record[name] for name in ("best", "rounds")}
  return Run(state, run.best_params, record)


def finished(run: Run) -> Run:
  """`run` with its last round entered among the finished ones."""
  rounds = [*run.record["rounds"], run.record["round_best"]]
  return dataclasses.replace(run, record=run.record | {"rounds": rounds})


def load_run(resume: checkpoints.Resume, template: Run) -> Run:
  """The run that was interrupted; `template`, a first run, if there is none."""
  arrays = {"state": template.state, "best_params": template.best_params}
  found = resume.latest(arrays)
  if found is None:
    return template
  _, arrays, record = found
  return Run(arrays["state"], arrays["best_params"], record)


def compile_step(
  train_step: Callable, mesh: Mesh, where: step_lib.TrainState | None = None
) -> Callable[
  [step_lib.TrainState, step_lib.Batch, Key[Array, ""]],
  tuple[step_lib.TrainState, step_lib.Metrics],
]:
  """jit, with the state donated and its result left where it was.

  Args:
    train_step: From `step.make_train_step`.
    mesh: Its metrics come to every device of it.
    where: The state's places, from `memory.places`; None: whole on every
      device.
  """
  everywhere = devices.everywhere(mesh)
  compiled = jax.jit(
    train_step,
    donate_argnums=0,
    out_shardings=(where or everywhere, everywhere),
  )
  return devices.compile_together(compiled, mesh)


def copy(params: step_lib.Params) -> step_lib.Params:
  """Arrays of their own: the originals may be donated."""
  return jax.tree.map(lambda x: x.copy(), params)


def fit(
  run: Run,
  *,
  name: str,
  train_step: Callable,
  batch_at: Callable[[int], Mapping[str, np.ndarray]],
  rng: Key[Array, ""],
  mesh: Mesh,
  total_steps: int,
  evaluate: Callable[[step_lib.Params], Scores],
  rank: Callable[[Scores], tuple[float, ...]],
  eval_every_steps: int,
  patience: int | None,
  resume: checkpoints.Resume,
  writer: metrics_lib.MetricsWriter,
  bar: Bar,
) -> Run:
  """Trains `run` to the end of its round.

  Args:
    run: Where to begin; its state is used up.
    name: The phase, for metric names and error messages.
    train_step: From `compile_step`.
    batch_at: batch_at(step) -> a batch of numpy arrays; pure.
    rng: The round's root key.
    mesh: Where batches go, split by row.
    total_steps: Steps of the round.
    evaluate: evaluate(params) -> scores on held-out rows.
    rank: rank(scores) -> a tuple; the larger is the better.
    eval_every_steps: Also evaluated at the end.
    patience: Evaluations without a better one in this round after which the
      round ends early; None for never.
    resume: Where the run is saved from time to time, and when told to stop.
    writer: Gets training means and scores at each evaluation.
    bar: Moved on by one a step.

  Returns:
    The run at its end, with the best parameters over all rounds so far.

  Raises:
    signals.Stopped: A signal came; the run is saved.
    UserError: The loss is not finite.
  """
  state, best_params, record = run.state, run.best_params, dict(run.record)
  rng = devices.place(rng, devices.everywhere(mesh))
  ballot = devices.Ballot(mesh)
  step = int(state.step)
  offset = record["round"] * total_steps
  totals = metrics_lib.Totals()
  pending = None
  live: dict[str, float] = {}

  def settle(pending):
    values = jax.device_get(pending)
    metrics_lib.require_finite(values, step=step, name=name)
    totals.add(values)
    live["loss"] = float(values["loss"][0])

  while step < total_steps and not (
    patience is not None and record["evals_since_best"] >= patience
  ):
    batch = devices.place_batch(mesh, batch_at(step))
    state, metrics = train_step(state, batch, rng)
    # The device works on this step while the host reads the one before.
    if pending is not None:
      settle(pending)
    pending = metrics
    step += 1
    if step % eval_every_steps == 0 or step == total_steps:
      settle(pending)
      pending = None
      scores = evaluate(state.params)
      if _record_scores(record, scores, step=step, rank=rank):
        best_params = copy(state.params)
      live.update(scores)
      writer.write(
        offset + step,
        {f"{name}/train/{key}": v for key, v in totals.means().items()}
        | {f"{name}/heldout/{key}": v for key, v in scores.items()},
      )
      totals = metrics_lib.Totals()
    bar.advance(1, **live)
    wish = _STOP if signals.requested() else int(resume.is_due())
    wish = ballot.result(wish)
    if wish:
      resume.save(
        offset + step,
        {"state": state, "best_params": best_params},
        record,
        force=True,
      )
    if wish == _STOP:
      resume.close()
      raise signals.Stopped
  return Run(state, best_params, record)


def _fresh_record(round_: int) -> dict[str, Any]:
  return {
    "round": round_,
    "best": None,
    "round_best": None,
    "evals_since_best": 0,
    "rounds": [],
  }


def _record_scores(
  record: dict[str, Any], scores: Scores, *, step: int, rank: Callable
) -> bool:
  """Enters an evaluation into `record`; whether it is the best of all."""
  entry = {"round": record["round"], "step": step, "scores": scores}

  def beats(old):
    return old is None or rank(scores) > rank(old["scores"])

  if beats(record["round_best"]):
    record["round_best"] = entry
    record["evals_since_best"] = 0
  else:
    record["evals_since_best"] += 1
  if not beats(record["best"]):
    return False
  record["best"] = entry
  return True
