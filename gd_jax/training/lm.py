# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A language model's training: on general text first, then on a task's."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from gd_jax import checkpoints, devices
from gd_jax.data import batches
from gd_jax.progress import Progress
from gd_jax.training import compiled, fit, memory, metrics, predict
from gd_jax.training import step as step_lib

# Rows of one forward pass of an evaluation.
EVAL_BATCH_SIZE = 32


def train(
  recipe: Any,
  module: Any,
  params: step_lib.Params,
  *,
  name: str,
  train_rows: batches.Arrays,
  heldout: Mapping[str, batches.Arrays],
  order_seed: int,
  dropout_rng: jax.Array,
  mesh: Mesh,
  accumulate_steps: int | None,
  folder: epath.Path,
  progress: Progress,
  given: int = 0,
) -> fit.Run:
  """Trains to the end, or until held-out text is no longer learned better.

  Args:
    recipe: A config section with learning_rate, weight_decay, batch_size,
      max_steps, warmup_fraction, eval_every_steps and patience.
    module: The language model.
    params: Where it starts.
    name: Of the metrics, the bar and the error messages.
    train_rows: {"tokens", "mask"} [N L].
    heldout: The same of one or more domains, by name. Ranked by cross-entropy
      a token over all of them; with several, each domain's perplexity is among
      the scores.
    order_seed: Of the order of rows.
    dropout_rng: The root key of dropout.
    mesh: Where batches go.
    accumulate_steps: Parts a batch is gone through in; None: at once.
    folder: Gets the metrics, and the resume states that the caller clears.
    progress: Where the bar goes.
    given: Tokens of each held-out row after BOS that are not judged, for they
      are told.

  Returns:
    The run at its end, with the best parameters.

  Raises:
    signals.Stopped: A signal came; the next call goes on from there.
    UserError: The loss is not finite.
  """
  made = compiled.of_language_model(
    recipe,
    module,
    params,
    accumulate_steps=accumulate_steps,
    mesh=mesh,
    given=given,
  )

  def evaluate(params):
    totals = metrics.Totals()
    scores = {}
    for domain, rows in heldout.items():
      found = predict.total_metrics(
        made.eval_step, params, rows, batch_size=EVAL_BATCH_SIZE, mesh=mesh
      )
      totals.merge(found)
      if len(heldout) > 1:
        scores[f"perplexity_{domain}"] = perplexity(found.means()["xent"])
    xent = totals.means()["xent"]
    return {"xent": xent, "perplexity": perplexity(xent), **scores}

  resume = checkpoints.Resume(folder)
  run = fit.load_run(
    resume, fit.first_run(memory.fresh_state(params, made.tx, made.where))
  )
  order = batches.Batches(
    train_rows, batch_size=recipe.batch_size, seed=order_seed
  )
  start = int(run.state.step)
  writer = metrics.MetricsWriter(
    folder, start_step=start, silent=not devices.is_first()
  )
  with progress.bar(name, recipe.max_steps, unit="steps", done=start) as bar:
    run = fit.fit(
      run,
      name=name,
      train_step=made.train_step,
      batch_at=order.at,
      rng=dropout_rng,
      mesh=mesh,
      total_steps=recipe.max_steps,
      evaluate=evaluate,
      rank=lambda scores: (-scores["xent"],),
      eval_every_steps=recipe.eval_every_steps,
      patience=recipe.patience,
      resume=resume,
      writer=writer,
      bar=bar,
    )
  writer.close()
  resume.close()
  return run


def perplexity(xent: float) -> float:
  """Of a cross-entropy in nats a token; finite for any."""
  return float(np.exp(min(xent, 80.0)))
