# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Remembered words become the pieces that the tokenizer makes of them."""

import json
import random

import pytest
from tokenizers.implementations import BertWordPieceTokenizer

from gd_jax import predict_tokens
from gd_jax.data import tokenizers, vocabulary

_ASCII = "".join(map(chr, range(128)))
_SOME = [
  "",
  " ",
  "don't  stop -- e.g. C3PO's [CLS] [PAD] ##s _a_ $5.00",
  "x" * 100,
  "x" * 101,
  "tab\there\x00and\x7fthere\r\n",
  "naïve café ΟΔΟΣ 数 👍🏽",
]


def _tokenizer(folder, tiny_bert, kind):
  teacher = tokenizers.load(tiny_bert)
  if kind == "cased":
    made = BertWordPieceTokenizer(teacher.get_vocab(), lowercase=False)
    made.save(str(folder / "tokenizer.json"))
    teacher = tokenizers.load(folder)
  tokenizer, _ = vocabulary.prune(teacher, _SOME[:4], vocab_size=400)
  if kind == "by blanks":
    parts = json.loads(tokenizer.to_str())
    parts["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    tokenizer = tokenizer.from_str(json.dumps(parts))
  tokenizer.encode_special_tokens = True
  return tokenizer


def _texts(number):
  rng = random.Random(0)
  words = ["The", "parcel", "don't", "(e.g.,", "U.S.", "3.5%", "naïve", *_SOME]
  for _ in range(number):
    if rng.random() < 0.5:
      yield "".join(rng.choices(_ASCII[32:], k=rng.randrange(30)))
    elif rng.random() < 0.2:
      yield "".join(rng.choices(_ASCII, k=rng.randrange(30)))
    else:
      yield " ".join(rng.choices(words, k=rng.randrange(9)))


@pytest.mark.parametrize("kind", ["uncased", "cased", "by blanks"])
def test_ids_are_those_of_the_whole_text(tiny_bert, tmp_path, kind):
  # Dies if: a control character ends a word, a digit does, or a tokenizer of
  # other rules is read word by word.
  tokenizer = _tokenizer(tmp_path, tiny_bert, kind)
  texts = [*_SOME, *_texts(10_000)]
  wanted = [
    row.ids
    for row in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
  ]
  encode = predict_tokens.Encoder(tokenizer.to_str())
  assert encode(texts) == wanted
  assert [encode([text])[0] for text in texts] == wanted
  assert bool(encode._known) == (kind != "by blanks")


def test_tokens_of_their_own_are_not_cut(tiny_bert):
  # Dies if: added tokens, which may hold blanks and marks, are not looked for.
  tokenizer = _tokenizer(None, tiny_bert, "uncased")
  tokenizer.add_tokens(["new-york city"])
  encode = predict_tokens.Encoder(tokenizer.to_str())
  text = "to new-york city"
  wanted = tokenizer.encode(text, add_special_tokens=False).ids
  assert encode([text]) == [wanted]


def test_memory_is_bounded(tiny_bert, monkeypatch):
  # Dies if: words are never forgotten, or endless ones are remembered.
  monkeypatch.setattr(predict_tokens, "MOST_WORDS", 5)
  tokenizer = _tokenizer(None, tiny_bert, "uncased")
  encode = predict_tokens.Encoder(tokenizer.to_str())
  encode([f"word{i} {'y' * 1000}" for i in range(100)])
  assert 0 < len(encode._known) <= 5
  assert max(map(len, encode._known)) < 100
