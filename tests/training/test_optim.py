# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.training import optim


def test_schedule_rises_and_falls_on_a_line():
  # Dies if: step 0 has rate 0, or the last step has.
  learning_rate = optim.warmup_linear_decay(
    2.0, total_steps=10, warmup_fraction=0.4
  )
  rates = [float(learning_rate(step)) for step in range(11)]
  expected = [0.5, 1, 1.5, 2, *(2 * np.arange(6, -1, -1) / 7)]
  np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.parametrize("total_steps", [1, 2, 3])
def test_schedule_of_the_shortest_runs_never_stands_still(total_steps):
  learning_rate = optim.warmup_linear_decay(
    1.0, total_steps=total_steps, warmup_fraction=0.1
  )
  assert all(learning_rate(step) > 0 for step in range(total_steps))


def test_schedule_takes_a_traced_peak():
  def rate(peak):
    return optim.warmup_linear_decay(peak, total_steps=4, warmup_fraction=0.5)(
      jnp.asarray(1)
    )

  np.testing.assert_allclose(jax.vmap(rate)(jnp.array([1.0, 3.0])), [1, 3])


def _updates(tx, params, grads):
  return tx.update(grads, tx.init(params), params)[0]


def test_first_adamw_step_has_the_size_of_the_learning_rate():
  # Dies if: bias correction is off (the step would be about 3 times larger).
  params = {"bias": jnp.zeros(3)}
  grads = {"bias": jnp.array([1e-2, -1e-2, 1e-2])}
  tx = optim.adamw(0.1, weight_decay=0.0)
  np.testing.assert_allclose(
    _updates(tx, params, grads)["bias"], [-0.1, 0.1, -0.1], rtol=1e-3
  )


def test_only_matrices_decay():
  # Dies if: the decay mask is dropped.
  params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
  grads = jax.tree.map(jnp.zeros_like, params)
  updates = _updates(optim.adamw(0.1, weight_decay=0.5), params, grads)
  np.testing.assert_allclose(updates["kernel"], -0.05, rtol=1e-6)
  np.testing.assert_array_equal(updates["bias"], 0)


def test_long_gradients_are_clipped():
  params = {"bias": jnp.zeros(1)}
  tx = optim.adamw(0.1, weight_decay=0.0, clip_norm=1.0)
  state = tx.init(params)
  _, state = tx.update({"bias": jnp.array([1e6])}, state, params)
  updates, _ = tx.update({"bias": jnp.array([1.0])}, state, params)
  np.testing.assert_allclose(updates["bias"], -0.1, rtol=1e-3)


def test_layerwise_rates_fall_towards_the_embeddings():
  # Dies if: the order is upside down, or the head is slowed.
  leaf = jnp.zeros(1)
  params = {
    "bert": {
      "word": {"embedding": leaf},
      "embed_norm": {"scale": leaf},
      "layers_0": {"up": {"bias": leaf}},
      "layers_1": {"up": {"bias": leaf}},
    },
    "classifier": {"bias": leaf},
  }
  rates = optim.layerwise_rates(params, decay=0.5)
  assert rates == {
    "bert": {
      "word": {"embedding": 0.125},
      "embed_norm": {"scale": 0.125},
      "layers_0": {"up": {"bias": 0.25}},
      "layers_1": {"up": {"bias": 0.5}},
    },
    "classifier": {"bias": 1.0},
  }


def test_rates_scale_the_step():
  params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
  grads = jax.tree.map(jnp.ones_like, params)
  tx = optim.adamw(0.1, weight_decay=0.0, rates={"a": 1.0, "b": 0.25})
  updates = _updates(tx, params, grads)
  np.testing.assert_allclose(updates["b"], updates["a"] / 4, rtol=1e-6)
