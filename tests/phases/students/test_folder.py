# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib

import pytest
from etils import epath
from tokenizers import Tokenizer

from gd_jax import artefacts, checkpoints
from gd_jax.data import batches, logits, vocabulary
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.phases import students
from gd_jax.training import baselines


def test_what_it_leaves(finished):
  workdir, counts = finished
  folder = workdir / "students"
  assert {k: v for k, v in counts.items() if k.endswith("rows")} == {
    "train_rows": 18,
    "heldout_rows": 6,
    "generated_rows": 28,
    "rule_rows": 0,
    "real_rows": 0,
  }
  assert set(counts["heldout_accuracy"]) == {"gold", "kd", "gd_hard", "gd"}
  assert sorted(path.name for path in folder.iterdir()) == [
    "embeddings.safetensors",
    "gd",
    "gd_hard",
    "gold",
    "groups.json",
    "kd",
    "tfidf",
    "tokenizer.json",
    "vocabulary.json",
  ]
  for arm in ("gold", "kd", "gd_hard", "gd"):
    files = {path.name for path in (folder / arm / "0").iterdir()}
    assert files >= {"params", "params.json", "model.json", "summary.json"}
    assert files >= {"metrics.jsonl", "manifest.json"}
    summary = artefacts.read_json(folder / arm / "0" / "summary.json")
    assert summary["train_rows"] == 18
    assert summary["generated_rows"] == (28 if "gd" in arm else 0)
    lines = (folder / arm / "0/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]


# Dies if: model.json is the training program's (im2col, other shapes).
def test_a_student_can_be_read_again(finished):
  workdir, _ = finished
  folder = workdir / "students"
  tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
  rows = vocabulary.encode(tokenizer, ["the kettle is late"], max_tokens=64)
  arrays = batches.from_rows(rows)
  spec = artefacts.read_json(folder / "gd/0/model.json")
  assert spec["conv"] == "lax"
  params = checkpoints.load_params(folder / "gd/0")
  made = families.build(spec).apply(
    {"params": params}, arrays["tokens"], arrays["mask"]
  )
  assert made.shape == (1, 2)
  svm = baselines.load_svm(folder / "tfidf/0")
  scores = svm.scores(["the kettle is late", "courier today"])
  assert scores.argmax(axis=1).tolist() == [0, 1]


# Dies if: the tfidf arm trains on the rows of split "train" alone.
def test_tfidf_reads_all_labelled_rows(finished):
  summary = artefacts.read_json(finished[0] / "students/tfidf/0/summary.json")
  assert summary["train_rows"] == 24


def test_a_missing_soft_label_is_said(workdir, progress, make_config):
  folder = pathlib.Path(workdir / "soft_labels")
  source = folder.resolve()
  folder.unlink()
  folder.mkdir()
  ids, values = logits.load_logits(epath.Path(source) / logits.LABELLED)
  logits.save_logits(epath.Path(folder) / logits.LABELLED, ids[1:], values[1:])
  with pytest.raises(UserError, match="labelled row 100 has no soft label"):
    students.run(make_config(), workdir, progress)
