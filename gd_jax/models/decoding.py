# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the decoders (GPT-2, BERT turned decoder) share: the tied head.

Legend: B batch, D model width, V vocabulary, W vocabulary filled up.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gd_jax.models import linear

# A product of a multiple of so many columns is up to half again as fast by a
# CPU's AMX as one of GPT-2's 50,257.
_AMX_COLUMNS = 512


def word_table(params: dict) -> Float[Array, "V D"]:
  """The word embeddings of a decoder's or a loaded BERT's params."""
  return params.get("bert", params)["word"]["embedding"]


def tied_logits(
  hidden: Float[Array, "*B D"],
  table: Float[Array, "V D"],
  head: Float[Array, "D W"] | None = None,
  *,
  matmul_dtype: Any = None,
) -> Float[Array, "*B V"]:
  """Float32 logits of a head tied to the word embeddings.

  `head` is the same table, transposed once by `prepare`: on a CPU the matrix
  product over [D, V] is up to twice as fast as over [V, D]. Columns that
  `prepare` added have no logits. Without it `matmul_dtype` is the dtype of
  `linear.matmul`.
  """
  if head is None and matmul_dtype is not None:
    rows = hidden.astype(jnp.float32)
    return linear.matmul(rows, table.T, dtype=matmul_dtype)
  weights = table.T.astype(hidden.dtype) if head is None else head
  logits = jnp.matmul(
    hidden.astype(weights.dtype), weights, preferred_element_type=jnp.float32
  )
  return logits[..., : len(table)]


def prepare(
  params: dict, dtype: Any = jnp.float32, *, matmul_dtype: Any = None
) -> dict:
  """Params for many decoding steps: cast once, the head transposed once.

  Args:
    params: A decoder's.
    dtype: What they become.
    matmul_dtype: What the weights of matrix products become instead, and
      what is multiplied by them with them; results stay in the model's dtype.
      None: `dtype`.

  Returns:
    A new dict with `params["head"]` [D, W]; not for training, where the head
    must stay tied. W is V, and with `matmul_dtype` V filled up by zeros.
  """
  of_products = dtype if matmul_dtype is None else matmul_dtype

  def cast(path, x):
    return jnp.asarray(x, of_products if path[-1].key == "kernel" else dtype)

  head = jnp.array(jnp.asarray(word_table(params), of_products).T)
  if matmul_dtype is not None:
    head = jnp.pad(head, ((0, 0), (0, -head.shape[1] % _AMX_COLUMNS)))
  return {**jax.tree_util.tree_map_with_path(cast, params), "head": head}
