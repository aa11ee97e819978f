# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gd_jax.models import bert, families, gpt2
from gd_jax.training import losses, optim, step

_GOLDEN = (
  "the numbers of a training step have changed. If you meant to change the"
  " model, the loss, the optimizer or the randomness, run the test with -rA,"
  " copy the new numbers in, and say so in CHANGELOG.md: a run that is resumed"
  " across this change won't be the same run."
)


def _batch():
  tokens = np.array([[2, 5, 9, 3, 0], [2, 7, 3, 0, 0], [2, 8, 6, 4, 3]])
  tokens = tokens.astype(np.int32)
  return {
    "tokens": tokens,
    "mask": (tokens > 0).astype(np.int32),
    "label": np.array([0, 2, 1], np.int32),
  }


def _bert():
  config = bert.BertConfig(
    vocab_size=11,
    width=8,
    num_layers=2,
    num_heads=2,
    mlp_width=16,
    max_length=8,
    dropout=0.1,
  )
  module = bert.BertClassifier(config, num_classes=3)
  return module, losses.make_classifier_loss(module)


def _gpt2():
  config = gpt2.Gpt2Config(
    vocab_size=11,
    width=8,
    num_layers=2,
    num_heads=2,
    mlp_width=16,
    max_length=8,
    dropout=0.1,
  )
  module = gpt2.Gpt2(config)
  return module, losses.make_lm_loss(module)


def _run(make, num_steps):
  module, loss_fn = make()
  params = families.init_params(module, jax.random.key(0))
  tx = optim.adamw(
    optim.warmup_linear_decay(1e-2, total_steps=5, warmup_fraction=0.4),
    weight_decay=0.01,
  )
  state = step.init_state(params, tx)
  train_step = jax.jit(step.make_train_step(loss_fn, tx))
  seen = []
  for _ in range(num_steps):
    state, metrics = train_step(state, _batch(), jax.random.key(1))
    seen.append(float(metrics["loss"][0]))
  return state, seen


@pytest.mark.parametrize(
  ("make", "expected"),
  [
    (_bert, [1.10800, 1.08043, 1.06331]),
    (_gpt2, [2.41456, 2.35369, 2.31247]),
  ],
)
def test_golden_steps(make, expected):
  # Dies if: warm-up, decay, clipping, dropout's rng or the loss changes.
  _, seen = _run(make, 3)
  print("golden:", [round(loss, 5) for loss in seen])
  np.testing.assert_allclose(seen, expected, atol=2e-5, err_msg=_GOLDEN)


def test_the_step_number_is_counted():
  state, _ = _run(_bert, 2)
  assert int(state.step) == 2


def _noise_loss(params, batch, rng):
  loss = params["w"] * jax.random.normal(rng)
  return loss, {"noise": (jax.random.normal(rng), jnp.ones(()))}


def test_noise_depends_on_the_step_number_alone():
  # Dies if: the step's number is not folded into the rng.
  tx = optax.sgd(0.1)
  train_step = step.make_train_step(_noise_loss, tx)
  rng = jax.random.key(3)
  state = step.init_state({"w": jnp.ones(())}, tx)
  noise = []
  for _ in range(3):
    state, metrics = train_step(state, {}, rng)
    noise.append(float(metrics["noise"][0]))
  assert len(set(noise)) == 3
  resumed = step.init_state({"w": jnp.ones(())}, tx).replace(
    step=jnp.asarray(2)
  )
  _, metrics = train_step(resumed, {}, rng)
  assert float(metrics["noise"][0]) == noise[2]


def test_gradient_norm_is_that_before_clipping():
  tx = optim.adamw(0.1, weight_decay=0.0, clip_norm=1.0)

  def loss_fn(params, batch, rng):
    return 30.0 * params["w"][0] + 40.0 * params["w"][1], {}

  state = step.init_state({"w": jnp.zeros(2)}, tx)
  _, metrics = step.make_train_step(loss_fn, tx)(state, {}, jax.random.key(0))
  assert float(metrics["grad_norm"][0]) == pytest.approx(50.0)


