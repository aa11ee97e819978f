# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page's tokenizer, run by Node, against the one of the training."""

import json
import pathlib
import random
import shutil
import subprocess

import numpy as np
import pytest
from tokenizers.implementations import BertWordPieceTokenizer

import gd_jax
from gd_jax.data import tokenizers, vocabulary
from gd_jax.export import characters, demo

WEB = pathlib.Path(gd_jax.__file__).parent / "export" / "web"
_SCRIPT = """
import { readFileSync } from "node:fs";
import { Tokenizer } from "./tokenizer.mjs";
const read = (name) => JSON.parse(readFileSync(name, "utf-8"));
const tokenizer = new Tokenizer(read("words.json"));
const found = read("texts.json").map((text) => tokenizer.encode(text));
process.stdout.write(JSON.stringify(found));
"""
# Where something is special: scripts, marks, blanks, controls, emoji.
_BLOCKS = [
  (0x20, 0x7F),
  (0x00, 0x180),
  (0x300, 0x600),
  (0x600, 0x700),
  (0x900, 0xE80),
  (0x1E00, 0x2070),
  (0x3040, 0x3100),
  (0x4E00, 0x5000),
  (0xAC00, 0xAD00),
  (0xF900, 0xFB00),
  (0xFE00, 0x10000),
  (0x1F300, 0x1F700),
  (0x0, 0x110000),
]
_NASTY = [
  "",
  " \t\r\n",
  "İstanbul ΟΔΟΣ ſtraße ǅ",
  "a\u0301\u0323 q\u0323\u0307 \u0301",
  "שלום עולם, ما هذا؟",
  "👩‍👩‍👧‍👦 👍🏽 🇩🇪",
  "한국어 日本語のテスト 中文",
  "x" * 100,
  "x" * 101,
  "[PAD] [UNK] [CLS] ##s",
  "\u0000a\ufffdb\u200bc\u00add\ufeffe\u2028f\u00a0g\u3000h",
  "__proto__ constructor",
]


def _fuzz(words, number):
  rng = random.Random(0)
  for _ in range(number):
    parts = []
    for _ in range(rng.randrange(1, 12)):
      if rng.random() < 0.5:
        parts.append(rng.choice(words))
        continue
      block = rng.choice(_BLOCKS)
      points = [rng.randrange(*block) for _ in range(rng.randrange(1, 6))]
      parts.append("".join(chr(p) for p in points if not 0xD800 <= p < 0xE000))
    yield rng.choice(["", " ", "  ", "\n"]).join(parts)


def _by_node(folder, words, texts):
  (folder / "words.json").write_text(json.dumps(words))
  (folder / "texts.json").write_text(json.dumps(texts))
  (folder / "run.mjs").write_text(_SCRIPT)
  shutil.copy(WEB / "tokenizer.js", folder / "tokenizer.mjs")
  done = subprocess.run(
    ["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize(
  ("cased", "nearest"), [(False, False), (True, False), (False, True)]
)
def test_tokens_are_those_of_the_training(tiny_bert, tmp_path, cased, nearest):
  # Dies if: lower case depends on neighbours (ΟΔΟΣ), a mark or a control stays,
  # an unknown word is not one [UNK], a cut falls elsewhere, or of several
  # pieces with one id the page knows one.
  teacher = tokenizers.load(tiny_bert)
  if cased:
    made = BertWordPieceTokenizer(teacher.get_vocab(), lowercase=False)
    made.save(str(tmp_path / "tokenizer.json"))
    teacher = tokenizers.load(tmp_path)
  rng = np.random.default_rng(0)
  tokenizer, ids = vocabulary.prune(
    teacher,
    ["Where is it?"],
    vocab_size=400,
    table=rng.normal(size=(teacher.get_vocab_size(), 8)) if nearest else None,
  )
  assert (tokenizer.get_vocab_size() > len(ids)) == nearest
  words = [*tokenizer.get_vocab(), "The", "PARCEL", "naïve", "don't"]
  texts = [*_NASTY, *_fuzz(words, 10_000)]
  wanted = vocabulary.encode(tokenizer, texts, max_tokens=24)
  about = {
    "max_tokens": 24,
    "unk_id": vocabulary.UNK_ID,
    **demo.pieces(tokenizer),
    "characters": characters.tables(tokenizer),
  }
  found = _by_node(tmp_path, about, texts)
  different = [
    t for t, a, b in zip(texts, wanted, found, strict=True) if a != b
  ]
  assert not different, (len(different), different[:3])


def test_ranges_are_unbroken_runs():
  # Dies if: a gap of one is passed over.
  assert characters.ranges([1, 2, 3, 5, 8, 9]) == [1, 3, 5, 5, 8, 9]
  assert characters.ranges([]) == []
