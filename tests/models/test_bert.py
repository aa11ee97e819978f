# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import bert, families

_CONFIG = bert.BertConfig(
  vocab_size=50,
  width=24,
  num_layers=2,
  num_heads=4,
  mlp_width=40,
  max_length=16,
)


@pytest.fixture(params=["cls", "mean"])
def classifier(request, random_params):
  module = bert.BertClassifier(_CONFIG, 3, request.param)
  return module, random_params(module)


@functools.partial(jax.jit, static_argnames=("module", "deterministic"))
def _run(module, params, tokens, mask, rngs=None, deterministic=True):
  return module.apply(
    {"params": params}, tokens, mask, rngs=rngs, deterministic=deterministic
  )


def _apply(classifier, tokens, mask, **kwargs):
  module, params = classifier
  return _run(module, params, tokens, mask, **kwargs)


def test_padding_never_leaks(classifier):
  # Dies if: attention or the mean counts padding.
  tokens = np.random.default_rng(0).integers(1, 50, (4, 12))
  mask = (np.arange(12) < np.array([[12], [9], [4], [1]])).astype(np.int32)
  short = _apply(classifier, tokens, mask)
  longer = np.pad(tokens, ((0, 0), (0, 4)), constant_values=7)
  long = _apply(classifier, longer, np.pad(mask, ((0, 0), (0, 4))))
  np.testing.assert_allclose(short, long, atol=1e-5)
  assert np.std(short, axis=0).min() > 1e-2


def test_a_row_of_padding_has_finite_logits_and_gradients(classifier):
  # Dies if: the mean divides by a count of zero.
  module, params = classifier
  tokens = np.zeros((2, 4), int)
  mask = np.array([[1, 1, 0, 0], [0, 0, 0, 0]])

  def loss(params):
    return (_apply((module, params), tokens, mask) ** 2).sum()

  value, gradient = jax.jit(jax.value_and_grad(loss))(params)
  assert np.isfinite(value)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


@pytest.mark.parametrize("causal", [False, True])
def test_the_first_token_sees_the_last_unless_causal(random_params, causal):
  # Dies if: the encoder's attention is causal, or the decoder's is not.
  trunk = bert.Bert(_CONFIG)
  params = {"params": random_params(trunk)}
  tokens = np.random.default_rng(0).integers(1, 50, (1, 6))
  changed = tokens.copy()
  changed[0, -1] = (changed[0, -1] + 1) % 50
  apply = jax.jit(trunk.apply, static_argnames="causal")
  mask = np.ones_like(tokens)
  before, after = (
    apply(params, x, mask, causal=causal)[0, 0] for x in (tokens, changed)
  )
  assert (np.abs(before - after).max() < 1e-6) == causal


def test_mean_pool_is_the_mean_over_real_tokens():
  hidden = jnp.arange(12.0).reshape(2, 3, 2)
  pooled = bert.mean_pool(hidden, jnp.array([[1, 1, 0], [0, 0, 0]]))
  np.testing.assert_allclose(pooled, [[1.0, 2.0], [0.0, 0.0]])


def test_logits_are_float32_under_bfloat16(classifier):
  module, params = classifier
  tokens = np.ones((2, 5), int)
  half = module.clone(dtype=jnp.bfloat16)
  logits = _apply((half, params), tokens, np.ones_like(tokens))
  assert logits.dtype == jnp.float32


def test_an_unknown_pooling_is_refused():
  module = bert.BertClassifier(_CONFIG, 3, "max")
  with pytest.raises(ValueError, match="not 'max'"):
    families.init_params(module, jax.random.key(0))
