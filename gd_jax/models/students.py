# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The small classifiers: residual 1-D convolutions, and Kim's (2014) CNN.

Padding (mask 0, token id 0) never leaks: it is zeroed before each convolution
and left out of the pooling, so a text's logits do not depend on the length it
is padded to.

Legend: B batch, L length, I and O convolution inputs and outputs, W kernel
width, C classes.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gd_jax.models import linear
from gd_jax.models.dropout import Dropout

CONVS = ("lax", "im2col")


def convolve(
  x: Float[Array, "B L I"], kernel: Float[Array, "W I O"], *, conv: str
) -> Float[Array, "B L O"]:
  """A 1-D convolution that keeps the length (zeros beyond both ends).

  Args:
    conv: "lax" is XLA's convolution, fastest for one student and in inference;
      "im2col" is one matrix product over shifted copies, for students under
      `vmap` (a convolution with one kernel a student is slow) and inside
      `lax.scan` (46 times slower there on a CPU, jax issue #12868).
  """
  if conv == "lax":
    return jax.lax.conv_general_dilated(
      x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
    )
  width, length = kernel.shape[0], x.shape[1]
  before = (width - 1) // 2
  padded = jnp.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
  shifted = [padded[:, w : w + length] for w in range(width)]
  columns = jnp.concatenate(shifted, axis=-1)
  return linear.matmul(columns, kernel.reshape(-1, kernel.shape[-1]))


class Conv(nn.Module):
  """A convolution over real tokens; its output at padding is not zero."""

  num_filters: int
  width: int
  conv: str = "lax"
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x, real: Bool[Array, "B L"]):
    if self.conv not in CONVS:
      raise ValueError(f"conv is one of {CONVS}, not {self.conv!r}")
    kernel = self.param(
      "kernel",
      nn.initializers.he_normal(),
      (self.width, x.shape[-1], self.num_filters),
    )
    bias = self.param("bias", nn.initializers.zeros, (self.num_filters,))
    x = jnp.where(real[..., None], x, 0).astype(self.dtype)
    y = convolve(x, kernel.astype(self.dtype), conv=self.conv)
    return y + bias.astype(self.dtype)[None, None]


def max_pool(
  x: Float[Array, "B L D"], real: Bool[Array, "B L"]
) -> Float[Array, "B D"]:
  """The float32 maximum over real tokens; zeros for a row without any."""
  x = x.astype(jnp.float32)
  lowest = jnp.finfo(jnp.float32).min
  highest = jnp.where(real[..., None], x, lowest).max(axis=1)
  return jnp.where(real.any(axis=1)[:, None], highest, 0)


def mean_pool(
  x: Float[Array, "B L D"], real: Bool[Array, "B L"]
) -> Float[Array, "B D"]:
  """The float32 mean over real tokens; zeros for a row without any."""
  total = jnp.where(real[..., None], x.astype(jnp.float32), 0).sum(axis=1)
  return total / jnp.maximum(real.sum(axis=1), 1)[:, None]


class ResCnn(nn.Module):
  """Residual convolutions over word embeddings, max and mean pooled.

  1,077,888 + 257 C parameters as it stands; `params["embed"]["embedding"]` is
  the table [vocab_size, embed_width].
  """

  vocab_size: int
  num_classes: int
  embed_width: int = 96
  num_filters: int = 128
  num_blocks: int = 3
  kernel_width: int = 3
  dropout: float = 0.3
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
    real = mask > 0
    drop = Dropout(self.dropout, deterministic=deterministic)
    conv = functools.partial(
      Conv, self.num_filters, self.kernel_width, self.conv, self.dtype
    )
    norm = functools.partial(nn.LayerNorm, dtype=self.dtype)
    x = nn.Embed(
      self.vocab_size,
      self.embed_width,
      dtype=self.dtype,
      embedding_init=nn.initializers.normal(0.1),
      name="embed",
    )(tokens)
    x = linear.dense(self.num_filters, dtype=self.dtype, name="widen")(drop(x))
    for i in range(self.num_blocks):
      y = nn.gelu(conv(name=f"conv_{i}a")(norm(name=f"norm_{i}a")(x), real))
      y = conv(name=f"conv_{i}b")(norm(name=f"norm_{i}b")(y), real)
      x = x + drop(y)
    x = norm(name="norm_out")(x)
    pooled = jnp.concatenate([max_pool(x, real), mean_pool(x, real)], axis=-1)
    return nn.Dense(self.num_classes, name="classifier")(drop(pooled))


class KimCnn(nn.Module):
  """Kim 2014: parallel convolutions, each max pooled over the whole text.

  915,840 + 385 C parameters as it stands; `params["embed"]["embedding"]` is
  the table [vocab_size, embed_width].
  """

  vocab_size: int
  num_classes: int
  embed_width: int = 96
  num_filters: int = 128
  kernel_widths: tuple[int, ...] = (3, 4, 5)
  dropout: float = 0.5
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
    real = mask > 0
    x = nn.Embed(
      self.vocab_size,
      self.embed_width,
      dtype=self.dtype,
      embedding_init=nn.initializers.normal(0.1),
      name="embed",
    )(tokens)
    pooled = []
    for width in self.kernel_widths:
      conv = Conv(
        self.num_filters, width, self.conv, self.dtype, name=f"conv_{width}"
      )
      pooled.append(max_pool(nn.relu(conv(x, real)), real))
    x = jnp.concatenate(pooled, axis=-1)
    x = Dropout(self.dropout)(x, deterministic=deterministic)
    return nn.Dense(self.num_classes, name="classifier")(x)
