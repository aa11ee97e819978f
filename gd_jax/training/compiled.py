# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The compiled functions that teacher and generator are trained by.

Here alone they are made: for a phase that trains, and for a plan that compiles
them for another machine.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import optax
from jax.sharding import Mesh

from gd_jax.training import fit, losses, memory, optim, predict
from gd_jax.training import step as step_lib


class Programs(NamedTuple):
  """A training over a mesh.

  Attributes:
    tx: The optimizer.
    where: The state's places.
    train_step: From `fit.compile_step`.
    eval_step: Of held-out rows, from `predict`.
  """

  tx: optax.GradientTransformation
  where: step_lib.TrainState
  train_step: Callable
  eval_step: predict.Step


def of_classifier(
  c: Any, module: Any, params: step_lib.Params, *, total_steps: int, mesh: Mesh
) -> Programs:
  """A teacher's; held-out rows become logits.

  Args:
    c: The section `teacher`.
    module: The classifier.
    params: Arrays, or their shapes.
    total_steps: Of one restart.
    mesh: Where batches go.
  """
  tx = optim.adamw(
    _schedule(c, total_steps),
    weight_decay=c.weight_decay,
    rates=optim.layerwise_rates(params, decay=c.layerwise_decay),
  )
  return _programs(
    losses.make_classifier_loss(module),
    tx,
    params,
    predict.make_label_step(module, mesh),
    accumulate_steps=c.accumulate_steps,
    mesh=mesh,
  )


def of_language_model(
  recipe: Any,
  module: Any,
  params: step_lib.Params,
  *,
  accumulate_steps: int | None,
  mesh: Mesh,
  given: int = 0,
) -> Programs:
  """A generator's, of either stage; held-out rows become cross-entropy.

  Args:
    recipe: The section `generator` or `generator.pretrain`.
    module: The language model.
    params: Arrays, or their shapes.
    accumulate_steps: Parts a batch is gone through in; None: at once.
    mesh: Where batches go.
    given: As `predict.make_lm_eval_step` has it.
  """
  tx = optim.adamw(
    _schedule(recipe, recipe.max_steps), weight_decay=recipe.weight_decay
  )
  return _programs(
    losses.make_lm_loss(module),
    tx,
    params,
    predict.make_lm_eval_step(module, mesh, given=given),
    accumulate_steps=accumulate_steps,
    mesh=mesh,
  )


def _schedule(recipe: Any, total_steps: int) -> optax.Schedule:
  return optim.warmup_linear_decay(
    recipe.learning_rate,
    total_steps=total_steps,
    warmup_fraction=recipe.warmup_fraction,
  )


def _programs(
  loss_fn: step_lib.LossFn,
  tx: optax.GradientTransformation,
  params: step_lib.Params,
  eval_step: predict.Step,
  *,
  accumulate_steps: int | None,
  mesh: Mesh,
) -> Programs:
  where = memory.places(mesh, params, tx)
  train_step = step_lib.make_train_step(
    loss_fn, tx, accumulate_steps=accumulate_steps
  )
  return Programs(
    tx, where, fit.compile_step(train_step, mesh, where), eval_step
  )
