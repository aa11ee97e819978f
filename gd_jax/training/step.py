# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One optimizer step, the same for teacher, generator and student."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax
from flax import struct
from jaxtyping import Array, Int, Key

Params = Any
Batch = Mapping[str, Array]
# Every metric is (sum, count): such pairs add up over batches of any size, and
# the host divides once.
Metrics = dict[str, tuple[Array, Array]]
LossFn = Callable[[Params, Batch, Array], tuple[Array, Metrics]]


@struct.dataclass
class TrainState:
  """What one step reads and replaces; the rng is derived, never stored."""

  step: Int[Array, ""]
  params: Params
  opt_state: optax.OptState


def init_state(params: Params, tx: optax.GradientTransformation) -> TrainState:
  """A state at step 0 that owns its arrays.

  The copy matters: the train step donates its state, and the caller may still
  need `params` (a second restart, the best parameters so far).
  """
  params = jax.tree.map(jax.numpy.array, params)
  return TrainState(jax.numpy.zeros((), "int32"), params, tx.init(params))


def make_train_step(
  loss_fn: LossFn, tx: optax.GradientTransformation
) -> Callable[[TrainState, Batch, Key[Array, ""]], tuple[TrainState, Metrics]]:
  """Builds the pure train_step(state, batch, rng) -> (state, metrics).

  Args:
    loss_fn: loss_fn(params, batch, rng) -> (loss, metrics), loss a float32
      scalar.
    tx: The optimizer.

  Returns:
    A function to jit (or vmap, then jit). `rng` is the root key of the whole
    run; the step folds its own number in, so that step t draws the same noise
    however often the run was interrupted.
  """

  def train_step(state, batch, rng):
    step_rng = jax.random.fold_in(rng, state.step)
    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (loss, metrics), grads = grad_fn(state.params, batch, step_rng)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    one = jax.numpy.ones((), "float32")
    metrics = metrics | {
      "loss": (loss, one),
      "grad_norm": (optax.tree.norm(grads), one),
    }
    return TrainState(state.step + 1, params, opt_state), metrics

  return train_step
