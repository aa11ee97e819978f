# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import families
from gd_jax.training import arms, distill, losses

B, C = 6, 3


class FromTokens(nn.Module):
  """Logits that are a table's entries: every loss can be worked out by hand."""

  @nn.compact
  def __call__(self, tokens, mask, *, deterministic=True):
    del mask, deterministic
    table = self.param("table", nn.initializers.normal(1.0), (20, C))
    return table[tokens[:, 0]]


def make_batch(knobs, *, labelled):
  rng = np.random.default_rng(1)
  return {
    "tokens": jnp.arange(B, dtype=jnp.int32)[:, None] + 1,
    "mask": jnp.ones((B, 1), jnp.int32),
    "label": jnp.array(rng.integers(0, C, B), jnp.int32),
    "teacher_logits": jnp.array(rng.normal(size=(B, C)), jnp.float32),
    "labelled": jnp.array(labelled),
    "knobs": knobs,
  }


def make_knobs(arm, **changes):
  values = {
    "learning_rate": 1e-3,
    "temperature": 2.0,
    "labelled_weight": 3.0,
    "hard_weight": 0.4,
  }
  return arms.ARMS[arm].knobs(**values | changes)


def loss_of(arm, *, labelled, loss="kl", batch=None, **changes):
  module = FromTokens()
  batch = batch or make_batch(make_knobs(arm, **changes), labelled=labelled)
  params = families.init_params(module, jax.random.key(0))
  loss_fn = distill.make_loss(module, loss=loss)
  (value, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(
    params, batch, jax.random.key(1)
  )
  logits = params["table"][batch["tokens"][:, 0]]
  hard = losses.cross_entropy(logits, batch["label"])
  soft = losses.kl(logits, batch["teacher_logits"], temperature=2.0)
  return float(value), metrics, grads, np.array(hard), np.array(soft)


MIXED = [True, True, False, False, False, False]


# Dies if: gold listens to the teacher.
def test_gold_is_cross_entropy_with_the_labels():
  value, _, _, hard, _ = loss_of("gold", labelled=[True] * B)
  np.testing.assert_allclose(value, hard.mean(), rtol=1e-6)


# Dies if: hard_weight goes to the soft part.
def test_kd_mixes_hard_and_soft_labels():
  value, _, _, hard, soft = loss_of("kd", labelled=[True] * B)
  np.testing.assert_allclose(value, (0.4 * hard + 0.6 * soft).mean(), rtol=1e-6)


# Dies if: generated rows get hard labels, or the weights of rows are lost.
def test_gd_adds_generated_rows_with_soft_labels_alone():
  value, _, _, hard, soft = loss_of("gd", labelled=MIXED)
  each = np.where(MIXED, 3 * (0.4 * hard + 0.6 * soft), soft)
  np.testing.assert_allclose(value, each.sum() / (2 * 3 + 4), rtol=1e-6)


# Dies if: gd_hard treats labelled rows otherwise than kd, or generated ones as
# gd does.
def test_gd_hard_takes_the_label_of_generated_rows():
  value, _, _, hard, soft = loss_of("gd_hard", labelled=MIXED)
  each = np.where(MIXED, 3 * (0.4 * hard + 0.6 * soft), hard)
  np.testing.assert_allclose(value, each.sum() / (2 * 3 + 4), rtol=1e-6)


# Dies if: a label is needed where there are soft ones.
def test_labels_of_generated_rows_do_not_matter_to_gd():
  batch = make_batch(make_knobs("gd"), labelled=MIXED)
  other = batch | {"label": jnp.where(jnp.array(MIXED), batch["label"], 0)}
  first = loss_of("gd", labelled=MIXED, batch=batch)
  second = loss_of("gd", labelled=MIXED, batch=other)
  assert first[0] == second[0]
  np.testing.assert_array_equal(first[2]["table"], second[2]["table"])


def test_mse_compares_logits():
  knobs = make_knobs("kd", hard_weight=0.0)
  batch = make_batch(knobs, labelled=[True] * B)
  value, *_ = loss_of("kd", labelled=None, loss="mse", batch=batch)
  table = families.init_params(FromTokens(), jax.random.key(0))["table"]
  logits = table[batch["tokens"][:, 0]]
  expected = jnp.mean((logits - batch["teacher_logits"]) ** 2)
  np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_another_loss_is_refused():
  with pytest.raises(ValueError, match="loss is one of"):
    distill.make_loss(FromTokens(), loss="l1")


# Dies if: the parts of labelled and of generated rows are mixed up.
def test_parts_are_logged_apart():
  _, metrics, _, hard, soft = loss_of("gd", labelled=MIXED)
  means = {k: float(total / count) for k, (total, count) in metrics.items()}
  labelled = np.array(MIXED)
  expected = {
    "xent": hard[labelled].mean(),
    "generated_xent": hard[~labelled].mean(),
    "kl": soft.mean(),
    "labelled_kl": soft[labelled].mean(),
    "generated_kl": soft[~labelled].mean(),
  }
  for name, value in expected.items():
    np.testing.assert_allclose(means[name], value, rtol=1e-5, err_msg=name)
  assert float(metrics["accuracy"][1]) == 2


SETTINGS = distill.Settings(
  total_steps=10,
  warmup_fraction=0.1,
  weight_decay=0.0,
  loss="kl",
  eval_every_steps=5,
  patience=None,
)


def one_step(knobs, *, embeddings=None, alone=True, length=1):
  program = distill.Program(
    FromTokensEmbedded(), SETTINGS, embeddings=embeddings, alone=alone
  )
  rng = np.random.default_rng(0)
  store = {
    "tokens": jnp.array(rng.integers(1, 20, (B, 4)), jnp.int32),
    "label": jnp.array(rng.integers(0, C, B), jnp.int32),
    "teacher_logits": jnp.array(rng.normal(size=(B, C)), jnp.float32),
    "labelled": jnp.array(MIXED),
  }
  rngs = jnp.stack([jax.random.key(3)])
  state = program.init(rngs)
  before = jax.tree.map(np.array, state.params)
  stacked = jax.tree.map(lambda x: jnp.array([x], jnp.float32), knobs)
  rows = jnp.arange(B, dtype=jnp.int32)[None]
  state, metrics = program.train(
    state, store, rows, stacked, rngs, length=length
  )
  return before, state, metrics


class FromTokensEmbedded(nn.Module):
  """The mean of a row's vectors, and a head."""

  @nn.compact
  def __call__(self, tokens, mask, *, deterministic=True):
    del deterministic
    real = mask[..., None].astype(jnp.float32)
    x = nn.Embed(20, 5, name="embed")(tokens)
    return nn.Dense(C)((x * real).sum(axis=1) / real.sum(axis=1))


def kernel_of(params):
  return np.array(params["Dense_0"]["kernel"])


# Dies if: the traced learning rate does not reach the optimizer.
def test_the_learning_rate_is_traced():
  knobs = make_knobs("gd", learning_rate=1e-3)
  before, state, _ = one_step(knobs)
  # Adam's first step is the learning rate's size, whatever the gradient.
  moved = np.abs(kernel_of(state.params) - kernel_of(before))
  np.testing.assert_allclose(moved.max(), 1e-3, rtol=1e-2)
  faster = dataclasses.replace(knobs, learning_rate=1e-2)
  before, state, _ = one_step(faster)
  moved = np.abs(kernel_of(state.params) - kernel_of(before))
  np.testing.assert_allclose(moved.max(), 1e-2, rtol=1e-2)


# Dies if: the table starts elsewhere than at the embeddings given.
def test_embeddings_are_where_the_table_starts():
  embeddings = np.random.default_rng(2).normal(size=(20, 5)).astype(np.float32)
  before, _, _ = one_step(make_knobs("gd"), embeddings=embeddings)
  np.testing.assert_array_equal(before["embed"]["embedding"][0], embeddings)


# Dies if: `length` is ignored, or padding has mask 1.
def test_rows_are_cut_to_the_length_of_the_step():
  short = one_step(make_knobs("gd"), length=1)[2]["loss"]
  whole = one_step(make_knobs("gd"), length=4)[2]["loss"]
  assert float(short[0][0]) != float(whole[0][0])


def test_alone_and_under_vmap_are_one_program():
  alone = one_step(make_knobs("gd"), length=4)[1].params
  mapped = one_step(make_knobs("gd"), length=4, alone=False)[1].params
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    alone,
    mapped,
  )
