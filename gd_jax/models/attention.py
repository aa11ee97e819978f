# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Multi-head attention: over whole sequences, or one token with a cache.

Legend: B batch, L length (queries), M memory (keys), T cache length, N blocks
of S positions, D model width, H heads, K head size.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gd_jax.models import linear
from gd_jax.models.dropout import Dropout

# Keys or values of one layer, in one of the layouts of `cache_layout`.
Kept = (
  Float[Array, "B H T K"] | Float[Array, "B T D"] | Float[Array, "B H N S K"]
)
# One layer's (keys, values). Per layer, not stacked: XLA then updates each in
# place inside a while loop.
LayerCache = tuple[Kept, Kept]
Cache = tuple[LayerCache, ...]

LAYOUTS = ("by_head", "merged", "blocked")
# S: of powers of two, the smallest of which a GPU's load is still wide.
BLOCK = 16

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


def cache_layout(platform: str) -> str:
  """How a cache lies in the memory of "cpu", "gpu" or "tpu".

  Returns:
    "by_head" is [B, H, T, K], the fastest one measured on CPUs. "merged" is
    [B, T, D], the heads side by side: a TPU fills the last axis up to 128
    numbers, so a head's 64 would take twice their bytes and time. "blocked" is
    [B, H, N, S, K], of which a kernel for GPUs reads the live blocks alone; it
    has not been timed, so that one must ask for it.
  """
  return "merged" if platform == "tpu" else "by_head"


def empty_cache(
  config: Any, batch_size: int, *, max_length: int, dtype: Any, layout: str
) -> Cache:
  """Zeroed keys and values.

  Args:
    config: a BertConfig or Gpt2Config.
    max_length: how many tokens a row can have.
    layout: as `cache_layout` says it.
  """
  heads, head_size = config.num_heads, config.width // config.num_heads
  shape = {
    "by_head": (batch_size, heads, max_length, head_size),
    "merged": (batch_size, max_length, config.width),
    "blocked": (batch_size, heads, -(-max_length // BLOCK), BLOCK, head_size),
  }[layout]
  return tuple(
    (jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))
    for _ in range(config.num_layers)
  )


def write_cache(
  cache: Kept, new: Float[Array, "B H K"], position: Int[Array, "B"]
) -> Kept:
  """Writes each row's vector at that row's own position."""
  rows = jnp.arange(cache.shape[0])
  place = cache.at[rows, :, position]
  if _is_blocked(cache):
    block, within = jnp.divmod(position, cache.shape[3])
    place = cache.at[rows, :, block, within]
  elif _is_merged(cache):
    place, new = cache.at[rows, position], new.reshape(len(new), -1)
  return place.set(
    new.astype(cache.dtype), unique_indices=True, mode="promise_in_bounds"
  )


def attend_cache(
  q: Float[Array, "B H K"],
  cache: LayerCache,
  position: Int[Array, "B"],
) -> Float[Array, "B H K"]:
  """What each row's query finds in its cache up to `position`, in q's dtype."""
  keys, values = cache
  if _is_blocked(keys):
    # Here, for Pallas takes a second to import and few ask for it.
    from gd_jax.models import live_attention

    return live_attention.attend(q, keys, values, position)
  merged = _is_merged(keys)
  own = jnp.eye(q.shape[1], dtype=q.dtype)[None, :, :, None]
  if merged:
    # Each head's query among zeros, as wide as all heads: matrix products
    # then read the cache as it lies. The sums gain only zeros.
    spread = (q[:, :, None] * own).reshape(*q.shape[:2], -1)
    scores = jnp.einsum(
      "BHD,BTD->BHT", spread, keys, preferred_element_type=jnp.float32
    )
  else:
    scores = jnp.einsum(
      "BHK,BHTK->BHT", q, keys, preferred_element_type=jnp.float32
    )
  live = jnp.arange(scores.shape[-1])[None, :] <= position[:, None]
  probs = softmax_where(scores / jnp.sqrt(q.shape[-1]), live[:, None, :])
  probs = probs.astype(q.dtype)
  if merged:
    y = jnp.einsum("BHT,BTD->BHD", probs, values)
    y = (y.reshape(*q.shape[:2], *q.shape[1:]) * own).sum(axis=2)
  else:
    y = jnp.einsum("BHT,BHTK->BHK", probs, values)
  return y.astype(q.dtype)


def _is_blocked(cache: Kept) -> bool:
  return cache.ndim == 5


def _is_merged(cache: Kept) -> bool:
  return cache.ndim == 3


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
    matmul_dtype: As in `bert.Bert`.
  """

  width: int
  num_heads: int
  dropout: float = 0.0
  out_stddev: float = 0.02
  dtype: Any = jnp.float32
  matmul_dtype: Any = None

  def setup(self):
    if self.width % self.num_heads:
      raise ValueError(
        f"width {self.width} is not a multiple of num_heads {self.num_heads}"
      )
    dense = functools.partial(
      linear.dense, dtype=self.dtype, matmul_dtype=self.matmul_dtype
    )
    self.qkv = dense(3 * self.width, kernel_init=normal_init(0.02))
    self.out = dense(self.width, kernel_init=normal_init(self.out_stddev))
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
    cache = (
      write_cache(cache[0], k, position),
      write_cache(cache[1], v, position),
    )
    return self.out(attend_cache(q, cache, position).reshape(x.shape)), cache

  def _heads(self, x):
    """Queries, keys and values, each [..., H, K]."""
    qkv = self.qkv(x).reshape(*x.shape[:-1], 3, self.num_heads, -1)
    return qkv[..., 0, :, :], qkv[..., 1, :, :], qkv[..., 2, :, :]
