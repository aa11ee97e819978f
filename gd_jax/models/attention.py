# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Multi-head attention: over whole sequences, or one token with a cache.

Legend: B batch, L length (queries), M memory (keys), T cache length, D model
width, H heads, K head size.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gd_jax.models.dropout import Dropout

# One layer's (keys, values). Per layer, not stacked: XLA then updates each in
# place inside a while loop.
LayerCache = tuple[Float[Array, "B H T K"], Float[Array, "B H T K"]]
Cache = tuple[LayerCache, ...]

normal_init = nn.initializers.normal


def maybe_remat(block: Any, remat: bool) -> Any:
  """The class of a block (x, allowed, deterministic), rematerialised if so."""
  return nn.remat(block, static_argnums=(3,)) if remat else block


def layer_norm(config: Any, dtype: Any) -> nn.LayerNorm:
  """Layer norm with the config's epsilon."""
  # Not flax's fast variance E[x^2] - E[x]^2: it loses digits that parity with
  # PyTorch needs.
  return nn.LayerNorm(
    epsilon=config.layer_norm_eps, dtype=dtype, use_fast_variance=False
  )


def may_attend(
  mask: Int[Array, "B M"], *, causal: bool
) -> Bool[Array, "B 1 L M"]:
  """Which key each query may look at: real tokens, no later one if causal."""
  real = (mask > 0)[:, None, None, :]
  if not causal:
    return real
  length = mask.shape[1]
  earlier = jnp.tril(jnp.ones((length, length), bool))
  return real & earlier[None, None]


def empty_cache(
  config: Any, batch_size: int, *, max_length: int, dtype: Any
) -> Cache:
  """Zeroed keys and values, [B, H, T, K] each (the layout measured fastest).

  Args:
    config: a BertConfig or Gpt2Config.
    max_length: how many tokens a row can have.
  """
  head_size = config.width // config.num_heads
  shape = (batch_size, config.num_heads, max_length, head_size)
  return tuple(
    (jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))
    for _ in range(config.num_layers)
  )


def write_cache(
  cache: Float[Array, "B H T K"],
  new: Float[Array, "B H K"],
  position: Int[Array, "B"],
) -> Float[Array, "B H T K"]:
  """Writes each row's vector at that row's own position."""
  rows = jnp.arange(cache.shape[0])
  return cache.at[rows, :, position].set(
    new.astype(cache.dtype), unique_indices=True, mode="promise_in_bounds"
  )


def softmax_where(
  scores: Float[Array, "..."], allowed: Bool[Array, "..."]
) -> Float[Array, "..."]:
  """Float32 softmax over the last axis; finite where nothing is allowed."""
  scores = scores.astype(jnp.float32)
  scores = jnp.where(allowed, scores, jnp.finfo(jnp.float32).min)
  return jax.nn.softmax(scores, axis=-1)


class Attention(nn.Module):
  """Self-attention with one fused query-key-value projection.

  Attributes:
    out_stddev: standard deviation of the output projection's initial weights.
  """

  width: int
  num_heads: int
  dropout: float = 0.0
  out_stddev: float = 0.02
  dtype: Any = jnp.float32

  def setup(self):
    if self.width % self.num_heads:
      raise ValueError(
        f"width {self.width} is not a multiple of num_heads {self.num_heads}"
      )
    self.qkv = nn.Dense(
      3 * self.width, dtype=self.dtype, kernel_init=normal_init(0.02)
    )
    self.out = nn.Dense(
      self.width, dtype=self.dtype, kernel_init=normal_init(self.out_stddev)
    )
    self.drop = Dropout(self.dropout)

  def __call__(
    self,
    x: Float[Array, "B L D"],
    allowed: Bool[Array, "B 1 #L L"],
    *,
    deterministic: bool = True,
  ) -> Float[Array, "B L D"]:
    q, k, v = self._heads(x)
    scores = jnp.einsum(
      "BLHK,BMHK->BHLM", q, k, preferred_element_type=jnp.float32
    )
    probs = softmax_where(scores / jnp.sqrt(q.shape[-1]), allowed)
    probs = self.drop(probs.astype(self.dtype), deterministic=deterministic)
    y = jnp.einsum("BHLM,BMHK->BLHK", probs, v)
    return self.out(y.reshape(x.shape))

  def decode(
    self,
    x: Float[Array, "B D"],
    position: Int[Array, "B"],
    cache: LayerCache,
  ) -> tuple[Float[Array, "B D"], LayerCache]:
    """One token a row, which sees its row's cache up to and with itself.

    What stands in the cache after `position` is never read, so that a slot is
    reused by setting its position to 0, without clearing.
    """
    q, k, v = self._heads(x)
    keys = write_cache(cache[0], k, position)
    values = write_cache(cache[1], v, position)
    scores = jnp.einsum(
      "BHK,BHTK->BHT", q, keys, preferred_element_type=jnp.float32
    )
    live = jnp.arange(keys.shape[2])[None, :] <= position[:, None]
    probs = softmax_where(scores / jnp.sqrt(q.shape[-1]), live[:, None, :])
    y = jnp.einsum("BHT,BHTK->BHK", probs.astype(self.dtype), values)
    return self.out(y.astype(self.dtype).reshape(x.shape)), (keys, values)

  def _heads(self, x):
    """Queries, keys and values, each [..., H, K]."""
    qkv = self.qkv(x).reshape(*x.shape[:-1], 3, self.num_heads, -1)
    return qkv[..., 0, :, :], qkv[..., 1, :, :], qkv[..., 2, :, :]
