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
from jax.experimental import layout
from jaxtyping import Array, Float


def matmul(
  x: Float[Array, "*N I"],
  w: Float[Array, "I O"],
  *,
  dtype: Any = None,
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

  Args:
    x: Rows.
    w: Weights.
    dtype: What is multiplied, here and for the gradients, is rounded to this;
      sums and gradients are not. On CPUs with a single device only, see
      `_row_by_row`. None: as w is.
    precision: As `jax.lax.dot` has it; not heeded with `dtype`.
  """
  num_inputs, num_outputs = w.shape
  rows = x.reshape(-1, num_inputs)
  y: Any
  if dtype is not None:
    y = _rounded_product(dtype, rows, w)
  else:
    y = jax.lax.dot(
      rows.astype(w.dtype),
      w,
      precision=precision,
      preferred_element_type=x.dtype,
    )
  # In full: of no rows at all, -1 could be anything.
  return y.reshape(*x.shape[:-1], num_outputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _rounded_product(
  dtype: Any, x: Float[Array, "N I"], w: Float[Array, "I O"]
) -> Float[Array, "N O"]:
  """x @ w of numbers rounded to `dtype`, in x's dtype; no forward mode."""
  return _dot(dtype, x, w, x.dtype)


def _rounded_forward(dtype, x, w):
  # Rounded rows are all that the gradient of w needs, in half the memory.
  return _rounded_product(dtype, x, w), (x.astype(dtype), w)


def _rounded_backward(dtype, kept, g):
  x, w = kept
  dx = _dot(dtype, g, w.T, g.dtype)
  # Row by row as well: XLA would make the transposed of a tied head's gradient
  # by a product of transposed factors, which it has no bfloat16 for.
  dw = _row_by_row(_dot(dtype, x.T, g, jnp.float32))
  return dx, dw.astype(w.dtype)


_rounded_product.defvjp(_rounded_forward, _rounded_backward)


def _dot(dtype, a, b, result):
  # Products of transposed views XLA's CPU backend makes without AMX, up to
  # four times slower than a transposed copy and a product together.
  a, b = (_row_by_row(x.astype(dtype)) for x in (a, b))
  return jax.lax.dot(a, b, preferred_element_type=result)


def _row_by_row(x):
  """The same array, in a CPU's memory row by row and no transposed view.

  XLA does not divide such an array over several devices, and gathers it.
  """
  return jax.lax.platform_dependent(
    x,
    cpu=lambda x: layout.with_layout_constraint(x, layout.Layout((0, 1))),
    default=lambda x: x,
  )


def _promote(*args, dtype=None, inexact=True) -> list[Any]:
  """To the layer's dtype; but a kernel in bfloat16 stays as it was prepared."""
  x, kernel, bias = args
  if kernel.dtype != jnp.bfloat16:
    return promote_dtype(x, kernel, bias, dtype=dtype, inexact=inexact)
  x, bias = promote_dtype(x, bias, dtype=dtype, inexact=inexact)
  return [x, kernel, bias]


def dense(
  features: int, *, matmul_dtype: Any = None, **fields: Any
) -> nn.Dense:
  """`nn.Dense`, with its params, their names and first values, by `matmul`.

  Args:
    features: O.
    matmul_dtype: What is multiplied is rounded to this; see `matmul`.
    **fields: Of `nn.Dense`.
  """

  def dot_general(x, w, dimension_numbers, precision=None):
    # Always the last dimension and the first.
    del dimension_numbers
    return matmul(x, w, dtype=matmul_dtype, precision=precision)

  return nn.Dense(
    features, dot_general=dot_general, promote_dtype=_promote, **fields
  )
