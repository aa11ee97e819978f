# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The student of "Transformer to CNN" (Chia et al. 2019), to be compared with.

Its sizes are those of the public code for the paper, as are its plain ReLUs
without dropout or normalisation.
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gd_jax.models.students import Conv, mean_pool


class BlendCnn(nn.Module):
  """Stacked convolutions; the means after every one of them are classified.

  3,533,100 + 101 C parameters with BERT's 30,522 word pieces;
  `params["embed"]["embedding"]` is the table [vocab_size, embed_width].
  """

  vocab_size: int
  num_classes: int
  embed_width: int = 100
  num_filters: int = 100
  num_layers: int = 8
  kernel_width: int = 5
  hidden_width: int = 100
  conv: str = "lax"
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    tokens: Int[Array, "B L"],
    mask: Int[Array, "B L"],
    *,
    deterministic: bool = True,
  ) -> Float[Array, "B C"]:
    del deterministic  # It has no dropout.
    real = mask > 0
    conv = functools.partial(
      Conv, self.num_filters, self.kernel_width, self.conv, self.dtype
    )
    x = nn.Embed(
      self.vocab_size,
      self.embed_width,
      dtype=self.dtype,
      embedding_init=nn.initializers.normal(1.0),
      name="embed",
    )(tokens)
    pooled = []
    for i in range(self.num_layers):
      x = nn.relu(conv(name=f"conv_{i}")(x, real))
      pooled.append(mean_pool(x, real))
    x = nn.Dense(self.hidden_width, name="hidden")(
      jnp.concatenate(pooled, axis=-1)
    )
    return nn.Dense(self.num_classes, name="classifier")(nn.relu(x))
