# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One query a row over the live part of its cache: a Pallas kernel for GPUs.

Slots stand at positions of their own, so that most of a cache is dead: with
texts of 22 tokens on average and room for 64, two thirds of it. An einsum reads
all of it; here each head of each row is a program that stops at the row's own
position. The softmax is summed up block by block (Milakov and Gimelshein,
1805.02867).

Legend: B batch, H heads, N blocks, S positions of a block, K head size.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton
from jaxtyping import Array, Float, Int

from gd_jax.models.attention import BLOCK

# Finite, so that a difference of two is no NaN.
_LEAST = jnp.finfo(jnp.float32).min


def attend(
  q: Float[Array, "B H K"],
  keys: Float[Array, "B H N S K"],
  values: Float[Array, "B H N S K"],
  position: Int[Array, "B"],
) -> Float[Array, "B H K"]:
  """What each row's query finds in its cache up to `position`, in q's dtype.

  On anything but CUDA the kernel is interpreted, for tests: that is slow.

  Raises:
    ValueError: K is no power of two, which Triton can't load.
  """
  head_size = q.shape[-1]
  if head_size & (head_size - 1):
    raise ValueError(
      f"heads of {head_size} numbers: a blocked cache takes powers of two"
    )
  call = functools.partial(_call, q, keys)
  return lax.platform_dependent(
    position,
    q,
    keys,
    values,
    cuda=call(interpret=False),
    default=call(interpret=True),
  )


def _call(q, keys, *, interpret: bool):
  row_of_head = pl.BlockSpec((None, None, q.shape[2]), lambda b, h: (b, h, 0))
  cache = pl.BlockSpec(
    (None, None, *keys.shape[2:]), lambda b, h: (b, h, 0, 0, 0)
  )
  return pl.pallas_call(
    _kernel,
    grid=q.shape[:2],
    in_specs=[
      pl.BlockSpec((1,), lambda b, h: (b,)),
      row_of_head,
      cache,
      cache,
    ],
    out_specs=row_of_head,
    out_shape=jax.ShapeDtypeStruct(q.shape, q.dtype),
    interpret=interpret,
    compiler_params=triton.CompilerParams(num_warps=2, num_stages=2),
  )


def _kernel(position_ref, q_ref, keys_ref, values_ref, out_ref):
  """One head of one row. Triton's references are not read until indexed."""
  position = position_ref[0]
  q = q_ref[...].astype(jnp.float32) / jnp.sqrt(q_ref.shape[-1])

  def add_block(number, so_far):
    largest, total, mean = so_far
    keys = keys_ref[number].astype(jnp.float32)
    values = values_ref[number].astype(jnp.float32)
    live = number * BLOCK + jnp.arange(BLOCK) <= position
    scores = jnp.where(live, jnp.sum(keys * q[None], axis=1), _LEAST)
    new_largest = jnp.maximum(largest, jnp.max(scores))
    # 0 for the dead: no block is read that has nothing live in it.
    weights = jnp.exp(scores - new_largest)
    shrink = jnp.exp(largest - new_largest)
    # Dead values may be anything that a former row left there, but are finite.
    return (
      new_largest,
      total * shrink + jnp.sum(weights),
      mean * shrink + jnp.sum(values * weights[:, None], axis=0),
    )

  start = jnp.float32(_LEAST), jnp.float32(0), jnp.zeros_like(q)
  _, total, mean = lax.fori_loop(0, position // BLOCK + 1, add_block, start)
  out_ref[...] = (mean / total).astype(out_ref.dtype)
