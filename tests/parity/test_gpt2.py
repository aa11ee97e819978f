# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

"""GPT-2 against PyTorch transformers, on random weights, live."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import decoding, gpt2, pretrained
from gd_jax.training import losses

pytestmark = pytest.mark.parity

_SHAPES = {
  "plain": {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4},
  "one_head": {"vocab_size": 61, "n_embd": 16, "n_layer": 1, "n_head": 1},
  "narrow_mlp": {
    "vocab_size": 128,
    "n_embd": 48,
    "n_layer": 3,
    "n_head": 3,
    "n_inner": 20,
  },
  "many_heads": {
    "vocab_size": 300,
    "n_embd": 64,
    "n_layer": 4,
    "n_head": 16,
    "layer_norm_epsilon": 1e-3,
  },
}


@pytest.fixture
def torch_gpt2():
  """(shape, **more) -> a GPT2LMHeadModel whose outputs depend on its inputs."""

  def make(**config):
    import torch
    import transformers

    torch.manual_seed(0)
    config = {
      "n_positions": 70,
      "initializer_range": 0.3,
      "bos_token_id": 0,
      "eos_token_id": None,
      **config,
    }
    return transformers.GPT2LMHeadModel(
      transformers.GPT2Config(**config)
    ).eval()

  return make


def _load(model, folder, **saving):
  model.save_pretrained(folder, **saving)
  config, params = pretrained.load_gpt2(folder)
  return gpt2.Gpt2(config), params


@pytest.mark.parametrize("name", sorted(_SHAPES))
def test_logits_and_loss(name, torch_gpt2, batch, to_torch, tmp_path):
  # Dies if: the GELU, an epsilon, the mask, a transpose or the residual order
  # is another than PyTorch's.
  model = torch_gpt2(**_SHAPES[name])
  module, params = _load(model, tmp_path)
  tokens, mask = batch(_SHAPES[name]["vocab_size"], 20)
  labels = np.where(mask > 0, tokens, -100)
  theirs = model(
    input_ids=to_torch(tokens),
    attention_mask=to_torch(mask),
    labels=to_torch(labels),
  )
  ours = jax.jit(module.apply)({"params": params}, tokens, mask)
  real = mask > 0
  expected = theirs.logits.detach().numpy()
  np.testing.assert_allclose(ours[real], expected[real], rtol=0, atol=1e-4)
  assert expected.std() > 0.5
  loss, weight = losses.lm_xent(ours, tokens, mask)
  mean = loss.sum() / weight.sum()
  np.testing.assert_allclose(mean, theirs.loss.item(), rtol=0, atol=1e-4)


def test_greedy_decoding_token_by_token(torch_gpt2, to_torch, tmp_path):
  # Dies if: the cache is off by one, or positions or head differ.
  model = torch_gpt2(**_SHAPES["narrow_mlp"], initializer_range=0.5)
  module, params = _load(model, tmp_path)
  prompt = np.array([[5], [77], [120]], np.int32)
  theirs = model.generate(
    to_torch(prompt),
    attention_mask=to_torch(np.ones_like(prompt)),
    max_new_tokens=64,
    do_sample=False,
    pad_token_id=0,
  ).numpy()

  @jax.jit
  def step(params, token, position, cache):
    logits, cache = module.apply(
      {"params": params}, token, position, cache, method="decode"
    )
    return logits.argmax(axis=-1).astype(jnp.int32), cache

  params = decoding.prepare(params)
  cache, token, ours = module.init_cache(3, 64), prompt[:, 0], [prompt[:, 0]]
  for t in range(64):
    token, cache = step(params, token, jnp.full(3, t), cache)
    ours.append(token)
  np.testing.assert_array_equal(np.stack(ours, axis=1), theirs)
  # Not degenerate: many different words, and rows of their own.
  for row in theirs:
    assert len(set(row.tolist())) > 20
  assert len({tuple(row[1:]) for row in theirs.tolist()}) == 3


def test_shards_and_a_bare_model(torch_gpt2, batch, to_torch, tmp_path):
  # Dies if: the index is not read, or names need the prefix "transformer.".
  model = torch_gpt2(**_SHAPES["plain"])
  tokens, mask = batch(97, 9)
  expected = model(to_torch(tokens)).logits.detach().numpy()
  for name, saved in [("whole", model), ("bare", model.transformer)]:
    folder = tmp_path / name
    module, params = _load(saved, folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    ours = jax.jit(module.apply)({"params": params}, tokens, mask)
    np.testing.assert_allclose(
      ours[mask > 0], expected[mask > 0], rtol=0, atol=1e-4
    )


def test_transformers_reads_what_we_write(torch_gpt2, to_torch, tmp_path):
  # Dies if: a name, an orientation or a config field is written wrong.
  import transformers

  model = torch_gpt2(**_SHAPES["narrow_mlp"])
  model.save_pretrained(tmp_path / "theirs")
  config, params = pretrained.load_gpt2(tmp_path / "theirs")
  for name, size in [("one", 10**9), ("sharded", 20_000)]:
    pretrained.save_gpt2(tmp_path / name, config, params, max_shard_bytes=size)
    again, report = transformers.GPT2LMHeadModel.from_pretrained(
      tmp_path / name, output_loading_info=True
    )
    assert not any(report.values()), report
    tokens = to_torch(np.arange(12).reshape(2, 6))
    expected = model(tokens).logits.detach().numpy()
    ours = again.eval()(tokens).logits.detach().numpy()
    np.testing.assert_array_equal(ours, expected)
