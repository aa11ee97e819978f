# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""BERT and GPT-2 from and to Hugging Face folders, strictly both ways.

A missing, extra or misshapen tensor is a `PretrainedError` that lists it.
Loaded params are float32, whatever the file holds.
"""

import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gd_jax.models import bert, families, gpt2, hf_configs, hf_folder, hf_names
from gd_jax.models.hf_folder import PretrainedError as PretrainedError

Params = dict[str, Any]


def load_bert(
  folder: str | os.PathLike,
) -> tuple[bert.BertConfig, Params]:
  """Reads a BERT encoder, with or without the prefix "bert." on its names.

  Returns:
    The config, and {"bert": ..., "pooler": ..., "classifier": ...}: the last
    two where the folder has them. A masked-LM or next-sentence head (`cls.*`)
    is left out.

  Raises:
    PretrainedError: see the module; also a tokenizer.json that does not fit.
  """
  folder = pathlib.Path(folder)
  config = hf_configs.read_bert(folder)
  _check_own_tokenizer(folder, config)
  tensors = _named(folder, prefix="bert.", ignored=hf_names.BERT_IGNORED)
  classifier = any(name.startswith("classifier.") for name in tensors)
  weight = tensors.get("classifier.weight")
  num_classes = weight.shape[0] if weight is not None and weight.ndim else 1
  entries = hf_names.bert_entries(
    config,
    pooler=any(name.startswith("pooler.") for name in tensors),
    classifier=classifier,
  )
  shapes = _shapes(bert.BertClassifier(config, num_classes, "cls"))
  return config, _to_params(folder, tensors, entries, shapes)


def load_gpt2(
  folder: str | os.PathLike,
) -> tuple[gpt2.Gpt2Config, Params]:
  """Reads a GPT-2, with or without the prefix "transformer." on its names.

  Raises:
    PretrainedError: see the module; also a head that is not tied to the word
      embeddings, and a tokenizer.json that does not fit.
  """
  folder = pathlib.Path(folder)
  config = hf_configs.read_gpt2(folder)
  _check_own_tokenizer(folder, config)
  tensors = _named(folder, prefix="transformer.", ignored=hf_names.GPT2_IGNORED)
  head = tensors.pop("lm_head.weight", None)
  tied = tensors.get("wte.weight")
  if head is not None and (tied is None or not np.array_equal(head, tied)):
    raise PretrainedError(
      f"{folder} has an lm_head.weight of its own: gd_jax's GPT-2 ties the "
      "head to the word embeddings (wte.weight); use a tied model"
    )
  entries = hf_names.gpt2_entries(config)
  shapes = _shapes(gpt2.Gpt2(config))
  return config, _to_params(folder, tensors, entries, shapes)


def save_bert(
  folder: str | os.PathLike,
  config: bert.BertConfig,
  params: Params,
  *,
  max_shard_bytes: int = 5_000_000_000,
) -> None:
  """Writes what transformers reads as BertModel or, where the params have a
  classifier, as BertForSequenceClassification (which pools by [CLS]).

  Raises:
    PretrainedError: params that do not fit the config, or a classifier
      without a pooler (mean pooling), which transformers has no class for.
  """
  pooler, classifier = "pooler" in params, "classifier" in params
  if classifier and not pooler:
    raise PretrainedError(
      "a mean-pooled classifier has no Hugging Face class: save it without "
      'params["classifier"], or train with pooling="cls"'
    )
  entries = hf_names.bert_entries(config, pooler=pooler, classifier=classifier)
  num_classes = params["classifier"]["bias"].shape[0] if classifier else 1
  shapes = _shapes(bert.BertClassifier(config, num_classes, "cls"))
  tensors = _to_tensors(params, entries, shapes)
  if classifier:
    tensors = {
      name if name.startswith("classifier.") else f"bert.{name}": tensor
      for name, tensor in tensors.items()
    }
  written = hf_configs.bert_json(config, num_classes if classifier else None)
  _write(folder, written, tensors, max_shard_bytes)


def save_gpt2(
  folder: str | os.PathLike,
  config: gpt2.Gpt2Config,
  params: Params,
  *,
  max_shard_bytes: int = 5_000_000_000,
) -> None:
  """Writes what transformers reads as GPT2LMHeadModel (the head is tied).

  Raises:
    PretrainedError: params that do not fit the config.
  """
  shapes = _shapes(gpt2.Gpt2(config))
  tensors = _to_tensors(params, hf_names.gpt2_entries(config), shapes)
  tensors = {f"transformer.{name}": x for name, x in tensors.items()}
  _write(folder, hf_configs.gpt2_json(config), tensors, max_shard_bytes)


def warm_start(bert_params: Params) -> Params:
  """BertDecoder params from loaded BERT params: the encoder, no pooler."""
  return {"bert": bert_params["bert"]}


def classifier_params(
  bert_params: Params,
  num_classes: int,
  rng: jax.Array,
  *,
  pooling: str = "mean",
) -> Params:
  """BertClassifier params from loaded BERT params, with a fresh classifier.

  Raises:
    PretrainedError: pooling "cls" from weights that have no pooler.
  """
  width = bert_params["bert"]["word"]["embedding"].shape[1]
  kernel = 0.02 * jax.random.normal(rng, (width, num_classes))
  params = {
    "bert": bert_params["bert"],
    "classifier": {"kernel": kernel, "bias": jnp.zeros(num_classes)},
  }
  if pooling == "cls":
    if "pooler" not in bert_params:
      raise PretrainedError(
        'these BERT weights have no pooler: use pooling="mean"'
      )
    params["pooler"] = bert_params["pooler"]
  return params


def check_tokenizer(folder: str | os.PathLike, vocab_size: int) -> None:
  """Raises PretrainedError if FOLDER/tokenizer.json has ids >= vocab_size."""
  hf_folder.check_tokenizer(pathlib.Path(folder), vocab_size)


def _check_own_tokenizer(folder, config):
  if (folder / "tokenizer.json").exists():
    check_tokenizer(folder, config.vocab_size)


def _named(folder, *, prefix, ignored):
  """The folder's tensors by unprefixed name, without the ignored ones."""
  named = {}
  for original, tensor in hf_folder.read_tensors(folder).items():
    name = original.removeprefix(prefix)
    # bert-base-uncased itself still has TensorFlow's names for these two.
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
    name = name.replace("LayerNorm.beta", "LayerNorm.bias")
    if name in named:
      raise PretrainedError(
        f"{folder} holds {name} twice, with and without {prefix!r}: "
        "save the model again"
      )
    if not ignored.fullmatch(name):
      named[name] = tensor
  return named


