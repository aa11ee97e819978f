# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from gd_jax.models import bert, families, gpt2, pretrained
from gd_jax.models.pretrained import PretrainedError

_SHAPE = {
  "vocab_size": 11,
  "width": 6,
  "num_layers": 2,
  "num_heads": 2,
  "mlp_width": 10,
  "max_length": 5,
}
_BERT = bert.BertConfig(**_SHAPE, type_vocab_size=3, dropout=0.2)
_GPT2 = gpt2.Gpt2Config(**_SHAPE, dropout=0.0, layer_norm_eps=1e-4)


@pytest.fixture
def bert_params(random_params):
  return random_params(bert.BertClassifier(_BERT, 4, "cls"))


@pytest.fixture
def gpt2_params(random_params):
  return random_params(gpt2.Gpt2(_GPT2))


@pytest.fixture(params=["bert", "gpt2"])
def saved(request, tmp_path, bert_params, gpt2_params):
  """(folder, load, params, prefix) of a saved model."""
  if request.param == "bert":
    pretrained.save_bert(tmp_path, _BERT, bert_params)
    return tmp_path, pretrained.load_bert, bert_params, "bert."
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params)
  return tmp_path, pretrained.load_gpt2, gpt2_params, "transformer."


def _tensors(folder):
  return safetensors.numpy.load_file(folder / "model.safetensors")


def _rewrite(folder, tensors):
  path = folder / "model.safetensors"
  safetensors.numpy.save_file(tensors, path, metadata={"format": "pt"})


def _assert_equal(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def test_saved_params_come_back(saved):
  folder, load, params, _ = saved
  config, loaded = load(folder)
  assert config in (_BERT, _GPT2)
  _assert_equal(loaded, params)
  assert {x.dtype for x in jax.tree.leaves(loaded)} == {jnp.float32.dtype}


def test_shards_come_back(tmp_path, gpt2_params):
  # Dies if: a shard is left out, or the one-file weights of before stay.
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params)
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params, max_shard_bytes=700)
  shards = sorted(tmp_path.glob("model-*.safetensors"))
  assert len(shards) > 2 and not (tmp_path / "model.safetensors").exists()
  _assert_equal(pretrained.load_gpt2(tmp_path)[1], gpt2_params)
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params)
  assert not (tmp_path / "model.safetensors.index.json").exists()
  _assert_equal(pretrained.load_gpt2(tmp_path)[1], gpt2_params)


def test_names_without_the_prefix(saved):
  folder, load, params, prefix = saved
  bare = {k.removeprefix(prefix): v for k, v in _tensors(folder).items()}
  assert bare.keys() != _tensors(folder).keys()
  _rewrite(folder, bare)
  _assert_equal(load(folder)[1], params)


def test_buffers_and_unused_heads_are_not_extra(saved):
  folder, load, params, prefix = saved
  known = {
    "bert.": ("bert.embeddings.position_ids", "cls.predictions.bias"),
    "transformer.": (
      "transformer.h.1.attn.bias",
      "transformer.h.0.attn.masked_bias",
    ),
  }[prefix]
  extra = {name: np.zeros((1, 5), np.int64) for name in known}
  _rewrite(folder, {**_tensors(folder), **extra})
  _assert_equal(load(folder)[1], params)


def test_tensorflow_names_of_layer_norm(tmp_path, bert_params):
  pretrained.save_bert(tmp_path, _BERT, bert_params)
  renamed = {
    name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
      "LayerNorm.bias", "LayerNorm.beta"
    ): tensor
    for name, tensor in _tensors(tmp_path).items()
  }
  assert renamed.keys() != _tensors(tmp_path).keys()
  _rewrite(tmp_path, renamed)
  _assert_equal(pretrained.load_bert(tmp_path)[1], bert_params)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_files_load_as_float32(tmp_path, gpt2_params, dtype):
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params)
  half = {k: v.astype(dtype) for k, v in _tensors(tmp_path).items()}
  _rewrite(tmp_path, half)
  loaded = pretrained.load_gpt2(tmp_path)[1]
  assert {x.dtype for x in jax.tree.leaves(loaded)} == {jnp.float32.dtype}
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=0.03),
    loaded,
    gpt2_params,
  )


def test_every_fault_is_listed(saved):
  # Dies if: strictness is relaxed for any of the three.
  folder, load, _, _ = saved
  tensors = _tensors(folder)
  missing, misshapen, *_ = sorted(tensors)
  removed = tensors.pop(missing)
  tensors["stray.weight"] = removed
  shape = list(tensors[misshapen].shape)
  tensors[misshapen] = np.zeros([*shape, 1], np.float32)
  _rewrite(folder, tensors)
  with pytest.raises(PretrainedError) as error:
    load(folder)
  line = str(error.value)
  bare = [
    x.removeprefix("bert.").removeprefix("transformer.")
    for x in (missing, misshapen)
  ]
  assert f"missing: {bare[0]};" in line
  assert "extra: stray.weight;" in line
  assert f"misshapen: {bare[1]} {[*shape, 1]} instead of {shape};" in line
  assert str(folder) in line and "\n" not in line


