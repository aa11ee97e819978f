# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks the texts of the embedded quickstart data set."""

import collections
import hashlib
import itertools
import re
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "gd_jax/data/quickstart"
_ROWS_PER_CLASS = {"train": 25, "validation": 25, "test": 60}
_LABELS = {
  "account_access",
  "broken_or_wrong_item",
  "change_order",
  "discount_gift_card",
  "order_status",
  "payment_problem",
  "product_question",
  "return_refund",
}
# The texts are frozen: a change here has to be a decision, not an accident.
_SHA256 = {
  "train": ("2d2e81c10277562509e8250b2421b8bd88eed12fafd89c3983de62ba47031692"),
  "validation": (
    "ce08252ccc08925bc35e8fb1421c11a388b90c09808e87dc8d9703fd7abf27bc"
  ),
  "test": ("0bf8c72486d1d5d35d4d14b4b98ce34704b051fa4b1875b680775b4030bb0d32"),
}
_MIN_WORDS, _MAX_WORDS = 4, 30
_MAX_JACCARD = 0.5


def _raw(split: str) -> bytes:
  return (_FOLDER / f"{split}.tsv").read_bytes()


def _rows(split: str) -> list[tuple[str, str]]:
  lines = _raw(split).decode("utf-8").split("\n")
  rows = []
  for line in lines[1:-1]:
    label, text = line.split("\t")
    rows.append((label, text))
  return rows


def _all_texts() -> list[str]:
  return [text for split in _ROWS_PER_CLASS for _, text in _rows(split)]


@pytest.mark.parametrize("split", _ROWS_PER_CLASS)
def test_format(split):
  text = _raw(split).decode("utf-8")
  assert not text.startswith("\ufeff")
  assert "\r" not in text
  assert text.startswith("label\ttext\n")
  assert text.endswith("\n") and not text.endswith("\n\n")
  for line in text.splitlines():
    assert line.count("\t") == 1, line
    assert '"' not in line, line
    assert all(field == field.strip() for field in line.split("\t")), line


@pytest.mark.parametrize("split", _ROWS_PER_CLASS)
def test_rows_per_class(split):
  counts = collections.Counter(label for label, _ in _rows(split))
  assert counts == dict.fromkeys(_LABELS, _ROWS_PER_CLASS[split])


@pytest.mark.parametrize("split", _ROWS_PER_CLASS)
def test_rows_are_shuffled(split):
  labels = [label for label, _ in _rows(split)]
  runs = sum(1 for _ in itertools.groupby(labels))
  assert runs > len(labels) // 2


def test_word_counts():
  for text in _all_texts():
    assert _MIN_WORDS <= len(text.split()) <= _MAX_WORDS, text


def test_no_near_duplicates():
  texts = _all_texts()
  tokens = [frozenset(re.findall(r"\w+", text.lower())) for text in texts]
  too_close = []
  for i, j in itertools.combinations(range(len(texts)), 2):
    shared = len(tokens[i] & tokens[j])
    union = len(tokens[i]) + len(tokens[j]) - shared
    if shared > _MAX_JACCARD * union:
      too_close.append((texts[i], texts[j]))
  assert not too_close


@pytest.mark.parametrize("split", _ROWS_PER_CLASS)
def test_texts_are_frozen(split):
  assert hashlib.sha256(_raw(split)).hexdigest() == _SHA256[split]
