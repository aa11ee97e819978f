# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the decoders (GPT-2, BERT turned decoder) share: the tied head.

Legend: B batch, D model width, V vocabulary.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def word_table(params: dict) -> Float[Array, "V D"]:
  """The word embeddings of a decoder's or a loaded BERT's params."""
  return params.get("bert", params)["word"]["embedding"]


def tied_logits(
  hidden: Float[Array, "*B D"],
  table: Float[Array, "V D"],
  head: Float[Array, "D V"] | None = None,
) -> Float[Array, "*B V"]:
  """Float32 logits of a head tied to the word embeddings.

  `head` is the same table, transposed once by `prepare`: on a CPU the matrix
  product over [D, V] is up to twice as fast as over [V, D].
  """
  weights = table.T if head is None else head
  return jnp.matmul(
    hidden, weights.astype(hidden.dtype), preferred_element_type=jnp.float32
  )


def prepare(params: dict, dtype: Any = jnp.float32) -> dict:
  """Params for many decoding steps: cast once, the head transposed once.

  Returns a new dict with `params["head"]` [D, V]; not for training, where the
  head must stay tied.
  """
  params = jax.tree.map(lambda x: jnp.asarray(x, dtype), params)
  return {**params, "head": jnp.array(word_table(params).T)}
