# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""GPT-2 (Radford et al. 2019): all tokens at once, or one with a cache.

Legend: B batch, L length, D model width, V vocabulary.
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gd_jax.models import attention, decoding, linear
from gd_jax.models.dropout import Dropout


@dataclasses.dataclass(frozen=True)
class Gpt2Config:
  """The shape of a GPT-2; the defaults are gpt2 (124 M parameters)."""

  vocab_size: int = 50257
  width: int = 768
  num_layers: int = 12
  num_heads: int = 12
  mlp_width: int = 3072
  max_length: int = 1024
  dropout: float = 0.1
  layer_norm_eps: float = 1e-5


class Gpt2Block(nn.Module):
  """Attention, then an MLP; each normalises its input (pre-LN) and adds."""

  config: Gpt2Config
  dtype: Any = jnp.float32
  matmul_dtype: Any = None

  def setup(self):
    c = self.config
    # GPT-2's own scaling of what is added to the residual stream.
    out_stddev = 0.02 / (2 * c.num_layers) ** 0.5
    self.attention_norm = attention.layer_norm(c, self.dtype)
    self.attention = attention.Attention(
      c.width,
      c.num_heads,
      dropout=c.dropout,
      out_stddev=out_stddev,
      dtype=self.dtype,
      matmul_dtype=self.matmul_dtype,
    )
    self.mlp_norm = attention.layer_norm(c, self.dtype)
    dense = functools.partial(
      linear.dense, dtype=self.dtype, matmul_dtype=self.matmul_dtype
    )
    self.up = dense(c.mlp_width, kernel_init=attention.normal_init(0.02))
    self.down = dense(c.width, kernel_init=attention.normal_init(out_stddev))
    self.drop = Dropout(c.dropout)

  def __call__(self, x, allowed, deterministic: bool = True):
    y = self.attention(
      self.attention_norm(x), allowed, deterministic=deterministic
    )
    x = x + self.drop(y, deterministic=deterministic)
    return x + self.drop(self._mlp(x), deterministic=deterministic)

  def decode(self, x, position, cache):
    y, cache = self.attention.decode(self.attention_norm(x), position, cache)
    x = x + y
    return x + self._mlp(x), cache

  def _mlp(self, x):
    # The tanh approximation is what GPT-2 was trained with ("gelu_new").
    return self.down(jax.nn.gelu(self.up(self.mlp_norm(x)), approximate=True))


class Gpt2(nn.Module):
  """A decoder with learned positions and a head tied to the embeddings.

  Attributes:
    remat: As in `bert.Bert`.
    matmul_dtype: As in `bert.Bert`; of the head as well.
    cache_layout: As `attention.cache_layout` says it.
  """

  config: Gpt2Config
  dtype: Any = jnp.float32
  remat: bool = False
  matmul_dtype: Any = None
  cache_layout: str = "by_head"

  def setup(self):
    c = self.config
    self.word = nn.Embed(
      c.vocab_size,
      c.width,
      dtype=self.dtype,
      embedding_init=attention.normal_init(0.02),
    )
    self.position = nn.Embed(
      c.max_length,
      c.width,
      dtype=self.dtype,
      embedding_init=attention.normal_init(0.01),
    )
    self.drop = Dropout(c.dropout)
    block = attention.maybe_remat(Gpt2Block, self.remat)
    self.blocks = [
      block(c, self.dtype, self.matmul_dtype) for _ in range(c.num_layers)
    ]
    self.final_norm = attention.layer_norm(c, self.dtype)

  def __call__(
    self,
    tokens: Int[Array, "B L"],
    mask: Int[Array, "B L"],
    *,
    deterministic: bool = True,
  ) -> Float[Array, "B L V"]:
    """Logits [b, t] are those of token t + 1, given tokens 0..t."""
    length = tokens.shape[1]
    if length > self.config.max_length:
      raise ValueError(
        f"{length} tokens; the model has {self.config.max_length} positions"
      )
    x = self.word(tokens) + self.position(jnp.arange(length)[None])
    x = self.drop(x, deterministic=deterministic)
    allowed = attention.may_attend(mask, causal=True)
    for block in self.blocks:
      x = block(x, allowed, deterministic)
    return self._logits(x)

  def decode(
    self,
    token: Int[Array, "B"],
    position: Int[Array, "B"],
    cache: attention.Cache,
  ) -> tuple[Float[Array, "B V"], attention.Cache]:
    """The next token's logits, after each row's token at its own position."""
    x = self.word(token) + self.position(position)
    written = []
    for block, layer_cache in zip(self.blocks, cache, strict=True):
      x, layer_cache = block.decode(x, position, layer_cache)
      written.append(layer_cache)
    return self._logits(x), tuple(written)

  @nn.nowrap
  def init_cache(
    self, batch_size: int, max_length: int, dtype: Any = jnp.float32
  ) -> attention.Cache:
    """An empty cache for `max_length` tokens a row; needs no params."""
    return attention.empty_cache(
      self.config,
      batch_size,
      max_length=max_length,
      dtype=dtype,
      layout=self.cache_layout,
    )

  def _logits(self, x):
    head = self.get_variable("params", "head")
    return decoding.tied_logits(
      self.final_norm(x),
      self.word.embedding,
      head,
      matmul_dtype=self.matmul_dtype,
    )
