# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json

import pytest

from gd_jax.models import bert, gpt2, hf_configs
from gd_jax.models.hf_folder import PretrainedError

_BERT = bert.BertConfig(width=24, num_heads=3, dropout=0.25)
_GPT2 = gpt2.Gpt2Config(width=20, num_heads=5, mlp_width=33)


def _write(folder, config, **changes):
  config = {k: v for k, v in {**config, **changes}.items() if v is not None}
  (folder / "config.json").write_text(json.dumps(config))


def _bert_json(num_classes=None):
  return hf_configs.bert_json(_BERT, num_classes)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_bert_comes_back(tmp_path, num_classes):
  _write(tmp_path, _bert_json(num_classes))
  assert hf_configs.read_bert(tmp_path) == _BERT


def test_gpt2_comes_back(tmp_path):
  _write(tmp_path, hf_configs.gpt2_json(_GPT2))
  assert hf_configs.read_gpt2(tmp_path) == _GPT2


def test_gpt2s_mlp_is_four_times_as_wide_unless_said(tmp_path):
  _write(tmp_path, hf_configs.gpt2_json(_GPT2), n_inner=None)
  assert hf_configs.read_gpt2(tmp_path).mlp_width == 80


@pytest.mark.parametrize(
  ("changes", "match"),
  [
    ({"model_type": "gpt2"}, "of a 'gpt2' model, not 'bert'"),
    ({"hidden_act": "relu"}, "hidden_act='relu'"),
    ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
    ({"hidden_size": None}, "hidden_size=None where a number"),
    ({"hidden_size": "24"}, "hidden_size='24' where a number"),
    ({"hidden_size": -24}, "hidden_size=-24 where a number"),
    ({"hidden_size": 24.0}, "hidden_size=24.0 where a number"),
    ({"num_attention_heads": 5}, "24 does not divide into 5 heads"),
    ({"num_attention_heads": 0}, "24 does not divide into 0 heads"),
  ],
)
def test_what_would_compute_something_else_is_refused(tmp_path, changes, match):
  # Dies if: a variant of the architecture loads as if it were the plain one.
  _write(tmp_path, _bert_json(), **changes)
  with pytest.raises(PretrainedError, match=match) as error:
    hf_configs.read_bert(tmp_path)
  assert str(tmp_path / "config.json") in str(error.value)


@pytest.mark.parametrize(
  "changes",
  [
    {"activation_function": "relu"},
    {"scale_attn_by_inverse_layer_idx": True},
    {"scale_attn_weights": False},
  ],
)
def test_gpt2s_variants_are_refused(tmp_path, changes):
  _write(tmp_path, hf_configs.gpt2_json(_GPT2), **changes)
  with pytest.raises(PretrainedError, match=next(iter(changes))):
    hf_configs.read_gpt2(tmp_path)


@pytest.mark.parametrize("text", [None, "", "{", "[1]", b"\xff\xfe"])
def test_a_folder_without_a_config_is_refused(tmp_path, text):
  path = tmp_path / "config.json"
  if text is not None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
  with pytest.raises(PretrainedError, match=r"config\.json"):
    hf_configs.read_bert(tmp_path)


def test_no_folder_is_refused(tmp_path):
  with pytest.raises(PretrainedError, match="is not a folder"):
    hf_configs.read_gpt2(tmp_path / "absent")
