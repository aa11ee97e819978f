# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Random GPT-2s of a named shape whose texts end by themselves.

One Hugging Face folder serves all programs: CTranslate2 takes no hook that
could impose lengths, so the weights themselves must end a text.

Legend: B batch, L length, D model width, V vocabulary.
"""

import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import tokenizers

from gd_jax.models import families, gpt2, pretrained

SHAPES = {
  "tiny": gpt2.Gpt2Config(
    vocab_size=8000, width=256, num_layers=6, num_heads=4, mlp_width=1024
  ),
  "gpt2": gpt2.Gpt2Config(),
  "gpt2-medium": gpt2.Gpt2Config(
    width=1024, num_layers=24, num_heads=16, mlp_width=4096
  ),
}
_EOS = "<|endoftext|>"
# How far the end token's embedding reaches along its direction. Small, so that
# the hidden state's own share of that direction hardly moves P(end).
_REACH = 0.1


def end_probability(mean_tokens: float, max_tokens: int) -> float:
  """P(end) at each step so that texts cut at `max_tokens` have that mean.

  The mean of min(geometric, T) is (1 - (1 - p)^T) / p.

  Raises:
    ValueError: no p gives the mean.
  """
  if not 1 < mean_tokens < max_tokens:
    raise ValueError(f"a mean of {mean_tokens} of at most {max_tokens} tokens")
  low, high = 1e-9, 1.0
  for _ in range(60):
    middle = (low + high) / 2
    mean = (1 - (1 - middle) ** max_tokens) / middle
    low, high = (middle, high) if mean > mean_tokens else (low, middle)
  return low


def write_folder(
  folder: pathlib.Path,
  config: gpt2.Gpt2Config,
  *,
  end: float,
  top_k: int | None,
) -> None:
  """Writes a random GPT-2 that ends a text with probability `end` a step.

  The end token's embedding and the final norm's bias share a direction that
  no other token's embedding has a part in: the bias raises the end's logit,
  alike at every step, and no other.

  Args:
    config: the shape; the last token is the end, and the beginning.
    end: the probability under the sampler.
    top_k: the sampler's, or None where it draws from all tokens.
  """
  module = gpt2.Gpt2(config)
  params = families.init_params(module, jax.random.key(0))
  # Its entries sum to 0, so no layer norm takes any of it away.
  direction = np.tile([1.0, -1.0], config.width // 2) / config.width**0.5
  table = np.array(params["word"]["embedding"])
  table -= np.outer(table @ direction, direction)
  table[-1] = _REACH * direction
  params["word"]["embedding"] = jnp.asarray(table)
  rest = _log_mass_of_others(module, params, top_k)
  push = (rest + math.log(end / (1 - end))) / _REACH
  params["final_norm"]["bias"] = jnp.asarray(push * direction, jnp.float32)
  pretrained.save_gpt2(folder, config, params)
  _write_tokenizer(folder, config.vocab_size)


def end_id(folder: pathlib.Path) -> int:
  """The token that begins and ends a text of the model in `folder`.

  Read from its config.json; GPT-2's own is the last token.
  """
  config = json.loads((folder / "config.json").read_text())
  return int(config.get("eos_token_id") or config["vocab_size"] - 1)


def _log_mass_of_others(module, params, top_k: int | None) -> float:
  """The typical logsumexp of the logits that the end token competes with."""
  vocab_size = module.config.vocab_size
  tokens = np.random.default_rng(0).integers(0, vocab_size - 1, (8, 32))

  @jax.jit
  def log_mass(params, tokens):
    logits = module.apply({"params": params}, tokens, jnp.ones_like(tokens))
    others = logits[:, 4:, :-1]
    if top_k is not None:
      others = jax.lax.top_k(others, min(top_k, vocab_size) - 1)[0]
    return jax.nn.logsumexp(others, axis=-1).mean()

  return float(log_mass(params, tokens))


def _write_tokenizer(folder: pathlib.Path, vocab_size: int) -> None:
  """A tokenizer of made-up words: CTranslate2's converter asks for one."""
  words = {f"w{i}": i for i in range(vocab_size - 1)} | {_EOS: vocab_size - 1}
  model = tokenizers.models.WordLevel(words, unk_token=_EOS)
  tokenizers.Tokenizer(model).save(str(folder / "tokenizer.json"))
  special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), _EOS)
  (folder / "tokenizer_config.json").write_text(
    json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **special})
  )