def _shapes(module):
  """{path: shape} of the module's params, without making any."""
  abstract = jax.eval_shape(
    lambda rng: families.init_params(module, rng), jax.random.key(0)
  )
  flat: Params = traverse_util.flatten_dict(abstract)
  return {path: leaf.shape for path, leaf in flat.items()}


def _part_shape(entry, shape):
  """The shape of each of the entry's tensors, whose leaf has `shape`."""
  part = (*shape[:-1], shape[-1] // len(entry.names))
  return part[::-1] if entry.transpose else part


def _to_params(folder, tensors, entries, shapes):
  expected = {
    name: _part_shape(entry, shapes[entry.path])
    for entry in entries
    for name in entry.names
  }
  _refuse(
    f"{folder} does not fit its config.json",
    missing=expected.keys() - tensors.keys(),
    extra=tensors.keys() - expected.keys(),
    misshapen={
      f"{name} {list(tensors[name].shape)} instead of {list(shape)}"
      for name, shape in expected.items()
      if name in tensors and tensors[name].shape != shape
    },
    mend="use the config.json and the weights of one and the same model",
  )
  flat = {}
  for entry in entries:
    parts = [tensors[name].astype(np.float32) for name in entry.names]
    parts = [x.T for x in parts] if entry.transpose else parts
    flat[entry.path] = jnp.asarray(np.concatenate(parts, axis=-1))
  return traverse_util.unflatten_dict(flat)


def _to_tensors(params, entries, shapes):
  flat: Params = traverse_util.flatten_dict(params)
  expected = {entry.path: shapes[entry.path] for entry in entries}
  _refuse(
    "the params do not fit the config",
    missing={"/".join(path) for path in expected.keys() - flat.keys()},
    extra={"/".join(path) for path in flat.keys() - expected.keys()},
    misshapen={
      f"{'/'.join(path)} {list(flat[path].shape)} instead of {list(shape)}"
      for path, shape in expected.items()
      if path in flat and flat[path].shape != shape
    },
    mend="save params with the config they were made with",
  )
  tensors = {}
  for entry in entries:
    leaf = np.asarray(flat[entry.path], np.float32)
    parts = np.split(leaf, len(entry.names), axis=-1)
    for name, part in zip(entry.names, parts, strict=True):
      part = part.T if entry.transpose else part
      tensors[name] = np.ascontiguousarray(part)
  return tensors


def _refuse(what, *, missing, extra, misshapen, mend):
  faults = {"missing": missing, "extra": extra, "misshapen": misshapen}
  found = [
    f"{fault}: {hf_folder.listing(sorted(names))}"
    for fault, names in faults.items()
    if names
  ]
  if found:
    raise PretrainedError(f"{what}; {'; '.join(found)}; {mend}")


def _write(folder, config, tensors, max_shard_bytes):
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  hf_folder.write_tensors(folder, tensors, max_shard_bytes)
  hf_folder.write_json(folder / "config.json", config)
