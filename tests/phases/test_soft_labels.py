# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import os

import numpy as np
import pytest

from gd_jax import artefacts, checkpoints, rngs, signals
from gd_jax.data import logits, rules, texts, tokenizers, unlabelled
from gd_jax.errors import UserError
from gd_jax.models import bert, families, pretrained
from gd_jax.phases import soft_labels

_WORDS = ("who", "where", "is", "the", "a", "moon", "tower", "queen")


@pytest.fixture
def labelled(drawn, tiny_bert):
  """A workdir with a teacher and a corpus of two shards, rows 2, 5 removed."""
  folder = drawn / "teacher"
  bert_config, bert_params = pretrained.load_bert(tiny_bert)
  module = bert.BertClassifier(bert_config, 2)
  params = pretrained.classifier_params(bert_params, 2, rngs.stream(0, "t"))
  checkpoints.save_params(folder, params)
  artefacts.write_json(folder / "model.json", families.spec_of(module))
  tokenizers.save(folder, tokenizers.load(tiny_bert))
  write_corpus(drawn, num_rows=7)
  return drawn


def write_corpus(workdir, *, num_rows, shard_rows=4):
  rng = np.random.default_rng(0)
  rows = [
    {"row_id": i, "text": " ".join(rng.choice(_WORDS, rng.integers(1, 12)))}
    for i in range(num_rows)
  ]
  for index in range(-(-num_rows // shard_rows)):
    shard = rows[index * shard_rows : (index + 1) * shard_rows]
    texts.write_shard(workdir / "corpus", index, shard)
  artefacts.write_jsonl(
    workdir / "corpus" / texts.REMOVED,
    [{"row_id": i, "reason": "empty"} for i in (2, 5)],
  )
  return rows


def _one_by_one(workdir, row_texts):
  """The logits of each text alone: no batch, no padding, no order."""
  folder = workdir / "teacher"
  module = families.build(artefacts.read_json(folder / "model.json"))
  params = checkpoints.load_params(folder)
  tokenizer = tokenizers.load(folder)
  values = []
  for text in row_texts:
    (ids,) = tokenizers.encode_for_teacher(tokenizer, [text], max_tokens=16)
    tokens = np.array([ids], np.int32)
    mask = np.ones_like(tokens)
    values.append(np.asarray(module.apply({"params": params}, tokens, mask)[0]))
  return np.stack(values)


def test_every_row_gets_its_own_logits(labelled, config, progress):
  # Dies if: rows come back sorted by length, or removed rows are labelled.
  counts = soft_labels.run(config, labelled, progress)
  assert counts == {
    "labelled_rows": 36,
    "corpus_rows": 5,
    "rule_rows": 0,
    "real_rows": 0,
  }
  folder = labelled / "soft_labels"
  kept = texts.read_kept(labelled / "corpus")
  row_id, values = logits.load_corpus_logits(folder)
  np.testing.assert_array_equal(row_id, [0, 1, 3, 4, 6])
  expected = _one_by_one(labelled, [row["text"] for row in kept])
  np.testing.assert_allclose(values, expected, atol=1e-5)

  rows = artefacts.read_jsonl(labelled / "data/labelled.jsonl")
  row_id, values = logits.load_logits(folder / logits.LABELLED)
  np.testing.assert_array_equal(row_id, [row["row_id"] for row in rows])
  expected = _one_by_one(labelled, [row["text"] for row in rows])
  np.testing.assert_allclose(values, expected, atol=1e-5)


def _stamps(folder):
  # epath's own stat counts whole seconds.
  files = {path.name: os.stat(path) for path in folder.glob("*.safetensors")}
  return {name: (s.st_ino, s.st_mtime_ns) for name, s in files.items()}


def test_a_corpus_that_grew_costs_only_its_new_shards(
  labelled, config, progress
):
  # Dies if: whole shards are computed again, or a changed one is kept.
  soft_labels.run(config, labelled, progress)
  before = _stamps(labelled / "soft_labels")
  rows = write_corpus(labelled, num_rows=10)
  soft_labels.run(config, labelled, progress)
  after = _stamps(labelled / "soft_labels")
  unchanged = {name for name, time in before.items() if after[name] == time}
  assert unchanged == {logits.LABELLED, logits.shard_name(0)}
  row_id, values = logits.load_corpus_logits(labelled / "soft_labels")
  np.testing.assert_array_equal(row_id, [0, 1, 3, 4, 6, 7, 8, 9])
  expected = _one_by_one(labelled, [rows[i]["text"] for i in row_id])
  np.testing.assert_allclose(values, expected, atol=1e-5)


def test_a_corpus_that_shrank_leaves_no_shard(labelled, config, progress):
  soft_labels.run(config, labelled, progress)
  texts.shard_path(labelled / "corpus", 1).unlink()
  soft_labels.run(config, labelled, progress)
  row_id, _ = logits.load_corpus_logits(labelled / "soft_labels")
  np.testing.assert_array_equal(row_id, [0, 1, 3])


def test_another_teacher_labels_everything_anew(labelled, config, progress):
  # Dies if: the teacher's digest is left out of a shard's source.
  soft_labels.run(config, labelled, progress)
  params = checkpoints.load_params(labelled / "teacher")
  params["classifier"]["bias"] = params["classifier"]["bias"] + 1.0
  before = logits.load_corpus_logits(labelled / "soft_labels")[1]
  checkpoints.save_params(labelled / "teacher", params)
  soft_labels.run(config, labelled, progress)
  after = logits.load_corpus_logits(labelled / "soft_labels")[1]
  np.testing.assert_allclose(after, before + 1.0, atol=1e-5)


# Dies if: the products are not rounded, or logits of others are kept.
def test_products_of_another_dtype_label_everything_anew(
  labelled, config, progress
):
  soft_labels.run(config, labelled, progress)
  before = logits.load_corpus_logits(labelled / "soft_labels")[1]
  with config.unlocked():
    config.soft_labels.matmul_dtype = "bfloat16"
  soft_labels.run(config, labelled, progress)
  after = logits.load_corpus_logits(labelled / "soft_labels")[1]
  assert (after != before).all()
  np.testing.assert_allclose(after, before, atol=0.02 * np.abs(before).max())


# Dies if: one of several teachers is left out, or its change goes unnoticed.
def test_several_teachers_label_by_their_mean(labelled, config, progress):
  soft_labels.run(config, labelled, progress)
  one = logits.load_corpus_logits(labelled / "soft_labels")[1]
  params = checkpoints.load_params(labelled / "teacher")
  for restart, more in ((0, 0.0), (10, 3.0), (2, 6.0)):
    member = params | {"classifier": dict(params["classifier"])}
    member["classifier"]["bias"] = params["classifier"]["bias"] + more
    checkpoints.save_params(labelled / f"teacher/restarts/{restart}", member)
  soft_labels.run(config, labelled, progress)
  mean = logits.load_corpus_logits(labelled / "soft_labels")[1]
  np.testing.assert_allclose(mean, one + 3.0, atol=1e-5)


def test_goes_on_after_a_stop(labelled, config, progress, stop_after):
  soft_labels.run(config, labelled, progress)
  folder = labelled / "soft_labels"
  expected = {path.name: path.read_bytes() for path in folder.iterdir()}
  folder.rmtree()
  folder.mkdir()
  stop_after(2)
  with pytest.raises(signals.Stopped):
    soft_labels.run(config, labelled, progress)
  assert {path.name for path in folder.iterdir()} == {
    logits.LABELLED,
    logits.shard_name(0),
  }
  soft_labels.run(config, labelled, progress)
  assert {p.name: p.read_bytes() for p in folder.iterdir()} == expected


def test_a_share_of_less_than_one_text_is_refused(labelled, config, progress):
  # Dies if: the arm rules_kd is left with no text, and told to redo for ever.
  with config.unlocked():
    config.soft_labels.rules = 0.01
  with pytest.raises(
    UserError, match=r"rules is 0\.01, which makes no text of 5"
  ):
    soft_labels.run(config, labelled, progress)


# Dies if: rules read held-out rows, a mask is plain text to the teacher, rows
# and logits part ways, or what was made stays when it isn't asked for.
def test_texts_made_by_rules_are_labelled_alike(labelled, config, progress):
  with config.unlocked():
    config.soft_labels.rules = 4.0
  assert soft_labels.run(config, labelled, progress)["rule_rows"] == 20
  folder = labelled / "soft_labels"
  made = artefacts.read_jsonl(folder / rules.TEXTS)
  rows = artefacts.read_jsonl(labelled / "data/labelled.jsonl")
  train = [row["text"] for row in rows if row["split"] == "train"]
  expected = rules.make(train, num_texts=20, seed=config.seed)
  assert [row["text"] for row in made] == expected
  row_id, values = logits.load_logits(folder / rules.LOGITS)
  assert row_id.tolist() == [row["row_id"] for row in made] == [*range(20)]
  plain = [i for i, text in enumerate(expected) if rules.MASK not in text]
  alone = _one_by_one(labelled, [expected[i] for i in plain])
  np.testing.assert_allclose(values[plain], alone, atol=1e-5)
  assert plain and len(plain) < 20
  before = _stamps(folder)
  soft_labels.run(config, labelled, progress)
  assert _stamps(folder) == before
  with config.unlocked():
    config.soft_labels.rules = None
  soft_labels.run(config, labelled, progress)
  assert not (folder / rules.TEXTS).exists()
  assert not (folder / rules.LOGITS).exists()


# Dies if: more are read than were generated, rows and logits part ways, or a
# number that is asked for is not that of texts.
def test_real_texts_are_labelled_alike(labelled, config, progress):
  real = [{"row_id": i, "text": f"{_WORDS[i]} is"} for i in range(7)]
  artefacts.write_jsonl(labelled / "data" / unlabelled.TEXTS, real)
  folder = labelled / "soft_labels"
  for wanted, expected in ((None, 5), (3, 3), (100, 7)):
    with config.unlocked():
      config.soft_labels.real_texts = wanted
    counts = soft_labels.run(config, labelled, progress)
    assert counts["real_rows"] == expected
    row_id, values = logits.load_logits(folder / unlabelled.LOGITS)
    assert row_id.tolist() == [*range(expected)]
    alone = _one_by_one(labelled, [row["text"] for row in real[:expected]])
    np.testing.assert_allclose(values, alone, atol=1e-5)
  before = _stamps(folder)
  soft_labels.run(config, labelled, progress)
  assert _stamps(folder) == before
  (labelled / "data" / unlabelled.TEXTS).unlink()
  soft_labels.run(config, labelled, progress)
  assert not (folder / unlabelled.LOGITS).exists()


def test_agreement(labelled, config, progress):
  soft_labels.run(config, labelled, progress)
  folder = labelled / "soft_labels"
  agreement = artefacts.read_json(folder / "agreement.json")
  values = logits.load_corpus_logits(folder)[1].astype(np.float64)
  probs = np.exp(values) / np.exp(values).sum(-1, keepdims=True)
  corpus = agreement["corpus"]
  assert agreement["labels"] == ["place", "person"]
  assert corpus["rows"] == 5
  share = np.bincount(values.argmax(-1), minlength=2) / 5
  np.testing.assert_allclose(corpus["class_share"], share)
  assert corpus["mean_confidence"] == pytest.approx(probs.max(-1).mean())
  assert corpus["mean_entropy"] == pytest.approx(
    -(probs * np.log(probs)).sum(-1).mean()
  )
  assert agreement["train"]["rows"] == 30
  assert 0 <= agreement["heldout"]["accuracy"] <= 1


def test_an_empty_corpus_has_no_health(labelled, config, progress):
  texts.shard_path(labelled / "corpus", 1).unlink()
  texts.write_shard(labelled / "corpus", 0, [{"row_id": 0, "text": ""}])
  removed = [{"row_id": 0, "reason": "empty"}]
  artefacts.write_jsonl(labelled / "corpus" / texts.REMOVED, removed)
  counts = soft_labels.run(config, labelled, progress)
  assert counts["corpus_rows"] == 0
  agreement = artefacts.read_json(labelled / "soft_labels/agreement.json")
  assert "corpus" not in agreement
