# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What students read, by an all-knowing teacher, and a run of them."""

import json
import pathlib

import numpy as np
import pytest
from etils import epath

from configs import common
from gd_jax import artefacts, checkpoints
from gd_jax.data import logits, rules, texts, tokenizers
from gd_jax.models import pretrained
from gd_jax.phases import students
from gd_jax.progress import Progress

SUBJECTS = {
  0: ["kettle", "toaster", "lamp"],
  1: ["parcel", "courier", "delivery"],
}
ENDINGS = ["is late", "is broken again", "please help", "arrived", "today"]


def _make_texts(n, seed):
  rng = np.random.default_rng(seed)
  label = rng.integers(0, 2, n)
  rows = [
    f"the {rng.choice(SUBJECTS[c])} {rng.choice(ENDINGS)} {rng.integers(99)}"
    for c in label
  ]
  return rows, label


@pytest.fixture(scope="session")
def upstream(tmp_path_factory, tiny_bert) -> pathlib.Path:
  """The artefacts that students read, by an all-knowing teacher."""
  workdir = epath.Path(tmp_path_factory.mktemp("upstream"))
  for name in ("data", "teacher", "corpus", "soft_labels"):
    (workdir / name).mkdir()
  artefacts.write_json(workdir / "data/task.json", {"labels": ["item", "post"]})
  rows, label = _make_texts(24, 0)
  labelled = [
    {
      "row_id": 100 + i,
      "text": text,
      "label": int(c),
      "split": "heldout" if i % 4 == 3 else "train",
    }
    for i, (text, c) in enumerate(zip(rows, label, strict=True))
  ]
  artefacts.write_jsonl(workdir / "data/labelled.jsonl", labelled)
  soft = 3.0 * np.eye(2)[label] + np.random.default_rng(0).normal(size=(24, 2))
  logits.save_logits(
    workdir / "soft_labels" / logits.LABELLED, 100 + np.arange(24), soft
  )
  drawn, drawn_label = _make_texts(30, 1)
  texts.write_shard(
    workdir / "corpus",
    0,
    [{"row_id": i, "text": text} for i, text in enumerate(drawn)],
  )
  removed = [{"row_id": 4}, {"row_id": 11}]
  artefacts.write_jsonl(workdir / "corpus" / texts.REMOVED, removed)
  kept = [i for i in range(30) if i not in (4, 11)]
  logits.save_logits(
    workdir / "soft_labels" / logits.shard_name(0),
    np.array(kept),
    3.0 * np.eye(2)[drawn_label[kept]],
  )
  train = [row["text"] for row in labelled if row["split"] == "train"]
  made = rules.make(train, num_texts=40, seed=0)
  artefacts.write_jsonl(
    workdir / "soft_labels" / rules.TEXTS,
    [{"row_id": i, "text": text} for i, text in enumerate(made)],
  )
  logits.save_logits(
    workdir / "soft_labels" / rules.LOGITS,
    np.arange(40),
    np.random.default_rng(2).normal(size=(40, 2)),
  )
  config, params = pretrained.load_bert(tiny_bert)
  del config
  checkpoints.save_params(workdir / "teacher", params)
  tokenizers.save(workdir / "teacher", tokenizers.load(tiny_bert))
  return pathlib.Path(workdir)


@pytest.fixture
def workdir(upstream, tmp_path) -> epath.Path:
  for folder in upstream.iterdir():
    (tmp_path / folder.name).symlink_to(folder)
  (tmp_path / "students").mkdir()
  return epath.Path(tmp_path)


def _make_config(**changes):
  config = common.get_config("trec")
  config.students.update(
    num_seeds=1,
    arms=("gold", "kd", "gd_hard", "gd", "tfidf"),
    vocab_size=900,
    embed_width=16,
    num_filters=8,
    num_blocks=1,
    total_steps=6,
    eval_every_steps=3,
    batch_size=8,
    mode="sequential",
  )
  config.students.update(changes)
  return config.lock()


def _digests(workdir):
  return {
    str(path.parent.relative_to(workdir / "students")): json.loads(
      path.read_text()
    )["digest"]
    for path in pathlib.Path(workdir).glob("students/*/*/params.json")
  }


def _stamps(workdir):
  found = pathlib.Path(workdir).glob("students/*/*/manifest.json")
  return {str(path): path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="session")
def finished(upstream, tmp_path_factory):
  folder = epath.Path(tmp_path_factory.mktemp("finished"))
  for source in upstream.iterdir():
    (pathlib.Path(folder) / source.name).symlink_to(source)
  (folder / "students").mkdir()
  counts = students.run(_make_config(), folder, Progress(quiet=True))
  return folder, counts


@pytest.fixture
def make_texts():
  return _make_texts


@pytest.fixture
def make_config():
  return _make_config


@pytest.fixture
def digests():
  return _digests


@pytest.fixture
def stamps():
  return _stamps
