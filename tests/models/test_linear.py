# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gd_jax.models import linear


def _drawn(*shape, seed=0):
  return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), "f")


def _gradients(product, x, w):
  return jax.grad(lambda x, w: jnp.tanh(product(x, w)).sum(), (0, 1))(x, w)


def test_gradients_are_those_of_a_product():
  # Dies if: either gradient is of the other operand, or rows are not summed.
  for shape in ((5, 3), (2, 5, 3), (3,)):
    x, w = _drawn(*shape), _drawn(3, 4, seed=1)
    np.testing.assert_array_equal(linear.matmul(x, w), x @ w)
    ours, jax_own = (_gradients(f, x, w) for f in (linear.matmul, jnp.matmul))
    for got, expected in zip(ours, jax_own, strict=True):
      np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_many_at_once_are_as_one_by_one():
  # Dies if: under vmap, rows of one student reach another's gradient.
  x, w = _drawn(6, 2, 5, 3), _drawn(6, 3, 4, seed=1)
  together = jax.vmap(lambda x, w: _gradients(linear.matmul, x, w))(x, w)
  for i in range(6):
    alone = _gradients(linear.matmul, x[i], w[i])
    for got, expected in zip(together, alone, strict=True):
      np.testing.assert_allclose(got[i], expected, rtol=1e-5, atol=1e-6)


def test_a_layer_is_as_flax_has_it():
  # Dies if: names, shapes or first values of the params are others, in which
  # case no checkpoint would load.
  x = _drawn(2, 5, 3)
  rng = jax.random.key(0)
  ours, theirs = linear.Dense(4), nn.Dense(4)
  params = theirs.init(rng, x)
  jax.tree.map(np.testing.assert_array_equal, ours.init(rng, x), params)
  np.testing.assert_array_equal(ours.apply(params, x), theirs.apply(params, x))
  half = linear.Dense(4, dtype=jnp.bfloat16).apply(params, x)
  assert half.dtype == jnp.bfloat16


def test_no_copy_of_the_rows_is_transposed():
  # Dies if: the weights' gradient is left to JAX. On a CPU the copy is of all
  # that made the rows' gradient, which is what costs, and what this sees.
  class Stack(nn.Module):
    @nn.compact
    def __call__(self, x):
      for _ in range(3):
        y = nn.gelu(linear.Dense(40)(nn.LayerNorm()(x)))
        x = x + linear.Dense(24)(y)
      return x

  x = jax.ShapeDtypeStruct((7, 8, 24), jnp.float32)
  params = jax.eval_shape(Stack().init, jax.random.key(0), x)
  step = jax.jit(jax.grad(lambda p, x: jnp.square(Stack().apply(p, x)).sum()))
  program = step.lower(params, x).compile().as_text()
  assert "f32[24,40]" in program
  for width in (24, 40):
    assert f"f32[{width},56]" not in program
