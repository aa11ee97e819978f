# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The same training steps in PyTorch: AdamW, gradients clipped, dropout on.

With `autocast` the forward pass is under autocast to bfloat16.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import ours
import torch
import torch.nn.functional as F
import transformers
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)

Step = Callable[[], Any]


class ResCnn(nn.Module):
  """`gd_jax.models.students.ResCnn`, for rows without padding."""

  def __init__(self, size: ours.Size, *, dropout: float = 0.3):
    super().__init__()
    width = size.num_filters
    self.embed = nn.Embedding(size.vocab_size, size.embed_width)
    self.widen = nn.Linear(size.embed_width, width)
    self.norms = nn.ModuleList(
      nn.LayerNorm(width) for _ in range(2 * size.num_blocks)
    )
    self.convs = nn.ModuleList(
      nn.Conv1d(width, width, 3, padding=1) for _ in range(2 * size.num_blocks)
    )
    self.norm_out = nn.LayerNorm(width)
    self.classifier = nn.Linear(2 * width, ours.CLASSES)
    self.drop = nn.Dropout(dropout)

  def forward(self, tokens):
    x = self.widen(self.drop(self.embed(tokens)))
    for i in range(0, len(self.convs), 2):
      y = self.norms[i](x).transpose(1, 2)
      y = F.gelu(self.convs[i](y), approximate="tanh").transpose(1, 2)
      y = self.norms[i + 1](y).transpose(1, 2)
      x = x + self.drop(self.convs[i + 1](y).transpose(1, 2))
    x = self.norm_out(x)
    pooled = torch.cat([x.max(dim=1).values, x.mean(dim=1)], dim=-1)
    return self.classifier(self.drop(pooled))


def _trainer(
  module: nn.Module,
  loss: Callable[[int], torch.Tensor],
  *,
  autocast: bool = False,
) -> Step:
  module.train()
  optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)
  counter = itertools.count()

  def run():
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
      value = loss(next(counter))
    value.backward()
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()

  return run


def _student(*, tiny: bool) -> Step:
  size = ours.DEFAULT
  if tiny:
    size = ours.sizes(tiny=True)["sequential_small"]
  module = ResCnn(size)
  store = {
    name: torch.from_numpy(np.array(values))
    for name, values in ours.store_of(size).items()
  }

  def loss(step: int) -> torch.Tensor:
    rows = torch.from_numpy(ours.rows_at(step, size, 1)[0]).long()
    logits = module(store["tokens"][rows].long())
    teacher = F.log_softmax(store["teacher_logits"][rows] / 2, dim=-1)
    soft = F.kl_div(
      F.log_softmax(logits / 2, dim=-1),
      teacher,
      reduction="none",
      log_target=True,
    )
    hard = F.cross_entropy(
      logits, store["label"][rows].long(), reduction="none"
    )
    share = 0.5 * store["labelled"][rows].float()
    return (share * hard + (1 - share) * 4 * soft.sum(dim=-1)).mean()

  return _trainer(module, loss)


def _teacher(*, tiny: bool, autocast: bool = False) -> Step:
  shape = ours.MINILM
  config = transformers.BertConfig(
    vocab_size=500 if tiny else 30_522,
    hidden_size=shape["width"],
    num_hidden_layers=1 if tiny else shape["num_layers"],
    num_attention_heads=shape["num_heads"],
    intermediate_size=shape["mlp_width"],
    num_labels=ours.CLASSES,
  )
  module = transformers.BertForSequenceClassification(config)
  tokens = ours.token_batch(config.vocab_size, 32, ours.LENGTH)
  tokens = torch.from_numpy(tokens).long()
  label = torch.arange(32) % ours.CLASSES
  mask = torch.ones_like(tokens)
  return _trainer(
    module,
    lambda _: module(tokens, attention_mask=mask, labels=label).loss,
    autocast=autocast,
  )


def _generator(*, tiny: bool, autocast: bool = False) -> Step:
  config = transformers.GPT2Config(
    vocab_size=500 if tiny else 50_257, n_layer=1 if tiny else 12
  )
  module = transformers.GPT2LMHeadModel(config)
  tokens = ours.token_batch(config.vocab_size, 16, 64)
  tokens = torch.from_numpy(tokens).long()
  mask = torch.ones_like(tokens)
  return _trainer(
    module,
    lambda _: module(tokens, attention_mask=mask, labels=tokens).loss,
    autocast=autocast,
  )


STEPS = {"student": _student, "teacher": _teacher, "generator": _generator}
