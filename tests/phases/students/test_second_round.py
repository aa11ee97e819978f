# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np
import pytest
from tokenizers import Tokenizer

from gd_jax import artefacts, checkpoints, hosts
from gd_jax.data import batches, logits, texts, vocabulary
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.phases import students
from gd_jax.training import second_round


# Dies if: the first round sees the second's texts, what it says is of other
# texts, the students get other texts than the chosen ones or another number,
# or rounds that are done are trained again.
def test_a_second_round_takes_what_is_disputed(
  workdir, progress, monkeypatch, make_config, stamps
):
  choose, seen = second_round.choose, []

  def spy(disputes, *, first, number):
    chosen = choose(disputes, first=first, number=number)
    seen.append((disputes, first, number, chosen))
    return chosen

  monkeypatch.setattr(second_round, "choose", spy)
  config = make_config(arms=("kd", "gd"), num_texts=12, second_round=0.4)
  counts = students.run(config, workdir, progress)
  assert counts["generated_rows"] == 10
  ((disputes, first, number, chosen),) = seen
  assert (first, number, len(disputes)) == (6, 4, 28)
  folder = workdir / "students"
  student = folder / "first_round/gd/0"
  assert artefacts.read_json(student / "summary.json")["generated_rows"] == 6
  kept = texts.read_kept(workdir / "corpus")
  encoded = vocabulary.encode(
    Tokenizer.from_file(str(folder / "first_round/tokenizer.json")),
    [row["text"] for row in kept],
    max_tokens=64,
  )
  arrays = batches.from_rows(encoded)
  spec = artefacts.read_json(student / "model.json")
  students_said = [
    families.build(spec).apply(
      {"params": checkpoints.load_params(folder / "first_round/gd" / seed)},
      arrays["tokens"],
      arrays["mask"],
    )
    for seed in ("0", "1", "2")
  ]
  _, teacher = logits.load_corpus_logits(workdir / "soft_labels")
  p, *qs = (
    np.exp(x) / np.exp(x).sum(1, keepdims=True)
    for x in (teacher, *students_said)
  )
  kl = [np.sum(p * (np.log(p) - np.log(q)), axis=1) for q in qs]
  np.testing.assert_allclose(disputes, np.mean(kl, axis=0), atol=1e-5)
  labelled = artefacts.read_jsonl(workdir / "data/labelled.jsonl")
  of = {
    split: [row["text"] for row in labelled if row["split"] == split]
    for split in ("train", "heldout")
  }
  expected = [*of["train"], *of["heldout"], *(kept[i]["text"] for i in chosen)]
  read = []
  monkeypatch.setattr(
    vocabulary, "load", lambda folder, *, source: read.append(source)
  )
  students.run(config, workdir, progress)
  teacher_folder = workdir / "teacher"
  assert read[-1] == artefacts.digest(
    [
      artefacts.read_json(teacher_folder / "params.json")["digest"],
      artefacts.sha256_file(teacher_folder / "tokenizer.json"),
      expected,
      [900, 16, "teacher", "nearest"],
    ]
  )
  monkeypatch.undo()
  before = stamps(workdir), student.joinpath("manifest.json").read_text()
  students.run(config, workdir, progress)
  after = stamps(workdir), student.joinpath("manifest.json").read_text()
  assert after == before


# Dies if: the choice depends on num_seeds, so that all are trained anew.
def test_after_a_second_round_a_new_seed_trains_alone(
  workdir, progress, make_config, stamps
):
  fields = {"arms": ("kd", "gd"), "num_texts": 12, "second_round": 0.4}
  students.run(make_config(**fields), workdir, progress)
  before = stamps(workdir)
  first_round = pathlib.Path(workdir / "students/first_round/gd")
  assert len([*first_round.iterdir()]) == second_round.NUM_STUDENTS
  students.run(make_config(**fields, num_seeds=4), workdir, progress)
  after = stamps(workdir)
  assert {path: after[path] for path in before} == before
  assert len(after) == len(before) + 2 * 3
  assert len([*first_round.iterdir()]) == second_round.NUM_STUDENTS


# Dies if: a host takes its own choice instead of host 0's.
def test_the_second_round_is_of_host_0s_choice(
  workdir, progress, monkeypatch, make_config
):
  taken = []

  def with_generated(rows, pool, chosen):
    del pool
    taken.append([*chosen])
    return rows

  config = make_config(arms=("gd",), num_texts=12, second_round=0.4)
  rows = students._read(config.students, workdir, num_texts=12)
  monkeypatch.setattr(type(rows), "with_generated", with_generated)
  monkeypatch.setattr(hosts, "agree", lambda name, value: "[0, 2, 27]")
  students._after_first_round(config, workdir, rows, progress)
  assert taken[1] == [0, 2, 27]


def test_a_second_round_of_nothing_is_kd(
  workdir, progress, make_config, digests
):
  config = make_config(arms=("kd", "gd"), num_texts=0, second_round=0.5)
  students.run(config, workdir, progress)
  found = digests(workdir)
  assert found["kd/0"] == found["gd/0"]


def test_a_second_round_needs_texts_to_choose_from(
  workdir, progress, make_config
):
  config = make_config(arms=("gd",), num_texts=30, second_round=0.5)
  with pytest.raises(UserError, match=r"raise config\.corpus\.num_texts"):
    students.run(config, workdir, progress)
