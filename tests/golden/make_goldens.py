# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes goldens.json: what PyTorch computes, for machines without PyTorch.

Run: python tests/golden/make_goldens.py   (needs torch; a minute)

Random weights are drawn by random_weights.py from names and shapes, which
stand in the file beside the numbers, as do the versions that made them.
"""

import importlib.metadata
import json
import pathlib
import platform

import numpy as np
import random_weights
import torch
import transformers

from gd_jax import hub

_PACKAGES = ("torch", "transformers", "tokenizers", "numpy")
_GPT2 = {
  "plain": {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4},
  "one_head": {"vocab_size": 61, "n_embd": 16, "n_layer": 1, "n_head": 1},
  "narrow_mlp": {
    "vocab_size": 89,
    "n_embd": 24,
    "n_layer": 3,
    "n_head": 3,
    "n_inner": 20,
  },
  "many_heads": {
    "vocab_size": 73,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 16,
    "layer_norm_epsilon": 1e-3,
  },
}
_BERT = {
  # name: (vocabulary, width, layers, heads, MLP width, classes, epsilon)
  "plain": (97, 32, 2, 4, 64, 2, 1e-12),
  "one_head": (61, 16, 1, 1, 20, 6, 1e-12),
  "narrow_mlp": (89, 24, 3, 3, 20, 3, 1e-3),
  "many_heads": (73, 32, 2, 16, 128, 9, 1e-12),
}
_ADAMW = {"lr": 1e-3, "eps": 1e-6, "weight_decay": 1.0}
_TEXTS = [
  "Where can I find the opening hours of the library?",
  "The kettle I bought last week already leaks.",
  "Ünïcode, emoji 🙂 and CAPITALS; numbers like 3.14, too!",
  "yes",
]


def main() -> None:
  goldens = {
    "versions": {
      "python": platform.python_version(),
      **{name: importlib.metadata.version(name) for name in _PACKAGES},
    },
    "adamw": _ADAMW,
    "gpt2": {name: _gpt2(**shape) for name, shape in _GPT2.items()},
    "bert": {name: _bert(*shape) for name, shape in _BERT.items()},
    "minilm": _minilm(),
  }
  goldens["gpt2"]["narrow_mlp"]["greedy"] = _greedy(_GPT2["narrow_mlp"])
  lines = ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in goldens.items())
  path = pathlib.Path(__file__).with_name("goldens.json")
  path.write_text("{\n" + lines + "\n}\n")


def _random(model_class, config):
  model = model_class(config)
  shapes = {name: list(x.shape) for name, x in model.named_parameters()}
  drawn = random_weights.draw(shapes)
  with torch.no_grad():
    for name, parameter in model.named_parameters():
      parameter.copy_(torch.from_numpy(drawn[name]))
  return model.eval(), shapes


def _batch(vocab_size, length=10):
  rng = np.random.RandomState(0)
  lengths = np.array([length, 4, 2])
  mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
  return rng.randint(1, vocab_size, mask.shape) * mask, mask


def _gpt2_model(shape):
  config = transformers.GPT2Config(
    n_positions=70,
    bos_token_id=0,
    eos_token_id=None,
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
    **shape,
  )
  return _random(transformers.GPT2LMHeadModel, config)


def _gpt2(**shape):
  model, shapes = _gpt2_model(shape)
  tokens, mask = _batch(shape["vocab_size"])
  labels = np.where(mask > 0, tokens, -100)
  golden = _golden(model, shapes, tokens, mask, labels)
  last = mask.sum(axis=1) - 1
  golden["logits"] = _numbers(golden["logits"][np.arange(len(last)), last])
  return golden


def _greedy(shape):
  """64 tokens after each prompt; not degenerate, or the file is not made."""
  model, _ = _gpt2_model(shape)
  prompt = torch.tensor([[5], [40], [77]])
  out = model.generate(
    prompt,
    attention_mask=torch.ones_like(prompt),
    max_new_tokens=64,
    do_sample=False,
    pad_token_id=0,
  ).tolist()
  assert all(len(set(row)) > 20 for row in out), [len(set(r)) for r in out]
  return out


def _bert(vocab_size, width, layers, heads, mlp_width, classes, epsilon):
  config = transformers.BertConfig(
    vocab_size=vocab_size,
    hidden_size=width,
    num_hidden_layers=layers,
    num_attention_heads=heads,
    intermediate_size=mlp_width,
    num_labels=classes,
    layer_norm_eps=epsilon,
    max_position_embeddings=16,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
  )
  model, shapes = _random(transformers.BertForSequenceClassification, config)
  tokens, mask = _batch(vocab_size)
  golden = _golden(model, shapes, tokens, mask, np.arange(3) % classes)
  golden["logits"] = _numbers(golden["logits"])
  return golden


def _golden(model, shapes, tokens, mask, labels):
  """Logits, loss, and a few numbers of each tensor after one AdamW step."""
  out = model(
    input_ids=torch.from_numpy(tokens),
    attention_mask=torch.from_numpy(mask),
    labels=torch.from_numpy(labels),
  )
  out.loss.backward()
  torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
  matrices = [p for p in model.parameters() if p.ndim > 1]
  vectors = [p for p in model.parameters() if p.ndim <= 1]
  groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
  torch.optim.AdamW(groups, **_ADAMW).step()
  return {
    "config": model.config.to_dict(),
    "shapes": shapes,
    "tokens": tokens.tolist(),
    "mask": mask.tolist(),
    "labels": labels.tolist(),
    "logits": out.logits.detach().numpy(),
    "loss": out.loss.item(),
    "after_adamw": {
      name: _numbers(parameter.detach().numpy().reshape(-1)[:3])
      for name, parameter in model.named_parameters()
    },
  }


def _minilm():
  folder = hub.resolve("minilm", allow_download=False)
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
  model = transformers.BertModel.from_pretrained(folder).eval()
  rows = tokenizer(_TEXTS, padding=True, return_tensors="pt")
  with torch.no_grad():
    hidden = model(**rows).last_hidden_state
  mask = rows["attention_mask"]
  mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
  embeddings = torch.nn.functional.normalize(mean)
  return {
    "texts": _TEXTS,
    "tokens": rows["input_ids"].tolist(),
    "mask": mask.tolist(),
    "first_16": _numbers(embeddings[:, :16].numpy()),
    "cosine": _numbers((embeddings @ embeddings.T).numpy()),
  }


def _numbers(array):
  return np.vectorize(lambda x: float(f"{x:.7g}"))(array).tolist()


if __name__ == "__main__":
  main()