def test_state_owns_its_params():
  # Dies if: init_state keeps the caller's arrays (donation would delete them).
  params = {"w": jnp.ones(3)}
  tx = optax.sgd(0.1)

  def loss_fn(params, batch, rng):
    return params["w"].sum(), {}

  train_step = jax.jit(step.make_train_step(loss_fn, tx), donate_argnums=0)
  train_step(step.init_state(params, tx), {}, jax.random.key(0))
  np.testing.assert_array_equal(params["w"], 1)


def _without_noise(make):
  module, _ = make()
  module = module.clone(config=dataclasses.replace(module.config, dropout=0.0))
  make_loss = (
    losses.make_lm_loss
    if isinstance(module, gpt2.Gpt2)
    else losses.make_classifier_loss
  )
  return module, make_loss


# Dies if: the parts' losses or gradients are averaged without their weights
# (the texts' lengths differ), or a part is left out.
@pytest.mark.parametrize("make", [_bert, _gpt2])
def test_a_batch_in_parts_is_the_batch(make):
  module, make_loss = _without_noise(make)
  params = families.init_params(module, jax.random.key(0))
  tx = optax.sgd(1.0)
  batch = _batch()
  found = []
  for parts in (None, 1, 3):
    train_step = jax.jit(
      step.make_train_step(make_loss(module), tx, accumulate_steps=parts)
    )
    found.append(train_step(step.init_state(params, tx), batch, _rng()))
  (state, metrics), (one_state, one_metrics), (parts_state, parts_metrics) = (
    found
  )
  for a, b in zip(
    jax.tree.leaves(state), jax.tree.leaves(one_state), strict=True
  ):
    np.testing.assert_array_equal(a, b)
  for a, b in zip(
    jax.tree.leaves((state, metrics)),
    jax.tree.leaves((parts_state, parts_metrics)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
  assert one_metrics["xent"][1] == parts_metrics["xent"][1]


# Dies if: the rng's folds differ under remat, or a layer's name does.
@pytest.mark.parametrize("make", [_bert, _gpt2])
def test_remat_changes_nothing_but_memory(make):
  module, _ = make()
  found = []
  for remat in (False, True):
    again = module.clone(remat=remat)
    loss_fn = (
      losses.make_lm_loss(again)
      if isinstance(again, gpt2.Gpt2)
      else losses.make_classifier_loss(again)
    )
    params = families.init_params(again, jax.random.key(0))
    grads = jax.jit(jax.grad(loss_fn, has_aux=True))
    found.append(grads(params, _batch(), _rng())[0])
  assert jax.tree.structure(found[0]) == jax.tree.structure(found[1])
  for a, b in zip(*map(jax.tree.leaves, found), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
  text = str(jax.make_jaxpr(loss_fn)(params, _batch(), _rng()))
  assert text.count("remat2") == 2 or text.count("checkpoint") >= 2


# Dies if: a gradient is of other rows, another layer or another dtype where
# factors are rounded; or where a batch is gone through in parts.
@pytest.mark.parametrize("make", [_bert, _gpt2])
@pytest.mark.parametrize("fields", [{}, {"remat": True}], ids=str)
def test_rounded_products_hardly_change_a_step(make, fields):
  module, _ = make()
  # Each part of a batch drops others.
  module = module.clone(config=dataclasses.replace(module.config, dropout=0.0))
  tx = optax.sgd(1.0)
  params = families.init_params(module, jax.random.key(0))

  def moved(model, parts):
    loss_fn = (
      losses.make_lm_loss(model)
      if isinstance(model, gpt2.Gpt2)
      else losses.make_classifier_loss(model)
    )
    train_step = step.make_train_step(loss_fn, tx, accumulate_steps=parts)
    state = step.init_state(params, tx)
    after = jax.jit(train_step)(state, _batch(), _rng())[0].params
    return jax.tree.map(jnp.subtract, after, params)

  plain = moved(module, None)
  rounded = module.clone(matmul_dtype=jnp.bfloat16, **fields)
  for parts in (None, 3):
    got = moved(rounded, parts)
    assert {x.dtype for x in jax.tree.leaves(got)} == {jnp.float32.dtype}
    apart = optax.tree.norm(jax.tree.map(jnp.subtract, got, plain))
    assert 0 < apart < 0.02 * optax.tree.norm(plain)


def _rng():
  return jax.random.key(5)
