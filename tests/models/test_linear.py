# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import functools
import re
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import bert, families, gpt2, linear, students

SHAPE = {
  **{"vocab_size": 50, "width": 24, "mlp_width": 40},
  **{"num_layers": 2, "num_heads": 2, "max_length": 8},
}
B, L = 7, 8


def _drawn(*shape, seed=0):
  return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), "f")


def _gradients(product, x, w):
  return jax.grad(lambda x, w: jnp.tanh(product(x, w)).sum(), (0, 1))(x, w)


# Dies if: rows are mixed up, or not all are summed; or none are an error.
@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (3,), (0, 5, 3)])
def test_it_is_a_product_and_so_are_its_gradients(shape):
  x, w = _drawn(*shape), _drawn(3, 4, seed=1)
  expected = jnp.matmul(x, w)
  got = linear.matmul(x, w)
  assert got.shape == expected.shape
  np.testing.assert_allclose(got, expected, rtol=1e-6)
  ours, jax_own = (_gradients(f, x, w) for f in (linear.matmul, jnp.matmul))
  for got, expected in zip(ours, jax_own, strict=True):
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


# Dies if: names, shapes or first values of the params are others, in which case
# no checkpoint would load; or a layer's precision is not heeded.
def test_a_layer_is_as_flax_has_it():
  x = _drawn(2, 5, 3)
  rng = jax.random.key(0)
  ours, theirs = linear.dense(4), nn.Dense(4)
  params = theirs.init(rng, x)
  jax.tree.map(np.testing.assert_array_equal, ours.init(rng, x), params)
  np.testing.assert_allclose(
    ours.apply(params, x), theirs.apply(params, x), rtol=1e-6
  )
  exact = linear.dense(4, precision="highest")
  assert "HIGHEST" in str(jax.make_jaxpr(exact.apply)(params, x))


# Dies if: the sums are rounded to bfloat16, or the rows are not.
def test_bfloat16_weights_give_float32_sums():
  x, w = _drawn(2, 5, 300), _drawn(300, 4, seed=1).astype(jnp.bfloat16)
  got = linear.matmul(x, w)
  assert got.dtype == jnp.float32
  rounded = np.asarray(x.astype(jnp.bfloat16), np.float64)
  exact = rounded @ np.asarray(w, np.float64)
  np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-4)
  assert np.abs(exact - np.asarray(x, np.float64) @ w).max() > 1e-3


def _rounded(x):
  return np.asarray(jnp.asarray(x).astype(jnp.bfloat16), np.float64)


# Dies if: a factor of the product or of a gradient is not rounded, or a sum or
# a gradient is; or rows are mixed up, or none are an error.
@pytest.mark.parametrize("shape", [(5, 300), (2, 5, 300), (300,), (0, 5, 300)])
@pytest.mark.parametrize("jit", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_factors_are_rounded_in_the_gradients_too(shape, jit):
  x, w = _drawn(*shape), _drawn(300, 4, seed=1)
  g = _drawn(*shape[:-1], 4, seed=2)

  @jit
  def products(x, w, g):
    f = functools.partial(linear.matmul, dtype=jnp.bfloat16)
    y, pull = jax.vjp(f, x, w)
    return y, *pull(g)

  y, dx, dw = products(x, w, g)
  rows, heights = _rounded(x).reshape(-1, 300), _rounded(g).reshape(-1, 4)
  for got, exact in [
    (y, rows @ _rounded(w)),
    (dx, heights @ _rounded(w).T),
    (dw, rows.T @ heights),
  ]:
    assert got.dtype == jnp.float32
    got = np.asarray(got).reshape(exact.shape)
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-4)


# Dies if: it can't be mapped over students, or computed anew for gradients.
def test_rounded_products_are_mapped_and_remade():
  x, w = _drawn(3, 5, 7), _drawn(3, 7, 4, seed=1)

  def loss(x, w):
    f = jax.checkpoint(functools.partial(linear.matmul, dtype=jnp.bfloat16))
    return jnp.tanh(f(x, w)).sum()

  got = jax.jit(jax.vmap(jax.grad(loss, (0, 1))))(x, w)
  for i in range(3):
    expected = jax.grad(loss, (0, 1))(x[i], w[i])
    for a, b in zip(got, expected, strict=True):
      np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-6)


