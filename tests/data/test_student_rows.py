# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from gd_jax.data import rules, student_rows, vocabulary

# The teacher's choices: 0 0 0 0 1 2 1 0, ever less sure.
CHOICES = [0, 0, 0, 0, 1, 2, 1, 0]
LOGITS = np.stack(
  [(8 - i) * np.eye(3)[c] for i, c in enumerate(CHOICES)]
).astype(np.float32)


def select(min_confidence=None, balance=None):
  return student_rows.select(
    LOGITS, min_confidence=min_confidence, balance=balance
  ).tolist()


def test_by_default_all_rows_stay():
  assert select() == list(range(8))
  none = student_rows.select(LOGITS[:0], min_confidence=0.5, balance=1.0)
  assert none.tolist() == []


# Dies if: unsure rows stay, or sure ones go.
def test_the_teacher_must_be_sure():
  probability = np.exp(LOGITS).max(1) / np.exp(LOGITS).sum(1)
  bound = float((probability[4] + probability[5]) / 2)
  assert select(min_confidence=bound) == [0, 1, 2, 3, 4]


# Dies if: rows of the rarer classes go, or the last ones stay, or the share is
# of all rows where unsure ones went before.
def test_no_class_has_more_than_its_share():
  assert select(balance=1.0) == [0, 1, 2, 4, 5, 6]
  assert select(balance=1.4) == [0, 1, 2, 3, 4, 5, 6]
  assert select(balance=3.0) == list(range(8))
  assert select(min_confidence=0.9, balance=1.0) == [0, 1, 4, 5]


@pytest.fixture
def rows():
  return student_rows.StudentRows(
    num_classes=3,
    train=[{"row_id": 7, "text": "a b", "label": 2}],
    train_logits=LOGITS[:1],
    heldout=[{"row_id": 8, "text": "b", "label": 1}],
    generated=["c c c"],
    generated_logits=LOGITS[4:5],
    made=[f"a {rules.MASK}", "b b b b b"],
    made_logits=LOGITS[5:7],
    real=["a c a c"],
    real_logits=LOGITS[7:8],
  )


def encode(texts):
  return [[ord(word) for word in text.split()] for text in texts]


# Dies if: rows and logits part ways, a mask is not the unknown word, or the
# rules' rows change the arrays of the others.
def test_the_store_holds_every_kind_of_row_in_order(rows):
  store, heldout = rows.encoded(encode)
  a, b, c = map(ord, "abc")
  assert store["tokens"].tolist() == [
    [a, b, 0],
    [c, c, c],
    [a, vocabulary.UNK_ID, 0],
    [b, b, b],
    [a, c, a],
  ]
  assert store["label"].tolist() == [2, 1, 2, 1, LOGITS[7].argmax()]
  assert store["labelled"].tolist() == [True, *[False] * 4]
  np.testing.assert_array_equal(
    store["teacher_logits"], LOGITS[[0, 4, 5, 6, 7]]
  )
  assert heldout["tokens"].tolist() == [[b]] or heldout["label"] == [1]


# Dies if: a held-out row, which is not in the store, lets the rules' and the
# real rows widen it: gd would be trained anew for rules_kd.
def test_a_long_heldout_row_widens_nothing(rows):
  before, _ = rows.encoded(encode)
  row = rows.heldout[0] | {"text": "a b c a b c a b"}
  longer = dataclasses.replace(rows, heldout=[row])
  store, heldout = longer.encoded(encode)
  assert heldout["tokens"].shape == (1, 8)
  np.testing.assert_array_equal(store["tokens"], before["tokens"])


def test_the_vocabulary_is_made_without_rules_and_real_texts(rows):
  assert rows.texts == ["a b", "b", "c c c"]
