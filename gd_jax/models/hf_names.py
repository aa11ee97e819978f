# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which Hugging Face tensor is which of our params, for BERT and GPT-2."""

import re
from typing import NamedTuple

from gd_jax.models import bert, gpt2

# Buffers, and heads that gd_jax has no use for: known, so not "extra".
BERT_IGNORED = re.compile(r"embeddings\.position_ids|cls\..*")
GPT2_IGNORED = re.compile(r"h\.\d+\.attn\.(masked_)?bias")


class Entry(NamedTuple):
  """One of our leaves and the tensors it is made of.

  Attributes:
    path: where it stands in our params.
    names: their tensors; several are joined along our last axis.
    transpose: theirs are [out, in] (torch.nn.Linear), ours [in, out].
  """

  path: tuple[str, ...]
  names: tuple[str, ...]
  transpose: bool = False


def bert_entries(
  config: bert.BertConfig, *, pooler: bool, classifier: bool
) -> list[Entry]:
  """BERT's tensors, named without the prefix "bert."."""
  trunk = [
    *(
      Entry(
        ("bert", name, "embedding"), (f"embeddings.{name}_embeddings.weight",)
      )
      for name in ("word", "position")
    ),
    Entry(
      ("bert", "type", "embedding"),
      ("embeddings.token_type_embeddings.weight",),
    ),
    *_norm(("bert", "embed_norm"), "embeddings.LayerNorm"),
  ]
  for i in range(config.num_layers):
    ours, theirs = ("bert", f"layers_{i}"), f"encoder.layer.{i}"
    qkv = [f"{theirs}.attention.self.{x}" for x in ("query", "key", "value")]
    attended = f"{theirs}.attention.output"
    trunk += [
      *_linear((*ours, "attention", "qkv"), *qkv),
      *_linear((*ours, "attention", "out"), f"{attended}.dense"),
      *_norm((*ours, "attention_norm"), f"{attended}.LayerNorm"),
      *_linear((*ours, "up"), f"{theirs}.intermediate.dense"),
      *_linear((*ours, "down"), f"{theirs}.output.dense"),
      *_norm((*ours, "mlp_norm"), f"{theirs}.output.LayerNorm"),
    ]
  return [
    *trunk,
    *(_linear(("pooler",), "pooler.dense") if pooler else []),
    *(_linear(("classifier",), "classifier") if classifier else []),
  ]


def gpt2_entries(config: gpt2.Gpt2Config) -> list[Entry]:
  """GPT-2's tensors, named without the prefix "transformer."."""
  entries = [
    Entry(("word", "embedding"), ("wte.weight",)),
    Entry(("position", "embedding"), ("wpe.weight",)),
    *_norm(("final_norm",), "ln_f"),
  ]
  for i in range(config.num_layers):
    ours, theirs = f"blocks_{i}", f"h.{i}"
    entries += [
      *_norm((ours, "attention_norm"), f"{theirs}.ln_1"),
      *_conv1d((ours, "attention", "qkv"), f"{theirs}.attn.c_attn"),
      *_conv1d((ours, "attention", "out"), f"{theirs}.attn.c_proj"),
      *_norm((ours, "mlp_norm"), f"{theirs}.ln_2"),
      *_conv1d((ours, "up"), f"{theirs}.mlp.c_fc"),
      *_conv1d((ours, "down"), f"{theirs}.mlp.c_proj"),
    ]
  return entries


def _norm(ours, theirs):
  return [
    Entry((*ours, "scale"), (f"{theirs}.weight",)),
    Entry((*ours, "bias"), (f"{theirs}.bias",)),
  ]


def _linear(ours, *theirs):
  weights = tuple(f"{name}.weight" for name in theirs)
  biases = tuple(f"{name}.bias" for name in theirs)
  return [
    Entry((*ours, "kernel"), weights, transpose=True),
    Entry((*ours, "bias"), biases),
  ]


def _conv1d(ours, theirs):
  # transformers' Conv1D, which GPT-2 uses, holds [in, out] as we do.
  return [
    Entry((*ours, "kernel"), (f"{theirs}.weight",)),
    Entry((*ours, "bias"), (f"{theirs}.bias",)),
  ]
