# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pairs of rows mixed into one, as MixKD does (Liang et al. 2021).

A row's word vectors are mixed with its partner's, place by place, and so are
their targets. MixKD asks the teacher about the mixed row; the soft labels here
are on disk, so the student gets the mixture of the teacher's two answers.

Legend: B batch, L length, D model width.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key


def draw(
  rng: Key[Array, ""], labelled: Bool[Array, " B"], *, alpha: float
) -> tuple[Float[Array, " B"], Int[Array, " B"]]:
  """(share, partner): each row's own share, and whom it is mixed with.

  Args:
    rng: Decides.
    labelled: Partners are of the same kind, so that the rows' weights and
      targets stay what they are.
    alpha: Shares are of Beta(alpha, alpha): near 0 or 1 for a small alpha.
  """
  of_order, of_share = jax.random.split(rng)
  noise = jax.random.uniform(of_order, labelled.shape)
  # Both list the labelled rows last, one of them in another order.
  ordered = jnp.argsort(labelled, stable=True)
  shuffled = jnp.lexsort((noise, labelled))
  partner = jnp.zeros_like(ordered).at[ordered].set(shuffled)
  return jax.random.beta(of_share, alpha, alpha, labelled.shape), partner


def mixed(x: Array, share: Float[Array, " B"], partner: Int[Array, " B"]):
  """share * x + (1 - share) * x[partner], for x [B ...]."""
  share = share.reshape(-1, *[1] * (x.ndim - 1))
  return share * x + (1 - share) * x[partner]


def apply(
  module: nn.Module,
  params,
  tokens: Int[Array, "B L"],
  mask: Int[Array, "B L"],
  *,
  share: Float[Array, " B"],
  partner: Int[Array, " B"],
  rng: Key[Array, ""],
) -> Float[Array, "B C"]:
  """The logits in training of the mixed rows, each as long as its longer part.

  Args:
    module: A student; its table is the submodule "embed".
    params: Its parameters.
    tokens: As the module takes them.
    mask: As the module takes it.
    share: From `draw`.
    partner: From `draw`.
    rng: Of dropout.
  """

  def mix_vectors(call, args, kwargs, context):
    vectors = call(*args, **kwargs)
    # An Embed has a setup, which is intercepted as well.
    if (context.module.name, context.method_name) != ("embed", "__call__"):
      return vectors
    # Padding has a vector, too; it counts nothing.
    vectors = jnp.where(mask[..., None] > 0, vectors, jnp.zeros_like(vectors))
    return mixed(vectors, share, partner)

  with nn.intercept_methods(mix_vectors):
    logits = module.apply(
      {"params": params},
      tokens,
      jnp.maximum(mask, mask[partner]),
      deterministic=False,
      rngs={"dropout": rng},
    )
  assert not isinstance(logits, tuple), "no collection is mutable"
  return logits
