# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""BERT (Devlin et al. 2019): a classifier, and the same weights as a decoder.

Legend: B batch, L length, D model width, V vocabulary, C classes.
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
class BertConfig:
  """The shape of a BERT; the defaults are bert-base-uncased."""

  vocab_size: int = 30522
  width: int = 768
  num_layers: int = 12
  num_heads: int = 12
  mlp_width: int = 3072
  max_length: int = 512
  type_vocab_size: int = 2
  dropout: float = 0.1
  layer_norm_eps: float = 1e-12


def mean_pool(
  hidden: Float[Array, "B L D"], mask: Int[Array, "B L"]
) -> Float[Array, "B D"]:
  """The float32 mean over real tokens; zeros for a row without any."""
  weights = (mask > 0).astype(jnp.float32)[..., None]
  total = (hidden.astype(jnp.float32) * weights).sum(axis=1)
  return total / jnp.maximum(weights.sum(axis=1), 1.0)


class BertLayer(nn.Module):
  """Attention, then an MLP; each added, then normalised (post-LN)."""

  config: BertConfig
  dtype: Any = jnp.float32
  matmul_dtype: Any = None

  def setup(self):
    c = self.config
    dtypes = {"dtype": self.dtype, "matmul_dtype": self.matmul_dtype}
    dense = functools.partial(
      linear.dense, kernel_init=attention.normal_init(0.02), **dtypes
    )
    self.attention = attention.Attention(
      c.width, c.num_heads, dropout=c.dropout, **dtypes
    )
    self.attention_norm = attention.layer_norm(c, self.dtype)
    self.up = dense(c.mlp_width)
    self.down = dense(c.width)
    self.mlp_norm = attention.layer_norm(c, self.dtype)
    self.drop = Dropout(c.dropout)

  def __call__(self, x, allowed, deterministic: bool = True):
    y = self.attention(x, allowed, deterministic=deterministic)
    x = self.attention_norm(x + self.drop(y, deterministic=deterministic))
    return self._mlp(x, deterministic)

  def decode(self, x, position, cache):
    y, cache = self.attention.decode(x, position, cache)
    return self._mlp(self.attention_norm(x + y), True), cache

  def _mlp(self, x, deterministic):
    y = self.down(jax.nn.gelu(self.up(x), approximate=False))
    return self.mlp_norm(x + self.drop(y, deterministic=deterministic))


class Bert(nn.Module):
  """Tokens to hidden states; all tokens are of type 0 (one text a row).

  Attributes:
    remat: Whether a layer's activations are computed again for its gradients
      instead of kept: about a third more work for a fraction of the memory.
    matmul_dtype: What the dense layers multiply is rounded to this, forward and
      for the gradients, while sums and all between are of `dtype`, attention's
      own products among it. None: `dtype`.
  """

  config: BertConfig
  dtype: Any = jnp.float32
  remat: bool = False
  matmul_dtype: Any = None

  def setup(self):
    c = self.config
    init = attention.normal_init(0.02)
    embed = functools.partial(
      nn.Embed, features=c.width, dtype=self.dtype, embedding_init=init
    )
    self.word = embed(c.vocab_size)
    self.position = embed(c.max_length)
    self.type = embed(c.type_vocab_size)
    self.embed_norm = attention.layer_norm(c, self.dtype)
    self.drop = Dropout(c.dropout)
    layer = attention.maybe_remat(BertLayer, self.remat)
    self.layers = [
      layer(c, self.dtype, self.matmul_dtype) for _ in range(c.num_layers)
    ]

  def __call__(
    self,
    tokens: Int[Array, "B L"],
    mask: Int[Array, "B L"],
    *,
    causal: bool = False,
    deterministic: bool = True,
  ) -> Float[Array, "B L D"]:
    length = tokens.shape[1]
    if length > self.config.max_length:
      raise ValueError(
        f"{length} tokens; the model has {self.config.max_length} positions"
      )
    x = self._embed(tokens, jnp.arange(length)[None])
    x = self.drop(x, deterministic=deterministic)
    allowed = attention.may_attend(mask, causal=causal)
    for layer in self.layers:
      x = layer(x, allowed, deterministic)
    return x

  def decode(
    self,
    token: Int[Array, "B"],
    position: Int[Array, "B"],
    cache: attention.Cache,
  ) -> tuple[Float[Array, "B D"], attention.Cache]:
    x = self._embed(token, position)
    written = []
    for layer, layer_cache in zip(self.layers, cache, strict=True):
      x, layer_cache = layer.decode(x, position, layer_cache)
      written.append(layer_cache)
    return x, tuple(written)

  def _embed(self, tokens, positions):
    first_type = self.type(jnp.zeros((1,) * tokens.ndim, jnp.int32))
    x = self.word(tokens) + self.position(positions) + first_type
    return self.embed_norm(x)


