# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

"""BERT against PyTorch transformers, on random weights, live."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import bert, pretrained
from gd_jax.training import losses

pytestmark = pytest.mark.parity


def _shape(vocab_size, width, layers, heads, mlp_width, **more):
  return {
    "vocab_size": vocab_size,
    "hidden_size": width,
    "num_hidden_layers": layers,
    "num_attention_heads": heads,
    "intermediate_size": mlp_width,
    "max_position_embeddings": 30,
    **more,
  }


_SHAPES = {
  "plain": _shape(97, 32, 2, 4, 64, num_labels=2),
  "one_head": _shape(61, 16, 1, 1, 20, num_labels=6, type_vocab_size=1),
  "narrow_mlp": _shape(128, 48, 3, 3, 20, num_labels=3, layer_norm_eps=1e-3),
  "many_heads": _shape(300, 64, 4, 16, 256, num_labels=50),
}


def _torch_config(name, **more):
  import torch
  import transformers

  torch.manual_seed(0)
  return transformers.BertConfig(
    **{**_SHAPES[name], "initializer_range": 0.2, **more}
  )


@pytest.mark.parametrize("name", sorted(_SHAPES))
def test_logits_and_loss(name, batch, to_torch, tmp_path):
  # Dies if: the GELU, an epsilon, the mask, a transpose, the pooler or the
  # order of norm and residual is another than PyTorch's.
  import transformers

  config = _torch_config(name)
  model = transformers.BertForSequenceClassification(config).eval()
  model.save_pretrained(tmp_path)
  ours_config, params = pretrained.load_bert(tmp_path)
  num_classes = _SHAPES[name]["num_labels"]
  module = bert.BertClassifier(ours_config, num_classes, "cls")
  tokens, mask = batch(config.vocab_size, 20)
  label = np.arange(4) % num_classes
  theirs = model(
    input_ids=to_torch(tokens),
    attention_mask=to_torch(mask),
    labels=to_torch(label),
  )
  ours = jax.jit(module.apply)({"params": params}, tokens, mask)
  expected = theirs.logits.detach().numpy()
  np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
  assert expected.std(axis=0).max() > 0.1
  loss = losses.cross_entropy(ours, jnp.asarray(label)).mean()
  np.testing.assert_allclose(loss, theirs.loss.item(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
  "model_class", ["BertModel", "BertForMaskedLM", "BertForPreTraining"]
)
def test_encoders_with_and_without_the_prefix(
  model_class, batch, to_torch, tmp_path
):
  import transformers

  model = getattr(transformers, model_class)(_torch_config("plain")).eval()
  model.save_pretrained(tmp_path, max_shard_size="40KB")
  config, params = pretrained.load_bert(tmp_path)
  assert ("pooler" in params) == (model_class != "BertForMaskedLM")
  tokens, mask = batch(97, 12)
  expected = (
    getattr(model, "bert", model)(
      to_torch(tokens), attention_mask=to_torch(mask)
    )
    .last_hidden_state.detach()
    .numpy()
  )
  apply = jax.jit(bert.Bert(config).apply)
  ours = apply({"params": params["bert"]}, tokens, mask)
  real = mask > 0
  np.testing.assert_allclose(ours[real], expected[real], rtol=0, atol=1e-4)


def test_the_warm_started_decoder_is_berts_own(batch, to_torch, tmp_path):
  # Dies if: the causal mask, or the tied head, is not transformers' decoder's.
  import transformers

  model = transformers.BertModel(
    _torch_config("narrow_mlp", is_decoder=True)
  ).eval()
  model.save_pretrained(tmp_path)
  config, params = pretrained.load_bert(tmp_path)
  tokens, mask = batch(128, 15)
  hidden = model(
    to_torch(tokens), attention_mask=to_torch(mask)
  ).last_hidden_state
  expected = (hidden @ model.embeddings.word_embeddings.weight.T).detach()
  module = bert.BertDecoder(config)
  warm = pretrained.warm_start(params)
  ours = jax.jit(module.apply)({"params": warm}, tokens, mask)
  real = mask > 0
  np.testing.assert_allclose(
    ours[real], expected.numpy()[real], rtol=0, atol=1e-4
  )


@pytest.mark.parametrize("max_shard_bytes", [10**9, 20_000])
def test_transformers_reads_what_we_write(to_torch, tmp_path, max_shard_bytes):
  # Dies if: a name, an orientation or a config field is written wrong.
  import transformers

  model_class = transformers.BertForSequenceClassification
  model = model_class(_torch_config("narrow_mlp")).eval()
  model.save_pretrained(tmp_path / "theirs")
  config, params = pretrained.load_bert(tmp_path / "theirs")
  pretrained.save_bert(
    tmp_path / "ours", config, params, max_shard_bytes=max_shard_bytes
  )
  again, report = model_class.from_pretrained(
    tmp_path / "ours", output_loading_info=True
  )
  assert not any(report.values()), report
  tokens = to_torch(np.arange(12).reshape(2, 6))
  np.testing.assert_array_equal(
    again.eval()(tokens).logits.detach().numpy(),
    model(tokens).logits.detach().numpy(),
  )
