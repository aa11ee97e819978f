# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from gd_jax.training import losses


def _logits(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32) * 3


def test_cross_entropy_is_minus_log_softmax():
  logits, label = _logits(5, 4), np.array([0, 3, 2, 2, 1])
  expected = -special.log_softmax(logits, axis=-1)[np.arange(5), label]
  got = losses.cross_entropy(logits, label)
  np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_kl_formula(temperature):
  # Dies if: the T^2 factor is dropped, or student and teacher are swapped.
  student, teacher = _logits(6, 3), _logits(6, 3, seed=1)
  p = special.softmax(teacher / temperature, axis=-1)
  q = special.softmax(student / temperature, axis=-1)
  expected = temperature**2 * (p * np.log(p / q)).sum(-1)
  got = losses.kl(student, teacher, temperature=temperature)
  np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_kl_gradient_hardly_shrinks_with_temperature():
  # Dies if: the T^2 factor is dropped (the gradient falls 100-fold).
  student, teacher = _logits(8, 3), _logits(8, 3, seed=1)

  def norm(temperature):
    def loss(s):
      return losses.kl(s, teacher, temperature=temperature).sum()

    return float(jnp.linalg.norm(jax.grad(loss)(student)))

  assert norm(20.0) == pytest.approx(norm(10.0), rel=0.2)


def test_kl_is_zero_at_the_teacher():
  teacher = _logits(4, 3)
  np.testing.assert_allclose(losses.kl(teacher, teacher), 0, atol=1e-6)


def test_mse_logits():
  student, teacher = _logits(4, 3), _logits(4, 3, seed=1)
  expected = ((student - teacher) ** 2).mean(-1)
  got = losses.mse_logits(student, teacher)
  np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_lm_xent_judges_each_position_on_the_next_token():
  # Dies if: the shift is off by one, or EOS is not predicted.
  tokens = np.array([[7, 3, 5, 8, 0, 0]])  # BOS 7, EOS 8
  mask = np.array([[1, 1, 1, 1, 0, 0]])
  logits = _logits(1, 6, 9)
  log_probs = special.log_softmax(logits, axis=-1)[0]
  expected = -(log_probs[0, 3] + log_probs[1, 5] + log_probs[2, 8])
  loss, weight = losses.lm_xent(logits, tokens, mask)
  np.testing.assert_array_equal(weight, [[1, 1, 1, 0, 0, 0]])
  np.testing.assert_allclose(loss.sum(), expected, rtol=1e-6)


def test_lm_xent_ignores_padding():
  # Dies if: the pad mask is dropped from lm_xent.
  tokens = np.array([[7, 3, 5, 8], [7, 4, 8, 0]])
  mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
  logits = _logits(2, 4, 9)
  short = losses.lm_xent(logits, tokens, mask)
  pad = ((0, 0), (0, 3))
  long = losses.lm_xent(
    np.pad(logits, (*pad, (0, 0)), constant_values=5.0),
    np.pad(tokens, pad, constant_values=2),
    np.pad(mask, pad),
  )
  for a, b in zip(short, long, strict=True):
    np.testing.assert_allclose(a.sum(), b.sum(), rtol=1e-6)


class _Recorder:
  """A model without weights: token v gets logit 1 at v, else 0."""

  def __init__(self, num_outputs):
    self._num_outputs = num_outputs

  def apply(self, variables, tokens, mask, *, deterministic, rngs):
    assert not deterministic
    assert "dropout" in rngs
    return variables["params"]["scale"] * jax.nn.one_hot(
      tokens, self._num_outputs
    )


def test_lm_loss_is_the_mean_over_real_tokens():
  # Dies if: the loss is averaged over rows or positions instead of tokens.
  batch = {
    "tokens": np.array([[1, 1, 1, 1], [1, 2, 0, 0]]),
    "mask": np.array([[1, 1, 1, 1], [1, 1, 0, 0]]),
  }
  loss_fn = losses.make_lm_loss(_Recorder(3))
  loss, metrics = loss_fn({"scale": 2.0}, batch, jax.random.key(0))
  log_z = np.log(np.exp(2.0) + 2)
  expected = (3 * (log_z - 2.0) + log_z) / 4
  assert float(loss) == pytest.approx(expected, rel=1e-6)
  assert float(metrics["xent"][1]) == 4


def test_classifier_loss_reports_xent_and_accuracy():
  class FirstToken(_Recorder):
    def apply(self, variables, tokens, mask, **kwargs):
      return super().apply(variables, tokens, mask, **kwargs)[:, 0]

  batch = {
    "tokens": np.array([[0, 1], [2, 1]]),
    "mask": np.ones((2, 2), np.int32),
    "label": np.array([0, 1]),
  }
  loss_fn = losses.make_classifier_loss(FirstToken(3))
  loss, metrics = loss_fn({"scale": 2.0}, batch, jax.random.key(0))
  log_z = np.log(np.exp(2.0) + 2)
  assert float(metrics["accuracy"][0]) == 1
  assert float(metrics["xent"][0]) == pytest.approx(2 * log_z - 2, rel=1e-6)
  assert float(loss) == pytest.approx(log_z - 1, rel=1e-6)