class BertClassifier(nn.Module):
  """Sequence classification.

  Attributes:
    pooling: "cls" is BERT's own (the first token through a tanh layer), "mean"
      is the mean over tokens that sentence encoders such as MiniLM learned.
    matmul_dtype: As in `Bert`.
  """

  config: BertConfig
  num_classes: int
  pooling: str = "mean"
  dtype: Any = jnp.float32
  remat: bool = False
  matmul_dtype: Any = None

  def setup(self):
    if self.pooling not in ("cls", "mean"):
      raise ValueError(f'pooling is "cls" or "mean", not {self.pooling!r}')
    init = attention.normal_init(0.02)
    self.bert = Bert(self.config, self.dtype, self.remat, self.matmul_dtype)
    if self.pooling == "cls":
      self.pooler = nn.Dense(
        self.config.width, dtype=self.dtype, kernel_init=init
      )
    self.drop = Dropout(self.config.dropout)
    self.classifier = nn.Dense(self.num_classes, kernel_init=init)

  def __call__(
    self,
    tokens: Int[Array, "B L"],
    mask: Int[Array, "B L"],
    *,
    deterministic: bool = True,
  ) -> Float[Array, "B C"]:
    hidden = self.bert(tokens, mask, deterministic=deterministic)
    if self.pooling == "cls":
      pooled = jnp.tanh(self.pooler(hidden[:, 0]))
    else:
      pooled = mean_pool(hidden, mask)
    pooled = self.drop(pooled, deterministic=deterministic)
    return self.classifier(pooled.astype(jnp.float32))


class BertDecoder(nn.Module):
  """BERT's weights as a language model: causal mask, tied head.

  Warm-starting a decoder from an encoder is Rothe et al. 2020 (Leveraging
  Pre-trained Checkpoints for Sequence Generation Tasks).

  Attributes:
    remat: As in `Bert`.
    matmul_dtype: As in `Bert`; of the head as well.
    cache_layout: As `attention.cache_layout` says it.
  """

  config: BertConfig
  dtype: Any = jnp.float32
  remat: bool = False
  matmul_dtype: Any = None
  cache_layout: str = "by_head"

  def setup(self):
    self.bert = Bert(self.config, self.dtype, self.remat, self.matmul_dtype)

  def __call__(
    self,
    tokens: Int[Array, "B L"],
    mask: Int[Array, "B L"],
    *,
    deterministic: bool = True,
  ) -> Float[Array, "B L V"]:
    """Logits [b, t] are those of token t + 1, given tokens 0..t."""
    hidden = self.bert(tokens, mask, causal=True, deterministic=deterministic)
    return self._logits(hidden)

  def decode(
    self,
    token: Int[Array, "B"],
    position: Int[Array, "B"],
    cache: attention.Cache,
  ) -> tuple[Float[Array, "B V"], attention.Cache]:
    """The next token's logits, after each row's token at its own position."""
    hidden, cache = self.bert.decode(token, position, cache)
    return self._logits(hidden), cache

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

  def _logits(self, hidden):
    head = self.get_variable("params", "head")
    return decoding.tied_logits(
      hidden, self.bert.word.embedding, head, matmul_dtype=self.matmul_dtype
    )
