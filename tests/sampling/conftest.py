# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Decoders small enough to know what they must draw."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from gd_jax.models import decoding, families, gpt2
from gd_jax.sampling import choose, loop


@dataclasses.dataclass(frozen=True)
class CountingDecoder:
  """Says "the token before, plus 1", and remembers it in its cache."""

  vocab_size: int = 21
  dtype: Any = jnp.float32

  def init_cache(self, batch_size, max_length, dtype):
    return jnp.zeros((batch_size, max_length), dtype)

  def apply(self, variables, token, position, cache, *, method):
    assert method == "decode"
    rows = jnp.arange(len(token))
    cache = cache.at[rows, position].set(token.astype(cache.dtype))
    seen = cache[rows, position].astype(jnp.int32)
    is_next = jnp.arange(self.vocab_size)[None] == (seen + 1)[:, None]
    return jnp.where(is_next, 0.0, -50.0) + variables["params"]["bias"], cache


@pytest.fixture
def counting():
  """(decoder, params, vocabulary size): token 20 ends a text."""
  return CountingDecoder(), {"bias": jnp.float32(0.0)}, 21


@pytest.fixture(scope="session")
def tiny_gpt2():
  """(GPT-2, its prepared params, vocabulary size): ends about 1 text in 8."""
  config = gpt2.Gpt2Config(
    vocab_size=61,
    width=32,
    num_layers=2,
    num_heads=2,
    mlp_width=64,
    max_length=24,
  )
  model = gpt2.Gpt2(config)
  params = families.init_params(model, jax.random.key(0))
  # Fresh weights say next to nothing; these give uneven distributions.
  params = jax.tree.map(lambda x: x * 12 if x.ndim > 1 else x, params)
  params["word"]["embedding"] = params["word"]["embedding"].at[0].multiply(2)
  return model, decoding.prepare(params), config.vocab_size


def make_shape(**changes):
  """A small program; BOS is 0."""
  fields = {
    "slots": 6,
    "max_tokens": 20,
    "steps_per_call": 16,
    "bos_id": 0,
    "eos_id": 0,
    "sampler": "pure",
    "max_top_k": 16,
  }
  return loop.Shape(**(fields | changes))


def make_request(vocab_size, *, seed=0, banned=(), min_tokens=0, **knobs):
  """A request of rows; `first` gives the first tokens' counts, `prompts` each
  class's prompt."""
  first = knobs.pop("first", None)
  prompts = knobs.pop("prompts", None)
  return loop.Request(
    rng=jax.random.key(seed),
    knobs=choose.knobs(**knobs),
    min_tokens=jnp.int32(min_tokens),
    banned=loop.ban(vocab_size, banned),
    prompts=None if prompts is None else jnp.array(prompts, jnp.int32),
    **(loop.first_token_table(first) if first else {}),
  )


@pytest.fixture
def shape_of():
  """`make_shape`, as a fixture: test folders are no packages."""
  return make_shape


@pytest.fixture
def request_of():
  """`make_request`, as a fixture."""
  return make_request
