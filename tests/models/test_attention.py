# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import attention, bert


def test_may_attend_is_causal_and_skips_padding():
  # Dies if: a query sees a later token, not itself, or padding.
  mask = jnp.array([[1, 1, 0]])
  both = attention.may_attend(mask, causal=True)[0, 0]
  np.testing.assert_array_equal(both, [[1, 0, 0], [1, 1, 0], [1, 1, 0]])
  real = attention.may_attend(mask, causal=False)
  np.testing.assert_array_equal(real, [[[[1, 1, 0]]]])


def test_softmax_where_is_finite_where_nothing_is_allowed():
  # Dies if: the mask is -inf, whose row of a softmax is NaN.
  probs = attention.softmax_where(jnp.ones((2, 3)), jnp.zeros((2, 3), bool))
  assert np.isfinite(probs).all()


def test_softmax_is_float32_whatever_comes_in():
  scores = jnp.ones((1, 4), jnp.bfloat16)
  probs = attention.softmax_where(scores, jnp.ones((1, 4), bool))
  assert probs.dtype == jnp.float32


def test_write_cache_writes_each_row_at_its_own_position():
  # Dies if: one position serves all rows, or batch and position swap.
  cache = jnp.zeros((3, 2, 4, 5))
  new = jnp.arange(30.0).reshape(3, 2, 5) + 1
  written = attention.write_cache(cache, new, jnp.array([3, 0, 2]))
  for row, position in enumerate([3, 0, 2]):
    np.testing.assert_array_equal(written[row, :, position], new[row])
  assert np.count_nonzero(written) == new.size


def test_empty_cache_is_per_layer_pairs():
  config = bert.BertConfig(width=12, num_heads=3, num_layers=2)
  cache = attention.empty_cache(config, 5, max_length=7, dtype=jnp.bfloat16)
  assert len(cache) == 2
  for leaf in jax.tree.leaves(cache):
    assert leaf.shape == (5, 3, 7, 4)
    assert leaf.dtype == jnp.bfloat16


def test_width_must_divide_into_heads():
  module = attention.Attention(width=10, num_heads=3)
  with pytest.raises(ValueError, match="width 10 is not a multiple"):
    module.init(
      jax.random.key(0), jnp.zeros((1, 2, 10)), jnp.ones((1, 1, 1, 2), bool)
    )