def _decoder(family):
  if family == "gpt2":
    return gpt2.Gpt2(gpt2.Gpt2Config(**SHAPE), matmul_dtype=jnp.bfloat16)
  return bert.BertDecoder(bert.BertConfig(**SHAPE), matmul_dtype=jnp.bfloat16)


def _summed(module):
  def loss(params, tokens):
    return jnp.square(module.apply({"params": params}, tokens, tokens)).sum()

  tokens = jnp.ones((B, L), jnp.int32)
  params = families.init_params(module, jax.random.key(0))
  return jax.jit(jax.grad(loss)).lower(params, tokens)


# Dies if: one of a model's layers, or its head, is not told of the dtype.
@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_all_layers_of_a_model_round(family):
  lines = _summed(_decoder(family)).as_text().splitlines()
  products = [line for line in lines if "dot_general" in line]
  # Four of each layer and the head, each with two gradients.
  assert sum("bf16" in line for line in products) == 3 * (2 * 4 + 1)
  plain = _summed(_decoder(family).clone(matmul_dtype=None)).as_text()
  assert "bf16" not in plain


# Dies if: a factor is a transposed view, whose product a CPU makes without AMX,
# or, of a tied head, not at all.
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="XLA's for CPUs")
@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_no_factor_is_transposed(family):
  program = _summed(_decoder(family)).compile().as_text()
  ways = re.findall(
    r"dot\([^)]*\), lhs_contracting_dims={(\d)}, rhs_contracting_dims={(\d)}",
    program,
  )
  assert len(ways) >= 3 * (2 * 4 + 1)
  assert set(ways) == {("1", "0")}


# Dies if: a layer makes its kernel float32 again before it multiplies, which
# costs a copy of it at each step, or its bias bfloat16.
def test_a_layer_leaves_a_bfloat16_kernel_as_it_is():
  x = _drawn(2, 5, 3)
  layer = linear.dense(4, dtype=jnp.float32)
  params = layer.init(jax.random.key(0), x)["params"]
  params["kernel"] = params["kernel"].astype(jnp.bfloat16)
  params["bias"] = jnp.full(4, 1 + 2.0**-20)
  got = layer.apply({"params": params}, x)
  expected = linear.matmul(x, params["kernel"]) + params["bias"][None, None]
  np.testing.assert_array_equal(got, expected)
  program = str(jax.make_jaxpr(layer.apply)({"params": params}, x))
  assert "f32[3,4] = convert_element_type" not in program


class _Stack(nn.Module):
  """A residual stream through layers of `dense`."""

  dense: Callable[..., nn.Module]

  @nn.compact
  def __call__(self, tokens, mask):
    x = nn.Embed(50, 24)(tokens)
    for _ in range(3):
      y = nn.gelu(self.dense(40)(nn.LayerNorm()(x)))
      x = x + self.dense(24)(y)
    return x


def _copies(module) -> set[int]:
  """Widths of which a gradient's program has [width, all rows]."""
  tokens = jax.ShapeDtypeStruct((B, L), jnp.int32)
  params = jax.eval_shape(
    lambda: families.init_params(module, jax.random.key(0))
  )

  def loss(params, tokens):
    return jnp.square(module.apply({"params": params}, tokens, tokens)).sum()

  program = jax.jit(jax.grad(loss)).lower(params, tokens).compile().as_text()
  return {n for n in (24, 40, 72, 48) if f"f32[{n},{B * L}]" in program}


# Dies if: a model's layers sum over batch and length in two dimensions, so that
# a copy of their gradient is made, transposed, with all that went before.
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="XLA's for CPUs")
@pytest.mark.parametrize(
  "module",
  [
    gpt2.Gpt2(gpt2.Gpt2Config(**SHAPE)),
    bert.BertDecoder(bert.BertConfig(**SHAPE)),
    students.ResCnn(
      50, 3, embed_width=40, num_filters=24, num_blocks=2, conv="im2col"
    ),
  ],
  ids=lambda module: type(module).__name__,
)
def test_no_copy_of_the_rows_is_transposed(module):
  assert not _copies(module)
  # That one would be seen. Where this fails, XLA makes none, and `matmul` need
  # not make the rows one dimension.
  assert _copies(_Stack(nn.Dense)) > _copies(_Stack(linear.dense))
