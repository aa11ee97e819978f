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


@pytest.mark.parametrize("layout", attention.LAYOUTS)
def test_write_cache_writes_each_row_at_its_own_position(layout):
  # Dies if: one position serves all rows, batch and position swap, or heads
  # are merged in another order.
  config = bert.BertConfig(width=10, num_heads=2, num_layers=1)
  ((cache, _),) = attention.empty_cache(
    config, 3, max_length=4, dtype=jnp.float32, layout=layout
  )
  new = jnp.arange(30.0).reshape(3, 2, 5) + 1
  written = attention.write_cache(cache, new, jnp.array([3, 0, 2]))
  if layout == "blocked":
    written = written.reshape(3, 2, -1, 5)
  if layout == "merged":
    written = written.reshape(3, 4, 2, 5).swapaxes(1, 2)
  for row, position in enumerate([3, 0, 2]):
    np.testing.assert_array_equal(written[row, :, position], new[row])
  assert np.count_nonzero(written) == new.size


def test_only_a_tpu_has_the_heads_merged():
  # Dies if: a CPU's faster layout is given up, or a TPU pads each head.
  found = [attention.cache_layout(p) for p in ("cpu", "gpu", "tpu")]
  assert found == ["by_head", "by_head", "merged"]


def _in_layout(x, layout):
  """[B, H, T, K] laid out; what fills up a block is not to be read."""
  batch, heads, length, head_size = x.shape
  if layout == "merged":
    return jnp.array(x.swapaxes(1, 2).reshape(batch, length, -1))
  if layout == "blocked":
    block = attention.BLOCK
    padding = ((0, 0), (0, 0), (0, -length % block), (0, 0))
    padded = np.pad(x, padding, constant_values=99.0)
    return jnp.array(padded.reshape(batch, heads, -1, block, head_size))
  return jnp.array(x)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_blocked_cache_is_read_to_the_position_of_each_row(dtype):
  # Dies if: a block's last position, or the one after, counts wrongly; a block
  # is left out; the softmax is not summed up over blocks; or scores that grow
  # from block to block overflow.
  rng = np.random.default_rng(1)
  q, keys, values = rng.standard_normal((3, 7, 2, 40, 8)).astype(np.float32)
  keys *= np.linspace(1, 60, 40)[:, None]
  position = jnp.array([0, 14, 15, 16, 31, 32, 39])
  for row, last in enumerate(position):
    keys[row, :, last + 1 :] = values[row, :, last + 1 :] = 1e4
  q = jnp.array(q[:, :, 0], dtype)
  expected, found = (
    attention.attend_cache(
      q,
      tuple(_in_layout(x, layout).astype(dtype) for x in (keys, values)),
      position,
    )
    for layout in ("by_head", "blocked")
  )
  assert found.dtype == dtype
  tolerance = 1e-5 if dtype == jnp.float32 else 3e-2
  np.testing.assert_allclose(
    found.astype(np.float32),
    expected.astype(np.float32),
    rtol=tolerance,
    atol=tolerance,
  )


@pytest.mark.parametrize("length", [16, 66, 130])
def test_the_kernel_lowers_for_gpus(length):
  # Dies if: Triton's rules are broken (powers of two, one platform's calls).
  config = bert.BertConfig(width=128, num_heads=2, num_layers=1)
  (cache,) = attention.empty_cache(
    config, 8, max_length=length, dtype=jnp.bfloat16, layout="blocked"
  )
  target = "__gpu$xla.gpu.triton"
  exported = jax.export.export(
    jax.jit(attention.attend_cache),
    platforms=["cuda"],
    disabled_checks=[jax.export.DisabledSafetyCheck.custom_call(target)],
  )(jnp.zeros((8, 2, 64), jnp.bfloat16), cache, jnp.zeros(8, jnp.int32))
  assert exported.mlir_module().count(f"@{target}(") == 1


def test_a_blocked_cache_needs_heads_of_a_power_of_two():
  config = bert.BertConfig(width=24, num_heads=2, num_layers=1)
  (cache,) = attention.empty_cache(
    config, 1, max_length=4, dtype=jnp.float32, layout="blocked"
  )
  with pytest.raises(ValueError, match="heads of 12 numbers"):
    attention.attend_cache(jnp.zeros((1, 2, 12)), cache, jnp.zeros(1, int))


def test_a_merged_cache_holds_and_finds_the_same():
  # Dies if: a head reads another's columns, or a row past its position.
  rng = np.random.default_rng(0)
  q, keys, values = rng.standard_normal((3, 4, 3, 7, 5)).astype(np.float32)
  position = jnp.array([6, 0, 3, 5])
  by_head = attention.attend_cache(
    q[:, :, 0], (jnp.array(keys), jnp.array(values)), position
  )
  merged = attention.attend_cache(
    q[:, :, 0],
    tuple(_in_layout(x, "merged") for x in (keys, values)),
    position,
  )
  np.testing.assert_allclose(merged, by_head, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(by_head[1], values[1, :, 0], rtol=1e-6)


@pytest.mark.parametrize(
  ("layout", "shape"),
  [
    ("by_head", (5, 3, 7, 4)),
    ("merged", (5, 7, 12)),
    ("blocked", (5, 3, 1, 16, 4)),
  ],
)
def test_empty_cache_is_per_layer_pairs(layout, shape):
  config = bert.BertConfig(width=12, num_heads=3, num_layers=2)
  cache = attention.empty_cache(
    config, 5, max_length=7, dtype=jnp.bfloat16, layout=layout
  )
  assert len(cache) == 2
  for leaf in jax.tree.leaves(cache):
    assert leaf.shape == shape
    assert leaf.dtype == jnp.bfloat16


def test_width_must_divide_into_heads():
  module = attention.Attention(width=10, num_heads=3)
  with pytest.raises(ValueError, match="width 10 is not a multiple"):
    module.init(
      jax.random.key(0), jnp.zeros((1, 2, 10)), jnp.ones((1, 1, 1, 2), bool)
    )
