# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The student of Tang et al. (2019), a BiLSTM, to be compared with.

Legend: B batch, L length, H state of one direction, G its four gates, C
classes.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gd_jax.models.dropout import Dropout


class Lstm(nn.Module):
  """The last state of an LSTM; a padded step leaves the state as it is."""

  width: int
  reverse: bool
  unroll: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, "B L E"], mask: Int[Array, "B L"]
  ) -> Float[Array, "B H"]:
    gates = 4 * self.width
    recurrent = self.param(
      "kernel", nn.initializers.orthogonal(), (self.width, gates)
    ).astype(self.dtype)
    # All steps' inputs in one product; the loop has only the recurrent one.
    given = nn.Dense(
      gates, dtype=self.dtype, bias_init=_forget_less, name="input"
    )(x)
    real = (mask > 0)[..., None]

    def step(carry, inputs):
      given, real = inputs
      state, cell = carry
      i, f, g, o = jnp.split(given + state @ recurrent, 4, axis=-1)
      new_cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
      new_state = nn.sigmoid(o) * jnp.tanh(new_cell)
      return (
        jnp.where(real, new_state, state),
        jnp.where(real, new_cell, cell),
      ), None

    zeros = jnp.zeros((x.shape[0], self.width), self.dtype)
    (state, _), _ = jax.lax.scan(
      step,
      (zeros, zeros),
      (given.swapaxes(0, 1), real.swapaxes(0, 1)),
      reverse=self.reverse,
      unroll=self.unroll,
    )
    return state


def _forget_less(rng, shape, dtype=jnp.float32) -> Float[Array, " G"]:
  """1 for the forget gates, or early training forgets all (Jozefowicz 2015)."""
  del rng
  width = shape[0] // 4
  return jnp.zeros(shape, dtype).at[width : 2 * width].set(1.0)


class BiLstm(nn.Module):
  """Both directions' last states, a ReLU layer, the classes.

  3,001,400 + 201 C parameters with 8,000 word pieces, as wide as Tang et al.
  had it; `params["embed"]["embedding"]` is the table [vocab_size, embed_width].

  So many tokens as `unroll` says are one step of the loop: fewer, larger
  bodies. A length that is not known must have 1.
  """

  vocab_size: int
  num_classes: int
  embed_width: int = 300
  state_width: int = 150
  hidden_width: int = 200
  dropout: float = 0.3
  unroll: int = 4
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    tokens: Int[Array, "B L"],
    mask: Int[Array, "B L"],
    *,
    deterministic: bool = True,
  ) -> Float[Array, "B C"]:
    drop = Dropout(self.dropout, deterministic=deterministic)
    x = nn.Embed(
      self.vocab_size,
      self.embed_width,
      dtype=self.dtype,
      embedding_init=nn.initializers.normal(0.1),
      name="embed",
    )(tokens)
    x = drop(x)
    last = [
      Lstm(self.state_width, reverse, self.unroll, self.dtype, name=name)(
        x, mask
      )
      for name, reverse in (("forward", False), ("backward", True))
    ]
    x = jnp.concatenate(last, axis=-1).astype(jnp.float32)
    x = nn.relu(nn.Dense(self.hidden_width, name="hidden")(drop(x)))
    return nn.Dense(self.num_classes, name="classifier")(drop(x))
