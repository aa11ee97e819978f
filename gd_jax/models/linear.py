# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dense layers whose weight gradients XLA can compute from rows as they lie.

Legend: N rows, I and O a layer's inputs and outputs.
"""

import functools

import flax.linen as nn
import jax
from jaxtyping import Array, Float


@jax.custom_vjp
def matmul(
  x: Float[Array, "*N I"], w: Float[Array, "I O"]
) -> Float[Array, "*N O"]:
  """x @ w, for reverse mode only.

  JAX's own gradient of `w` is the transpose of a product [O, N] @ [N, I]. On a
  CPU XLA turns that into one with a transposed copy of the output's gradient,
  and fuses into the copy all that made it: of a residual stream, every later
  layer, so that a step did work quadratic in the number of layers. Here it is
  [I, N] @ [N, O].
  """
  return x @ w


def _forward(x, w):
  return x @ w, (x, w)


def _backward(kept, g):
  x, w = kept
  rows, g_rows = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
  return g @ w.T, rows.T @ g_rows


matmul.defvjp(_forward, _backward)


def _dot_general(x, w, dimension_numbers, precision=None):
  """`nn.Dense` asks for its product by this signature, always the same one."""
  del dimension_numbers, precision
  return matmul(x, w)


# As `nn.Dense` in all else: its params, their names and first values.
Dense = functools.partial(nn.Dense, dot_general=_dot_general)
