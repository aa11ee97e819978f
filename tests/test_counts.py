# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from etils import epath

from gd_jax import artefacts, counts
from gd_jax.data import logits, texts


def _data(folder):
  rows = [{"row_id": i, "split": s} for i, s in enumerate(("train", "heldout"))]
  artefacts.write_jsonl(folder / "labelled.jsonl", rows)
  artefacts.write_jsonl(folder / "evaluation_texts.jsonl", rows[:1])
  return {"labelled": 2, "train": 1, "heldout": 1, "evaluation": 1}


def _corpus(folder):
  rows = [{"row_id": i, "text": "x"} for i in range(5)]
  texts.write_shard(folder, 0, rows[:3])
  texts.write_shard(folder, 1, rows[3:])
  artefacts.write_jsonl(folder / texts.REMOVED, [{"row_id": 4}])
  return {"drawn": 5, "kept": 4}


def _soft_labels(folder):
  for name, size in ((logits.LABELLED, 2), (logits.shard_name(0), 3)):
    values = np.zeros((size, 2), np.float32)
    logits.save_logits(folder / name, np.arange(size), values)
  return {"labelled_rows": 2, "corpus_rows": 3}


# Dies if: any of the counts is not looked at.
@pytest.mark.parametrize(
  ("name", "make"),
  [("data", _data), ("corpus", _corpus), ("soft_labels", _soft_labels)],
)
def test_each_count_is_counted_again(tmp_path, name, make):
  folder = epath.Path(tmp_path)
  right = make(folder)
  manifest = {"counts": {**right, "other": 9}, "config": {}}
  assert list(counts.problems(name, folder, manifest)) == []
  for field, value in right.items():
    manifest["counts"] = right | {field: value + 1}
    (line,) = counts.problems(name, folder, manifest)
    assert f"has {value} {field}, its manifest says {value + 1}" in line
