# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Models as JSON (`model.json`) and back, and how many parameters they have."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gd_jax.models import bert, bilstm, blend_cnn, gpt2, students

FAMILIES = {
  "bert_classifier": bert.BertClassifier,
  "bert_decoder": bert.BertDecoder,
  "gpt2": gpt2.Gpt2,
  "res_cnn": students.ResCnn,
  "kim_cnn": students.KimCnn,
  "blend_cnn": blend_cnn.BlendCnn,
  "bilstm": bilstm.BiLstm,
}
_CONFIGS = {
  "bert_classifier": bert.BertConfig,
  "bert_decoder": bert.BertConfig,
  "gpt2": gpt2.Gpt2Config,
}
# How a model is run, not what it is.
_HOW_RUN = ("remat", "cache_layout", "matmul_dtype")


def spec_of(module: nn.Module) -> dict[str, Any]:
  """A model as JSON-able constructor fields, with its "family"."""
  names = {model: family for family, model in FAMILIES.items()}
  spec: dict[str, Any] = {"family": names[type(module)]}
  for field in dataclasses.fields(module):
    if field.name in ("parent", "name", *_HOW_RUN):
      continue
    value: Any = getattr(module, field.name)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
      value = dataclasses.asdict(value)
    elif isinstance(value, tuple):
      value = list(value)
    elif field.name == "dtype":
      value = np.dtype(value).name
    spec[field.name] = value
  return spec


def build(spec: dict[str, Any]) -> nn.Module:
  """The model that `spec_of` described.

  Raises:
    ValueError: the family is unknown, or a field is missing or not the
      family's.
  """
  fields = dict(spec)
  family = fields.pop("family", None)
  if family not in FAMILIES:
    raise ValueError(f"model family {family!r} is none of {sorted(FAMILIES)}")
  try:
    if family in _CONFIGS:
      fields["config"] = _CONFIGS[family](**fields["config"])
    if "dtype" in fields:
      fields["dtype"] = jnp.dtype(fields["dtype"])
    if "kernel_widths" in fields:
      fields["kernel_widths"] = tuple(fields["kernel_widths"])
    return FAMILIES[family](**fields)
  except (KeyError, TypeError) as error:
    raise ValueError(f"a {family} model cannot be built: {error}") from error


def init_params(module: nn.Module, rng: jax.Array) -> dict[str, Any]:
  """Fresh float32 params; works under `jax.eval_shape` too."""
  tokens = jnp.zeros((1, 1), jnp.int32)
  return dict(module.init(rng, tokens, jnp.ones_like(tokens))["params"])


def count_params(params: Any, *, embeddings: bool = True) -> int:
  """How many numbers the params hold; shapes (`jax.eval_shape`) do too.

  Args:
    embeddings: count the embedding tables as well.
  """
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return sum(
    int(np.prod(leaf.shape))
    for path, leaf in leaves
    if embeddings or path[-1].key != "embedding"
  )
