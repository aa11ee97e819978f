# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

"""One clipped AdamW step against PyTorch's, for both models, live."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import bert, gpt2, pretrained
from gd_jax.training import losses, optim, step

pytestmark = pytest.mark.parity

_LEARNING_RATE = 1e-3
# Large, so that it moves weights by more than the tolerance.
_WEIGHT_DECAY = 1.0


def _torch_step(model, **inputs):
  """Decay on matrices only, gradients clipped to length 1: then one step."""
  import torch

  matrices = [p for p in model.parameters() if p.ndim > 1]
  vectors = [p for p in model.parameters() if p.ndim <= 1]
  groups = [
    {"params": matrices, "weight_decay": _WEIGHT_DECAY},
    {"params": vectors, "weight_decay": 0.0},
  ]
  optimizer = torch.optim.AdamW(groups, lr=_LEARNING_RATE, eps=1e-6)
  loss = model(**inputs).loss
  loss.backward()
  torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
  optimizer.step()
  return loss.item()


def _our_step(loss_fn, params, batch):
  tx = optim.adamw(_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
  state = step.init_state(params, tx)
  train_step = jax.jit(step.make_train_step(loss_fn, tx))
  state, metrics = train_step(state, batch, jax.random.key(0))
  total, count = metrics["xent"]
  return state.params, total / count


def _assert_moved_alike(ours, before, expected):
  moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), ours, before)
  # Each weight that has a gradient moves by about the learning rate.
  assert min(jax.tree.leaves(moved)) > _LEARNING_RATE / 2
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=5e-5),
    ours,
    expected,
  )


def test_gpt2(batch, to_torch, tmp_path):
  # Dies if: a gradient's sign, the bias correction or what is decayed differs.
  # (Clipping hardly shows: Adam's first step does not depend on the scale.)
  import torch
  import transformers

  torch.manual_seed(0)
  config = transformers.GPT2Config(
    vocab_size=97,
    n_embd=32,
    n_layer=1,
    n_head=4,
    n_positions=24,
    bos_token_id=0,
    eos_token_id=0,
    initializer_range=0.2,
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
  )
  model = transformers.GPT2LMHeadModel(config).train()
  model.save_pretrained(tmp_path / "before")
  tokens, mask = batch(97, 12)
  expected_loss = _torch_step(
    model,
    input_ids=to_torch(tokens),
    attention_mask=to_torch(mask),
    labels=to_torch(np.where(mask > 0, tokens, -100)),
  )
  model.save_pretrained(tmp_path / "after")
  ours_config, before = pretrained.load_gpt2(tmp_path / "before")
  loss_fn = losses.make_lm_loss(gpt2.Gpt2(ours_config))
  after, loss = _our_step(
    loss_fn, before, {"tokens": jnp.asarray(tokens), "mask": jnp.asarray(mask)}
  )
  np.testing.assert_allclose(loss, expected_loss, rtol=0, atol=1e-4)
  _assert_moved_alike(
    after, before, pretrained.load_gpt2(tmp_path / "after")[1]
  )


def test_bert(batch, to_torch, tmp_path):
  import torch
  import transformers

  torch.manual_seed(0)
  config = transformers.BertConfig(
    vocab_size=97,
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=4,
    intermediate_size=48,
    max_position_embeddings=24,
    initializer_range=0.2,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    num_labels=3,
  )
  model = transformers.BertForSequenceClassification(config).train()
  model.save_pretrained(tmp_path / "before")
  tokens, mask = batch(97, 12)
  label = np.array([0, 1, 2, 1], np.int32)
  expected_loss = _torch_step(
    model,
    input_ids=to_torch(tokens),
    attention_mask=to_torch(mask),
    labels=to_torch(label),
  )
  model.save_pretrained(tmp_path / "after")
  ours_config, before = pretrained.load_bert(tmp_path / "before")
  module = bert.BertClassifier(ours_config, 3, "cls")
  rows = {"tokens": tokens, "mask": mask, "label": label}
  after, loss = _our_step(
    losses.make_classifier_loss(module),
    before,
    jax.tree.map(jnp.asarray, rows),
  )
  np.testing.assert_allclose(loss, expected_loss, rtol=0, atol=1e-4)
  _assert_moved_alike(
    after, before, pretrained.load_bert(tmp_path / "after")[1]
  )
