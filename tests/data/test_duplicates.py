# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import itertools

import numpy as np
import pytest

from gd_jax.data import duplicates


def index_of(texts, threshold):
  sets = duplicates.shingle(texts)
  index = duplicates.Index(threshold)
  for number, (text, shingles) in enumerate(zip(texts, sets, strict=True)):
    index.add(str(number), text, shingles)
  return index, sets


def jaccard(one, other):
  """By hand: words and neighbouring pairs of lower-case words."""
  members = []
  for text in (one, other):
    words = text.lower().split()
    pairs = set(itertools.pairwise(words))
    members.append(set(words) | pairs)
  return len(members[0] & members[1]) / len(members[0] | members[1])


def find(text, others, threshold=0.8):
  sets = duplicates.shingle([*others, text])
  index = duplicates.Index(threshold)
  for number, other in enumerate(others):
    index.add(str(number), other, sets[number])
  return index.find(text, sets[-1])


# Dies if: case, punctuation or white space make two texts differ.
@pytest.mark.parametrize(
  "text",
  ["Where is my parcel?", "where  is my parcel", " WHERE IS MY PARCEL ?!"],
)
def test_exact_duplicates(text):
  match = find(text, ["some other text", "Where is my parcel ?", text])
  assert match == duplicates.Match("1", 1.0, True)


# Dies if: the threshold is exclusive, or the similarity is of words alone.
def test_near_duplicates():
  text = "can I still change the address of the order I placed this morning"
  near = "can I still change the address of the order I placed this evening"
  similarity = jaccard(text, near)
  assert 0.8 < similarity < 0.9
  match = find(text, ["nothing alike", near], threshold=similarity)
  assert match == duplicates.Match("1", pytest.approx(similarity), False)
  assert find(text, [near], threshold=similarity + 1e-6) is None


# Dies if: the words' order does not matter.
def test_shuffled_words_are_another_text():
  text = "the dog bites the man and the man runs"
  assert find("the man bites the dog and runs the man", [text]) is None


# Dies if: the last of several twins is named, or not the most similar one.
def test_the_most_similar_and_earliest_twin_is_found():
  text = "one two three four five six seven eight nine ten eleven twelve"
  near = text.replace("twelve", "dozen")
  farther = text.replace("six", "half")
  nearly_alike = [farther, near, near.upper()]
  assert find(text, nearly_alike, threshold=0.6).name == "1"
  assert find(text, [*nearly_alike, text], threshold=0.6).name == "3"


# Dies if: prefix filtering loses a pair, at any threshold, or size filtering
# does, or an order of shingles is not the same for all sets.
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.9, 1.0])
def test_no_pair_is_missed(threshold):
  rng = np.random.default_rng(0)
  # Ten base texts, each copied with random words changed or cut off.
  texts = []
  for _ in range(10):
    base = rng.integers(0, 40, rng.integers(1, 20))
    for _ in range(12):
      changed = np.where(rng.random(len(base)) < 0.1, 41, base)
      texts.append(" ".join(f"w{n}" for n in changed[: rng.integers(1, 21)]))
  found = 0
  index, sets = index_of([], threshold)
  sets = duplicates.shingle(texts)
  for place, text in enumerate(texts):
    similar = [
      jaccard(text, other)
      for other in texts[:place]
      if jaccard(text, other) >= threshold
    ]
    match = index.find(text, sets[place])
    assert (match.similarity if match else None) == (
      pytest.approx(max(similar)) if similar else None
    )
    found += bool(similar)
    index.add(str(place), text, sets[place])
  assert found > 5


# Dies if: languages without blanks have one word a text.
def test_characters_are_words_where_there_are_no_blanks():
  assert duplicates.words("我的包裹在哪里?") == list("我的包裹在哪里")
  assert duplicates.words("my 包裹!") == ["my", "包", "裹"]


@pytest.mark.parametrize("text", ["", "  ", "?", "..."])
def test_texts_without_words(text):
  assert find(text, ["some text"]) is None
  assert find(text, [text]).exact
