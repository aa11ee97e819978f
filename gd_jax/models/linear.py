# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dense layers over rows: all leading dimensions as one, for XLA's sake.

Legend: N rows, I and O a layer's inputs and outputs.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
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

  The result is of x's dtype, whatever w's is. Float32 rows times bfloat16
  weights are products of bfloat16 summed in float32, for which CPUs with AMX
  have instructions; a result in bfloat16 XLA's CPU backend makes by another,
  slower way.
  """
  num_inputs, num_outputs = w.shape
  y = jax.lax.dot(
    x.reshape(-1, num_inputs).astype(w.dtype),
    w,
    precision=precision,
    preferred_element_type=x.dtype,
  )
  # In full: of no rows at all, -1 could be anything.
  return y.reshape(*x.shape[:-1], num_outputs)


def _dot_general(x, w, dimension_numbers, precision=None):
  """What `nn.Dense` asks for, always of the last and the first dimension."""
  del dimension_numbers
  return matmul(x, w, precision=precision)


def _promote(*args, dtype=None, inexact=True) -> list[Any]:
  """To the layer's dtype; but a kernel in bfloat16 stays as it was prepared."""
  x, kernel, bias = args
  if kernel.dtype != jnp.bfloat16:
    return promote_dtype(x, kernel, bias, dtype=dtype, inexact=inexact)
  x, bias = promote_dtype(x, bias, dtype=dtype, inexact=inexact)
  return [x, kernel, bias]


# As `nn.Dense` in all else: its params, their names and first values.
Dense = functools.partial(
  nn.Dense, dot_general=_dot_general, promote_dtype=_promote
)
