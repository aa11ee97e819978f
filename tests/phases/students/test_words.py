# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from gd_jax import artefacts
from gd_jax.data import tokenizers, vocabulary
from gd_jax.models import pretrained
from gd_jax.phases import students


# Dies if: students start elsewhere than at the teacher's vectors.
def test_embeddings_come_from_the_teacher(finished, tiny_bert):
  made = vocabulary.load(
    finished[0] / "students",
    source=artefacts.read_json(finished[0] / "students/vocabulary.json")[
      "source"
    ],
  )
  table = pretrained.load_bert(tiny_bert)[1]["bert"]["word"]["embedding"]
  expected = vocabulary.teacher_embeddings(
    np.asarray(table), made.teacher_ids, width=16
  )
  np.testing.assert_allclose(made.embeddings, expected, atol=1e-6)


# Dies if: the vocabulary reads test texts, or generated ones beyond the prefix.
def test_the_vocabulary_is_of_the_training_texts(
  workdir, progress, make_config
):
  config = make_config(arms=("tfidf",), num_texts=0)
  assert students.run(config, workdir, progress)["generated_rows"] == 0
  fewer = artefacts.read_json(workdir / "students/vocabulary.json")
  config = make_config(arms=("tfidf",), num_texts=12)
  assert students.run(config, workdir, progress)["generated_rows"] == 10
  more = artefacts.read_json(workdir / "students/vocabulary.json")
  assert fewer["source"] != more["source"]


# Dies if: the field is not read, students get a vector for each piece, or a
# finished one is not known again.
def test_left_out_pieces_have_the_vectors_of_others(
  workdir, progress, tiny_bert, make_config, stamps
):
  config = make_config(arms=("gd",), left_out="nearest", total_steps=3)
  counts = students.run(config, workdir, progress)
  before = stamps(workdir)
  config = make_config(
    arms=("gd",), left_out="nearest", total_steps=3, num_seeds=2
  )
  students.run(config, workdir, progress)
  assert before.items() < stamps(workdir).items()
  spec = artefacts.read_json(workdir / "students/gd/0/model.json")
  made = tokenizers.load(workdir / "students")
  assert counts["vocabulary"] == spec["vocab_size"] < made.get_vocab_size()
  assert max(made.get_vocab().values()) == spec["vocab_size"] - 1
  teacher = tokenizers.load(tiny_bert)
  text = "kettles parcel zebra"
  theirs = teacher.encode(text, add_special_tokens=False).ids
  assert len(made.encode(text).ids) == len(theirs)


def test_random_embeddings_differ_by_seed(
  workdir, progress, make_config, digests
):
  config = make_config(arms=("gold",), embeddings="random", num_seeds=2)
  students.run(config, workdir, progress)
  assert not (workdir / "students/embeddings.safetensors").exists()
  assert len(set(digests(workdir).values())) == 2


# Dies if: an earlier work's student gets our vocabulary or our vectors.
def test_blend_cnn_has_all_word_pieces_and_its_own_vectors(
  workdir, progress, tiny_bert, make_config
):
  config = make_config(arms=("gd",), model="blend_cnn", total_steps=3)
  students.run(config, workdir, progress)
  folder = workdir / "students"
  pieces = tokenizers.load(tiny_bert).get_vocab_size()
  assert tokenizers.load(folder).get_vocab_size() == pieces
  assert not (folder / "embeddings.safetensors").exists()
  spec = artefacts.read_json(folder / "gd/0/model.json")
  assert spec["family"] == "blend_cnn"
  assert (spec["vocab_size"], spec["embed_width"]) == (pieces, 100)
  summary = artefacts.read_json(folder / "gd/0/summary.json")
  small = summary["params_without_embeddings"]
  assert summary["params_total"] == small + 100 * pieces


@pytest.mark.slow
def test_the_bilstm_trains(workdir, progress, make_config):
  config = make_config(
    arms=("gd",), model="bilstm", embeddings="random", total_steps=3
  )
  students.run(config, workdir, progress)
  spec = artefacts.read_json(workdir / "students/gd/0/model.json")
  assert (spec["family"], spec["embed_width"]) == ("bilstm", 300)
