# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Texts made from labelled ones by word rules, as Tang et al. (2019) made them.

What a generator is compared with: the same student learns from these texts
instead of from generated ones. Word by word, a text's copy is masked or has
words replaced; then it may be cut to a few words in a row. Theirs replaced a
word by one of the same part of speech. That takes a tagger, which is a model
and data of its own; here a word is replaced by one that the texts have after
the same word, as often as they have it there.
"""

import collections
from collections.abc import Callable, Sequence

import numpy as np
from tokenizers import Tokenizer

from gd_jax import rngs
from gd_jax.data import tokenizers

# The files of them in soft_labels/.
TEXTS, LOGITS = "rules.jsonl", "rules.safetensors"
# What a masked word looks like in a text; see `encode`.
MASK = "[MASK]"

_MASKED, _REPLACED, _CUT = 0.1, 0.1, 0.25
_LONGEST_CUT = 5
# Rounds over all texts without a single new copy after which there are no more.
_ROUNDS_IN_VAIN = 50


def make(texts: Sequence[str], *, num_texts: int, seed: int) -> list[str]:
  """`num_texts` new texts, from the first, the second, ... in turn.

  None is like another or like an original. Fewer come back where the rules
  yield no more; of a larger number the first ones are the same.
  """
  rows = [text.split() for text in texts]
  followers = _followers(rows)
  known = {" ".join(row) for row in rows}
  made: list[str] = []
  in_vain = number = 0
  while rows and len(made) < num_texts and in_vain < _ROUNDS_IN_VAIN:
    rng = rngs.numpy_stream(seed, "rules", number)
    before = len(made)
    for row in rows:
      text = " ".join(_changed(row, followers, rng))
      if text and text not in known:
        known.add(text)
        made.append(text)
    in_vain = 0 if len(made) > before else in_vain + 1
    number += 1
  return made[:num_texts]


def _followers(rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
  """The words after each word, "" for none, as often as they occur."""
  found = collections.defaultdict(list)
  for row in rows:
    for before, word in zip(["", *row], row, strict=False):
      found[before.lower()].append(word)
  return found


def _changed(row, followers, rng: np.random.Generator) -> list[str]:
  words = []
  for before, word in zip(["", *row], row, strict=False):
    u = rng.random()
    if u < _MASKED:
      words.append(MASK)
    elif u < _MASKED + _REPLACED:
      same = followers[before.lower()]
      words.append(same[rng.integers(len(same))])
    else:
      words.append(word)
  if rng.random() < _CUT:
    n = min(int(rng.integers(1, _LONGEST_CUT + 1)), len(words))
    start = int(rng.integers(len(words) - n + 1))
    words = words[start : start + n]
  return words


def encode(
  texts: Sequence[str],
  pieces: Callable[[Sequence[str]], list[list[int]]],
  *,
  mask_id: int,
) -> list[list[int]]:
  """The ids of each text, with `mask_id` for every masked word.

  Tokenizers here read "[MASK]" as plain text, so that nobody's text can hold
  special tokens; these texts are encoded around it.

  Args:
    texts: From `make`.
    pieces: pieces(texts) -> ids, without special tokens.
    mask_id: What a masked word becomes.
  """
  parts = [text.split(MASK) for text in texts]
  plain = [part for each in parts for part in each if part.strip()]
  ids = iter(pieces(plain))
  rows = []
  for each in parts:
    row: list[int] = []
    for i, part in enumerate(each):
      row += [mask_id] if i else []
      row += next(ids) if part.strip() else []
    rows.append(row)
  return rows


def encode_for_teacher(
  tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int
) -> list[list[int]]:
  """[CLS] pieces [SEP] of each text, cut as `tokenizers.encode_for_teacher`."""
  first, last = tokenizer.encode("").ids

  def pieces(plain):
    rows = tokenizer.encode_batch_fast(list(plain), add_special_tokens=False)
    return [row.ids for row in rows]

  mask_id = tokenizers.require_id(tokenizer, "[MASK]", "[UNK]")
  rows = encode(texts, pieces, mask_id=mask_id)
  return [[first, *row[: max_tokens - 2], last] for row in rows]
