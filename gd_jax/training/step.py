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
  loss_fn: LossFn,
  tx: optax.GradientTransformation,
  *,
  accumulate_steps: int | None = None,
) -> Callable[[TrainState, Batch, Key[Array, ""]], tuple[TrainState, Metrics]]:
  """Builds the pure train_step(state, batch, rng) -> (state, metrics).

  Args:
    loss_fn: loss_fn(params, batch, rng) -> (loss, metrics), loss a float32
      scalar.
    tx: The optimizer.
    accumulate_steps: Parts in which a batch is gone through, so that the
      activations of one alone are in memory; None: at once. The loss must be a
      mean over what `metrics["xent"]` counts. Only noise, such as dropout's,
      then differs from the batch at once.

  Returns:
    A function to jit (or vmap, then jit). `rng` is the root key of the whole
    run; the step folds its own number in, so that step t draws the same noise
    however often the run was interrupted.
  """

  grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
  if accumulate_steps is not None and accumulate_steps > 1:
    grad_fn = _in_parts(grad_fn, accumulate_steps)

  def train_step(state, batch, rng):
    step_rng = jax.random.fold_in(rng, state.step)
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


def _in_parts(grad_fn: Callable, num_parts: int) -> Callable:
  """As `grad_fn`, of a batch's parts one after another."""

  def split(x):
    # Part i is every num_parts-th row: each device goes on with its own rows.
    rows = x.reshape(x.shape[0] // num_parts, num_parts, *x.shape[1:])
    return rows.swapaxes(0, 1)

  def of_part(params, part, rng):
    (loss, metrics), grads = grad_fn(params, part, rng)
    weight = metrics["xent"][1]
    weighed = jax.tree.map(lambda x: x * weight, (loss, grads))
    return weighed, metrics

  def of_batch(params, batch, rng):
    parts = jax.tree.map(split, dict(batch))
    rngs = jax.vmap(jax.random.fold_in, (None, 0))(
      rng, jax.numpy.arange(num_parts)
    )

    def add(total, each):
      return jax.tree.map(jax.numpy.add, total, of_part(params, *each)), None

    first = jax.tree.map(lambda x: x[0], (parts, rngs))
    shapes = jax.eval_shape(of_part, params, *first)
    zeros = jax.tree.map(lambda x: jax.numpy.zeros(x.shape, x.dtype), shapes)
    (weighed, metrics), _ = jax.lax.scan(add, zeros, (parts, rngs))
    weight = jax.numpy.maximum(metrics["xent"][1], 1)
    loss, grads = jax.tree.map(lambda x: x / weight, weighed)
    return (loss, metrics), grads

  return of_batch
