# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What int8 costs a student that was really trained."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gd_jax.data import batches, files, tokenizers, vocabulary
from gd_jax.export import onnx_students
from gd_jax.models import families, students

ort = pytest.importorskip("onnxruntime", reason="the extra `export`")


def _train(module, tokens, labels, steps):
  tx = optax.adam(3e-3)
  params = families.init_params(module, jax.random.key(0))

  def loss(params, tokens, labels):
    mask = (tokens != 0).astype(jnp.int32)
    logits = module.apply({"params": params}, tokens, mask)
    return optax.softmax_cross_entropy_with_integer_labels(
      logits, labels
    ).mean()

  @functools.partial(jax.jit, donate_argnums=0)
  def step(state, tokens, labels):
    params, opt_state = state
    grads = jax.grad(loss)(params, tokens, labels)
    updates, opt_state = tx.update(grads, opt_state)
    return optax.apply_updates(params, updates), opt_state

  state = (params, tx.init(params))
  rng = np.random.default_rng(0)
  for _ in range(steps):
    rows = rng.integers(len(labels), size=32)
    state = step(state, tokens[rows], labels[rows])
  return jax.device_get(state[0])


@pytest.mark.slow
def test_int8_decides_as_float_does(tiny_bert, quickstart_folder):
  # Dies if: a weight's integers and its scales do not belong together.
  train = files.read_rows(quickstart_folder / "train.tsv")
  test = files.read_rows(quickstart_folder / "test.tsv")
  names = sorted({row.label for row in train})
  tokenizer, _ = vocabulary.prune(
    tokenizers.load(tiny_bert), [row.text for row in train], vocab_size=700
  )

  def encode(rows):
    texts = [row.text for row in rows]
    found = vocabulary.encode(tokenizer, texts, max_tokens=32)
    tokens = batches.from_rows(found)["tokens"]
    return np.asarray(tokens, np.int32), np.array(
      [names.index(row.label) for row in rows]
    )

  module = students.ResCnn(
    tokenizer.get_vocab_size(), len(names), num_filters=32, num_blocks=2
  )
  params = _train(module, *encode(train), steps=150)
  tokens, labels = encode([*train, *test])
  spec = families.spec_of(module)
  whole, small = (
    ort.InferenceSession(onnx_students.build(spec, params, int8=int8)).run(
      ["logits"], {"tokens": tokens}
    )[0]
    for int8 in (False, True)
  )
  mask = (tokens != 0).astype(np.int32)
  trained = np.asarray(module.apply({"params": params}, tokens, mask))
  assert np.abs(whole - trained).max() <= 1e-5 * max(1, np.abs(trained).max())
  np.testing.assert_array_equal(whole.argmax(1), trained.argmax(1))
  # So small a student is of two minds about rows it has not seen: whether a
  # decision holds is asked of those it learned, how far logits move of all.
  seen = slice(len(train))
  assert (whole.argmax(1) == labels)[seen].mean() > 0.9, "it learned"
  assert (small.argmax(1) == whole.argmax(1))[seen].mean() >= 0.99
  assert np.abs(small - whole).mean() <= 0.015 * whole.std()
