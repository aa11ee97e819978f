# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Our models against PyTorch's numbers, where PyTorch is absent."""

import json
import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import tokenizers

from gd_jax import hub
from gd_jax.errors import UserError
from gd_jax.models import bert, decoding, gpt2, pretrained
from gd_jax.training import losses, optim, step

_HERE = pathlib.Path(__file__).parent
_GOLDENS = json.loads((_HERE / "goldens.json").read_text())
_draw = runpy.run_path(str(_HERE / "random_weights.py"))["draw"]
_FAMILIES = ("gpt2", "bert")
_CASES = [(family, name) for family in _FAMILIES for name in _GOLDENS[family]]


def _load(family, golden, folder):
  """(module, params) read from a folder as transformers would write it."""
  (folder / "config.json").write_text(json.dumps(golden["config"]))
  safetensors.numpy.save_file(
    _draw(golden["shapes"]), folder / "model.safetensors"
  )
  if family == "gpt2":
    config, params = pretrained.load_gpt2(folder)
    return gpt2.Gpt2(config), params
  config, params = pretrained.load_bert(folder)
  num_classes = golden["shapes"]["classifier.bias"][0]
  return bert.BertClassifier(config, num_classes, "cls"), params


def _batch(family, golden):
  batch = {
    "tokens": jnp.array(golden["tokens"]),
    "mask": jnp.array(golden["mask"]),
  }
  if family == "bert":
    batch["label"] = jnp.array(golden["labels"])
  return batch


def test_the_goldens_name_what_made_them():
  versions = _GOLDENS["versions"]
  assert {"torch", "transformers", "numpy", "python"} <= set(versions)
  assert len(_GOLDENS["gpt2"]) >= 4 and len(_GOLDENS["bert"]) >= 4


@pytest.mark.parametrize(("family", "name"), _CASES)
def test_logits_and_loss(family, name, tmp_path):
  # Dies if: the GELU, an epsilon, the mask, a transpose, the pooler or the
  # order of norm and residual changes.
  golden = _GOLDENS[family][name]
  module, params = _load(family, golden, tmp_path)
  batch = _batch(family, golden)
  apply = jax.jit(module.apply)
  logits = apply({"params": params}, batch["tokens"], batch["mask"])
  if family == "gpt2":
    loss, weight = losses.lm_xent(logits, batch["tokens"], batch["mask"])
    loss = loss.sum() / weight.sum()
    logits = logits[np.arange(3), np.sum(golden["mask"], axis=1) - 1]
  else:
    loss = losses.cross_entropy(logits, batch["label"]).mean()
  np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=1e-4)
  np.testing.assert_allclose(loss, golden["loss"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", _FAMILIES)
def test_an_adamw_step(family, tmp_path):
  # Dies if: a gradient's sign, the bias correction or what is decayed differs.
  golden = _GOLDENS[family]["one_head"]
  module, params = _load(family, golden, tmp_path)
  make_loss = {
    "gpt2": losses.make_lm_loss,
    "bert": losses.make_classifier_loss,
  }[family]
  adamw = _GOLDENS["adamw"]
  tx = optim.adamw(adamw["lr"], weight_decay=adamw["weight_decay"])
  train_step = jax.jit(step.make_train_step(make_loss(module), tx))
  state = step.init_state(params, tx)
  state, _ = train_step(state, _batch(family, golden), jax.random.key(0))

  save = {"gpt2": pretrained.save_gpt2, "bert": pretrained.save_bert}[family]
  save(tmp_path / "after", module.config, state.params)
  after = safetensors.numpy.load_file(tmp_path / "after" / "model.safetensors")
  assert after.keys() == golden["after_adamw"].keys()
  for tensor, expected in golden["after_adamw"].items():
    np.testing.assert_allclose(
      after[tensor].reshape(-1)[:3], expected, rtol=0, atol=5e-5
    )


def test_greedy_decoding(tmp_path):
  # Dies if: the cache is off by one, or positions or head differ.
  golden = _GOLDENS["gpt2"]["narrow_mlp"]
  module, params = _load("gpt2", golden, tmp_path)
  params = decoding.prepare(params)
  expected = np.array(golden["greedy"])
  num_rows, length = expected.shape

  @jax.jit
  def next_token(params, token, position, cache):
    logits, cache = module.apply(
      {"params": params}, token, position, cache, method="decode"
    )
    return logits.argmax(axis=-1), cache

  cache, token = module.init_cache(num_rows, length), expected[:, 0]
  for t in range(length - 1):
    position = jnp.full(num_rows, t)
    token, cache = next_token(params, token, position, cache)
    np.testing.assert_array_equal(token, expected[:, t + 1])
  assert all(len(set(row)) > 20 for row in golden["greedy"])


@pytest.mark.slow
def test_minilm_sentence_embeddings():
  """Downloads 84 MB where they are not cached."""
  try:
    folder = hub.resolve("minilm", allow_download=False)
  except UserError as error:
    pytest.skip(f"MiniLM cannot be had here: {error}")
  golden = _GOLDENS["minilm"]
  tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
  tokenizer.no_truncation()
  tokenizer.enable_padding()
  rows = tokenizer.encode_batch(golden["texts"])
  assert [row.ids for row in rows] == golden["tokens"]
  config, params = pretrained.load_bert(folder)
  mask = np.array(golden["mask"])
  hidden = jax.jit(bert.Bert(config).apply)(
    {"params": params["bert"]}, np.array(golden["tokens"]), mask
  )
  embeddings = np.array(bert.mean_pool(hidden, mask))
  embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
  np.testing.assert_allclose(
    embeddings[:, :16], golden["first_16"], rtol=0, atol=1e-5
  )
  np.testing.assert_allclose(
    embeddings @ embeddings.T, golden["cosine"], rtol=0, atol=1e-5
  )
