# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""AdamW with bias correction, warm-up, linear decay and layer-wise rates."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from gd_jax.training import step as step_lib


def warmup_linear_decay(
  peak: float | Float[Array, ""], *, total_steps: int, warmup_fraction: float
) -> optax.Schedule:
  """learning_rate(step): up to `peak` on a line, then down to 0 on a line.

  Step 0 already moves (peak / warmup_steps): a rate of 0 would waste a batch
  and make a one-step run a no-op.

  Args:
    peak: The largest rate; may be traced.
    total_steps: Steps of the whole run.
    warmup_fraction: Share of them in which the rate rises (at least one step).
  """
  warmup_steps = max(1, round(warmup_fraction * total_steps))

  def learning_rate(step: Any) -> Float[Array, ""]:
    up = (step + 1) / warmup_steps
    down = (total_steps - step) / max(1, total_steps - warmup_steps + 1)
    return peak * jnp.clip(jnp.minimum(up, down), 0.0, 1.0)

  return learning_rate


def decays(params: step_lib.Params) -> step_lib.Params:
  """True for matrices; biases and LayerNorm scales are not decayed."""
  return jax.tree.map(lambda x: x.ndim > 1, params)


def layerwise_rates(
  params: step_lib.Params, *, decay: float
) -> step_lib.Params:
  """Per-leaf factors decay^(depth below the head), for `adamw(rates=...)`.

  Few labels move the top of a pretrained network where they should and the
  bottom only at random; smaller steps below are the usual cure (Howard & Ruder
  2018 section 3.2; Zhang et al. 2021, "Revisiting few-sample BERT
  fine-tuning").

  Args:
    params: A parameter tree whose blocks are named layers_0, layers_1, ... or
      blocks_0, ...
    decay: Factor per layer; 1 makes every rate equal.

  Returns:
    A tree of floats: 1 for the head, decay for the top layer, and so on down
    to decay^(layers + 1) for the embeddings.
  """
  paths = jax.tree_util.tree_flatten_with_path(params)[0]
  layers = 1 + max((_layer(path) for path, _ in paths), default=-1)

  def rate(path, _):
    if "embed" in jax.tree_util.keystr(path):
      return decay ** (layers + 1)
    layer = _layer(path)
    return 1.0 if layer < 0 else decay ** (layers - layer)

  return jax.tree_util.tree_map_with_path(rate, params)


def adamw(
  learning_rate: optax.ScalarOrSchedule,
  *,
  weight_decay: float,
  clip_norm: float = 1.0,
  rates: step_lib.Params | None = None,
) -> optax.GradientTransformation:
  """Clipped AdamW. Bias correction is on (BERT's own optimizer left it out,
  which makes few-label runs fail: Mosbach et al. 2021).

  Args:
    learning_rate: A number or a function of the step.
    weight_decay: Decoupled, on matrices only (`decays`).
    clip_norm: Gradients longer than this are scaled to it.
    rates: Factor of each leaf's update, as from `layerwise_rates`.
  """
  parts = [
    optax.clip_by_global_norm(clip_norm),
    optax.adamw(
      learning_rate, eps=1e-6, weight_decay=weight_decay, mask=decays
    ),
  ]
  if rates is not None:
    parts.append(_scale_by(rates))
  return optax.chain(*parts)


def _layer(path: tuple) -> int:
  """7 for what is in layers_7 or blocks_7, -1 for what is in no block."""
  found = re.search(r"(?:layers|blocks)_(\d+)", jax.tree_util.keystr(path))
  return int(found.group(1)) if found else -1


def _scale_by(rates: step_lib.Params) -> optax.GradientTransformation:
  def update(updates, params=None):
    del params
    return jax.tree.map(lambda u, rate: u * rate, updates, rates)

  return optax.stateless(update)
