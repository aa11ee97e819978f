# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import time

import numpy as np
import pytest
from etils import epath

from gd_jax import artefacts
from gd_jax.data import corpus_filter, texts

_LABELLED = [
  {"row_id": 5, "text": "I want my money back for the broken kettle"},
  {"row_id": 8, "text": "how do I reset the password of my account"},
]
_EVALUATION = [
  {"row_id": 3, "text": "When will the blue shirt be back in stock?"},
]
_DRAWN = [
  "the courier left my box at the wrong door",  # 0
  "  ",  # 1: empty
  "when will the blue shirt be back in stock",  # 2: copy of a test text
  "The courier left my box at the wrong door!",  # 3: as 0
  "the courier left my box at the wrong door today",  # 4: nearly 0
  "how do I reset the password of my account?",  # 5: a labelled text
  "when will the blue shirt be back in stock again",  # 6: nearly a test text
  "the courier left my box at the wrong door today",  # 7: as 4, hence near 0
  "so how do I reset the password of my account",  # 8: nearly 5
  "a text of its own",  # 9
]


def write(folder, drawn=_DRAWN, labelled=_LABELLED, progress=None, **changes):
  rows = [
    {
      "row_id": row_id,
      "text": text,
      "num_tokens": len(text.split()),
      "finished": row_id % 2 == 0,
      "log_prob": -2.0 * (len(text.split()) + (row_id % 2 == 0)),
    }
    for row_id, text in enumerate(drawn)
  ]
  folder = epath.Path(folder)
  texts.write_shard(folder, 0, rows)
  settings = {"evaluation": _EVALUATION, "near_duplicate": 0.8, "seed": 0}
  return corpus_filter.write(
    folder, labelled=labelled, progress=progress, **(settings | changes)
  )


def removed(folder):
  rows = artefacts.read_jsonl(epath.Path(folder) / texts.REMOVED)
  return {row["row_id"]: (row["reason"], row["twin"]) for row in rows}


# Dies if: a reason or twin is wrong, an earlier row yields to a later one, a
# removed row makes others its twins, or copies of labelled rows are removed.
def test_what_is_removed_and_why(tmp_path, progress):
  health = write(tmp_path, progress=progress)
  assert removed(tmp_path) == {
    1: ("empty", None),
    2: ("copy_of_test", "evaluation:3"),
    3: ("exact_duplicate", "corpus:0"),
    4: ("near_duplicate", "corpus:0"),
    6: ("copy_of_test", "evaluation:3"),
    7: ("near_duplicate", "corpus:0"),
    8: ("near_duplicate", "corpus:5"),
  }
  kept = texts.read_kept(epath.Path(tmp_path))
  assert [row["row_id"] for row in kept] == [0, 5, 9]
  (copy,) = artefacts.read_jsonl(tmp_path / "copies_of_labelled.jsonl")
  assert copy == {
    "row_id": 5,
    "twin": "labelled:8",
    "kind": "exact",
    "similarity": 1.0,
  }
  assert health["removed"] == {
    "empty": 1,
    "copy_of_test": 2,
    "exact_duplicate": 1,
    "near_duplicate": 3,
  }
  assert health["copies_of_labelled"] == {"exact": 1, "near": 0}


# Dies if: health counts removed rows as kept ones, or the perplexity forgets
# the end tokens.
def test_health(tmp_path, progress):
  health = write(tmp_path, progress=progress)
  assert artefacts.read_json(tmp_path / "health.json") == health
  assert (health["drawn"], health["kept"]) == (10, 3)
  assert health["copies_of_labelled_share"] == pytest.approx(1 / 3, abs=1e-4)
  assert health["finished_share"] == pytest.approx(1 / 3, abs=1e-4)
  assert health["tokens"]["mean"] == pytest.approx((9 + 9 + 5) / 3, abs=0.01)
  assert health["tokens"]["percentile_50"] == 9
  assert health["perplexity"] == pytest.approx(np.exp(2.0), abs=0.01)
  assert health["diversity"]["texts"] == 2
  assert health["diversity"]["labelled"]["distinct_2"] == 1.0


# Dies if: what happens to a row depends on later rows.
@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_a_longer_corpus_keeps_every_decision(tmp_path, progress, threshold):
  rng = np.random.default_rng(0)
  drawn = [
    " ".join(f"word{n}" for n in rng.integers(0, 4, 3)) for _ in range(120)
  ]
  whole = {}
  for length in (120, 30, 60):
    folder = tmp_path / str(length)
    folder.mkdir()
    write(folder, drawn[:length], progress=progress, near_duplicate=threshold)
    found = removed(folder)
    whole = whole or found
    assert len(found) > 5
    assert found == {i: why for i, why in whole.items() if i < length}


# Dies if: an empty corpus divides by zero.
@pytest.mark.parametrize("drawn", [[], ["?", " "], [""]])
def test_hardly_any_text(tmp_path, progress, drawn):
  health = write(tmp_path, drawn, progress=progress)
  assert health["kept"] == (1 if "?" in drawn else 0)


# Dies if: pairs are compared one by one (about 70 million of them).
def test_12000_texts_take_seconds(tmp_path, progress):
  rng = np.random.default_rng(1)
  # Words as frequent as in language: the n-th has a share like 1/n.
  shares = 1 / np.arange(1, 5001)
  words = rng.choice(5000, (12_000, 12), p=shares / shares.sum())
  drawn = [" ".join(f"w{n}" for n in row) for row in words]
  start = time.process_time()
  write(tmp_path, drawn, progress=progress)
  assert time.process_time() - start < 30