def test_a_transposed_square_is_not_mistaken(tmp_path, bert_params):
  # Dies if: the kernel of a torch Linear is not transposed; a square one fits.
  pretrained.save_bert(tmp_path, _BERT, bert_params)
  tensor = _tensors(tmp_path)["bert.encoder.layer.0.attention.self.key.weight"]
  kernel = bert_params["bert"]["layers_0"]["attention"]["qkv"]["kernel"]
  np.testing.assert_array_equal(tensor, kernel[:, 6:12].T)


def test_both_names_of_one_tensor_are_refused(tmp_path, gpt2_params):
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params)
  tensors = _tensors(tmp_path)
  tensors["wte.weight"] = tensors["transformer.wte.weight"]
  _rewrite(tmp_path, tensors)
  with pytest.raises(PretrainedError, match=r"holds wte\.weight twice"):
    pretrained.load_gpt2(tmp_path)


def test_a_tied_head_is_read_and_an_own_one_refused(tmp_path, gpt2_params):
  # Dies if: lm_head.weight is dropped without a look.
  pretrained.save_gpt2(tmp_path, _GPT2, gpt2_params)
  tensors = _tensors(tmp_path)
  table = tensors["transformer.wte.weight"]
  _rewrite(tmp_path, {**tensors, "lm_head.weight": table})
  _assert_equal(pretrained.load_gpt2(tmp_path)[1], gpt2_params)
  _rewrite(tmp_path, {**tensors, "lm_head.weight": table + 1})
  with pytest.raises(PretrainedError, match="ties the head"):
    pretrained.load_gpt2(tmp_path)


def test_pooler_and_classifier_are_kept_only_where_they_are(
  tmp_path, bert_params
):
  encoder = {"bert": bert_params["bert"]}
  pretrained.save_bert(tmp_path, _BERT, encoder)
  assert not any(name.startswith("bert.") for name in _tensors(tmp_path))
  _assert_equal(pretrained.load_bert(tmp_path)[1], encoder)


def test_saving_what_does_not_fit_is_refused(tmp_path, gpt2_params):
  wider = dataclasses.replace(_GPT2, mlp_width=12)
  with pytest.raises(PretrainedError, match=r"blocks_0/down/kernel \[10, 6\]"):
    pretrained.save_gpt2(tmp_path, wider, gpt2_params)
  with pytest.raises(PretrainedError, match="extra: head"):
    pretrained.save_gpt2(tmp_path, _GPT2, {**gpt2_params, "head": jnp.ones(2)})
  assert not list(tmp_path.iterdir())


def test_a_mean_pooled_classifier_cannot_be_saved(tmp_path, bert_params):
  params = {k: v for k, v in bert_params.items() if k != "pooler"}
  with pytest.raises(PretrainedError, match="mean-pooled"):
    pretrained.save_bert(tmp_path, _BERT, params)


def test_warm_start_is_the_encoder_alone(bert_params):
  params = pretrained.warm_start(bert_params)
  shapes = jax.eval_shape(
    lambda: families.init_params(bert.BertDecoder(_BERT), jax.random.key(0))
  )
  assert jax.tree.structure(params) == jax.tree.structure(shapes)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_classifier_params_fit_the_classifier(bert_params, pooling):
  params = pretrained.classifier_params(
    bert_params, 7, jax.random.key(0), pooling=pooling
  )
  module = bert.BertClassifier(_BERT, 7, pooling)
  shapes = jax.eval_shape(
    lambda: families.init_params(module, jax.random.key(0))
  )
  assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)
  assert 0 < np.std(params["classifier"]["kernel"]) < 0.05


def test_cls_pooling_needs_a_pooler(bert_params):
  encoder = {"bert": bert_params["bert"]}
  with pytest.raises(PretrainedError, match='use pooling="mean"'):
    pretrained.classifier_params(encoder, 7, jax.random.key(0), pooling="cls")


@pytest.mark.parametrize("largest", [10, 11])
def test_the_tokenizer_must_fit_the_model(saved, largest):
  # Dies if: the check is left out, or off by one.
  folder, load, _, _ = saved
  vocab = {"a": 0, "b": 3}
  added = [{"id": largest, "content": "[X]"}]
  tokenizer = {"model": {"vocab": vocab}, "added_tokens": added}
  (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
  if largest < 11:
    load(folder)
    return
  with pytest.raises(PretrainedError, match=r"ids up to 11.* only 11 emb"):
    load(folder)
