# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import collections

import pytest

from gd_jax.data import rules, tokenizers

TEXTS = [
  "who built the tall tower near the old river",
  "where does the queen of the small island live now",
  "what is the name of the longest road in the land",
]


def make(n=600, seed=0, texts=TEXTS):
  return rules.make(texts, num_texts=n, seed=seed)


# Dies if: a copy may be like another or like its original, or the count is of
# tries.
def test_texts_are_new_and_as_many_as_asked_for():
  made = make()
  assert len(made) == len(set(made)) == 600
  assert not {*made} & {*TEXTS}


# Dies if: more texts are other texts, or the seed does not reach the rules.
def test_the_seed_decides_and_a_larger_number_only_adds():
  assert make(40) == make(600)[:40]
  assert make(40, seed=1) != make(40)


# Dies if: a rule is left out, or a rate is another.
def test_the_rules_rates():
  # Long and all different: what a copy lacks tells what happened to it.
  text = " ".join(f"w{i}" for i in range(40))
  made = [row.split() for row in make(1000, texts=[text])]
  lengths = collections.Counter(map(len, made))
  assert set(lengths) == {1, 2, 3, 4, 5, 40}
  # Duplicates among the short ones are dropped: fewer than a quarter.
  assert 0.6 < lengths[40] / 1000 < 0.95
  whole = [row for row in made if len(row) == 40]
  masked = sum(word == rules.MASK for row in whole for word in row)
  assert masked / (40 * len(whole)) == pytest.approx(0.1, abs=0.01)


# Dies if: a word is replaced by one that stood in another place.
def test_words_are_replaced_by_ones_seen_after_the_same_word():
  texts = ["a red kettle leaks", "a blue kettle hums", "the red lamp hums"]
  pairs = {
    ("", "a"),
    ("", "the"),
    *(("a", w) for w in ("red", "blue")),
    *(("red", w) for w in ("kettle", "lamp")),
    ("blue", "kettle"),
    *(("kettle", w) for w in ("leaks", "hums")),
    ("lamp", "hums"),
    ("the", "red"),
  }
  originals = [text.split() for text in texts]
  replaced = 0
  for row in (row.split() for row in make(300, texts=texts)):
    if len(row) != 4:
      continue
    sources = [
      source
      for source in originals
      if all(
        word in (rules.MASK, own) or (before, word) in pairs
        for before, own, word in zip(["", *source], source, row, strict=False)
      )
    ]
    assert sources
    replaced += not any(
      all(w in (rules.MASK, own) for own, w in zip(source, row, strict=True))
      for source in originals
    )
  assert replaced > 5


def test_there_is_an_end_to_what_rules_can_make():
  assert make(100, texts=["tower"]) == [rules.MASK]
  assert make(100, texts=[]) == []


# Dies if: the teacher reads "[MASK]" as brackets and a word, or the rest of the
# text otherwise than without it.
def test_a_mask_is_the_teachers_own_token(tiny_bert):
  tokenizer = tokenizers.load(tiny_bert)
  mask = tokenizer.token_to_id("[MASK]")
  plain, *others = rules.encode_for_teacher(
    tokenizer,
    [
      "the kettle is late",
      "the [MASK] is late",
      "[MASK] [MASK]",
      "late [MASK]",
    ],
    max_tokens=64,
  )
  assert [plain] == tokenizers.encode_for_teacher(
    tokenizer, ["the kettle is late"], max_tokens=64
  )
  the, late = (tokenizer.encode(w).ids[1:-1] for w in ("the", "late"))
  first, last = plain[0], plain[-1]
  assert others[0][: len(the) + 2] == [first, *the, mask]
  assert others[1] == [first, mask, mask, last]
  assert others[2] == [first, *late, mask, last]
  (cut,) = rules.encode_for_teacher(
    tokenizer, ["[MASK] " + "late " * 50], max_tokens=8
  )
  assert len(cut) == 8 and cut[-1] == last
