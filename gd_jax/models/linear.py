# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dense layers over rows: all leading dimensions as one, for XLA's sake.

Legend: N rows, I and O a layer's inputs and outputs.
"""

import functools

import flax.linen as nn
import jax
from jaxtyping import Array, Float


def matmul(
  x: Float[Array, "*N I"],
  w: Float[Array, "I O"],
  *,
  precision: jax.lax.PrecisionLike = None,
) -> Float[Array, "*N O"]:
  """x @ w, with one dimension of rows to sum over in the gradient of w.

  Where there are two, batch and length, XLA's CPU backend makes a transposed
  copy of the output's gradient first and fuses into it all that made it: of a
  residual stream every later layer, anew for each. That was a fifth of a
  GPT-2's step.
  """
  num_inputs, num_outputs = w.shape
  y = jax.lax.dot(x.reshape(-1, num_inputs), w, precision=precision)
  # In full: of no rows at all, -1 could be anything.
  return y.reshape(*x.shape[:-1], num_outputs)


def _dot_general(x, w, dimension_numbers, precision=None):
  """What `nn.Dense` asks for, always of the last and the first dimension."""
  del dimension_numbers
  return matmul(x, w, precision=precision)


# As `nn.Dense` in all else: its params, their names and first values.
Dense = functools.partial(nn.Dense, dot_general=_dot_general)
