# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models.dropout import Dropout, hash_of_places


def _masks(rate, shape, seeds):
  module = Dropout(rate)

  def one(rng):
    return module.apply(
      {}, jnp.ones(shape), deterministic=False, rngs={"dropout": rng}
    )

  return np.asarray(jax.vmap(one)(jax.random.split(jax.random.key(0), seeds)))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_zeroes_its_share_and_keeps_the_mean(rate):
  # Dies if: what is kept is not scaled, or rate and 1 - rate are swapped.
  masks = _masks(rate, (64, 96), 20)
  assert set(np.unique(masks)) == {0, np.float32(1 / (1 - rate))}
  share = (masks == 0).mean()
  assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / masks.size)


def test_places_rows_columns_and_calls_are_independent():
  # Dies if: the index skips an axis, or a call's seed is not used.
  zero = (_masks(0.5, (40, 50), 40) == 0).astype(float)
  for axes in ((1, 2), (0, 2), (0, 1)):
    means = zero.mean(axis=axes)
    n = zero.size / means.size
    assert np.abs(means - 0.5).max() < 5 * np.sqrt(0.25 / n)
  flat = zero.reshape(40, -1) - 0.5
  correlation = flat @ flat.T / flat.shape[1] / 0.25
  assert np.abs(correlation - np.eye(40)).max() < 5 / np.sqrt(2000)
  for shift in (1, 2, 50, 51):
    lagged = (flat[:, shift:] * flat[:, :-shift]).mean() / 0.25
    assert abs(lagged) < 5 / np.sqrt(flat[:, shift:].size)


def test_a_place_has_its_number_in_any_shape():
  # Dies if: a stride is the length of an axis, which padding changes.
  seeds = jnp.array([1, 2], jnp.uint32)
  wide = hash_of_places(seeds, (3, 16, 4))
  np.testing.assert_array_equal(hash_of_places(seeds, (2, 5, 4)), wide[:2, :5])
  assert len(np.unique(wide)) == wide.size


def test_does_nothing_when_deterministic():
  x = jnp.arange(6.0).reshape(2, 3)
  got = Dropout(0.5).apply({}, x, deterministic=True)
  np.testing.assert_array_equal(got, x)
