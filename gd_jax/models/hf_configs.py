# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hugging Face config.json <-> BertConfig, Gpt2Config."""

import pathlib
from typing import Any

from gd_jax.models import bert, gpt2, hf_folder
from gd_jax.models.hf_folder import PretrainedError

# {our field: (their field, what its absence means; None: it must be there)}
_BERT = {
  "vocab_size": ("vocab_size", None),
  "width": ("hidden_size", None),
  "num_layers": ("num_hidden_layers", None),
  "num_heads": ("num_attention_heads", None),
  "mlp_width": ("intermediate_size", None),
  "max_length": ("max_position_embeddings", None),
  "type_vocab_size": ("type_vocab_size", 2),
  "dropout": ("hidden_dropout_prob", 0.1),
  "layer_norm_eps": ("layer_norm_eps", 1e-12),
}
_GPT2 = {
  "vocab_size": ("vocab_size", None),
  "width": ("n_embd", None),
  "num_layers": ("n_layer", None),
  "num_heads": ("n_head", None),
  "max_length": ("n_positions", None),
  "dropout": ("resid_pdrop", 0.1),
  "layer_norm_eps": ("layer_norm_epsilon", 1e-5),
}

# Variants of the architecture that would load, and compute something else.
_BERT_FIXED = {
  "hidden_act": ("gelu", {"gelu"}),
  "position_embedding_type": ("absolute", {"absolute"}),
}
_GPT2_FIXED = {
  "activation_function": ("gelu_new", {"gelu_new", "gelu_pytorch_tanh"}),
  "scale_attn_weights": (True, {True}),
  "scale_attn_by_inverse_layer_idx": (False, {False}),
}


def read_bert(folder: pathlib.Path) -> bert.BertConfig:
  """FOLDER/config.json; PretrainedError where it is not a BERT we compute."""
  theirs = _read(folder, "bert", _BERT_FIXED)
  return bert.BertConfig(**_fields(folder, theirs, _BERT))


def read_gpt2(folder: pathlib.Path) -> gpt2.Gpt2Config:
  """FOLDER/config.json; PretrainedError where it is not a GPT-2 we compute."""
  theirs = _read(folder, "gpt2", _GPT2_FIXED)
  fields = _fields(folder, theirs, _GPT2)
  mlp_width = theirs.get("n_inner") or 4 * fields["width"]
  return gpt2.Gpt2Config(mlp_width=mlp_width, **fields)


def bert_json(
  config: bert.BertConfig, num_classes: int | None
) -> dict[str, Any]:
  """What transformers reads; `num_classes` where there is a classifier."""
  ours = {
    theirs: getattr(config, field) for field, (theirs, _) in _BERT.items()
  }
  model = "BertModel"
  if num_classes is not None:
    model = "BertForSequenceClassification"
    ours["id2label"] = {str(i): f"LABEL_{i}" for i in range(num_classes)}
    ours["label2id"] = {f"LABEL_{i}": i for i in range(num_classes)}
  return {
    "model_type": "bert",
    "architectures": [model],
    "hidden_act": "gelu",
    "attention_probs_dropout_prob": config.dropout,
    **ours,
  }


def gpt2_json(config: gpt2.Gpt2Config) -> dict[str, Any]:
  """What transformers reads."""
  ours = {
    theirs: getattr(config, field) for field, (theirs, _) in _GPT2.items()
  }
  return {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "n_inner": config.mlp_width,
    "embd_pdrop": config.dropout,
    "attn_pdrop": config.dropout,
    "tie_word_embeddings": True,
    **ours,
  }


def _read(folder, model_type, fixed):
  path = folder / "config.json"
  if not folder.is_dir():
    raise PretrainedError(f"{folder} is not a folder: check the path")
  theirs = hf_folder.read_json(path)
  if theirs.get("model_type", model_type) != model_type:
    raise PretrainedError(
      f"{path} is of a {theirs['model_type']!r} model, not {model_type!r}: "
      "point to a folder of that family"
    )
  for field, (default, supported) in fixed.items():
    value = theirs.get(field, default)
    if value not in supported:
      raise PretrainedError(
        f"{path} has {field}={value!r}; gd_jax computes only "
        f"{sorted(supported)}: use another model"
      )
  return theirs


def _fields(folder, theirs, names):
  """Our config's fields out of their JSON, whole numbers and sane."""
  path = folder / "config.json"
  ours = {}
  for field, (name, default) in names.items():
    value = theirs.get(name, default)
    integral = default is None or isinstance(default, int)
    kinds = (int,) if integral else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or value < 0:
      raise PretrainedError(
        f"{path} has {name}={value!r} where a number is needed: copy the "
        "config.json that came with the weights"
      )
    ours[field] = value
  if ours["num_heads"] == 0 or ours["width"] % ours["num_heads"]:
    raise PretrainedError(
      f"{path}: width {ours['width']} does not divide into "
      f"{ours['num_heads']} heads; copy the config.json that came with the "
      "weights"
    )
  return ours
