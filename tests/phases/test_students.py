# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import shutil

import numpy as np
import pytest
from etils import epath
from tokenizers import Tokenizer

from configs import common
from gd_jax import artefacts, checkpoints, hosts, signals
from gd_jax.data import (
  batches,
  logits,
  rules,
  texts,
  tokenizers,
  unlabelled,
  vocabulary,
)
from gd_jax.errors import UserError
from gd_jax.models import families, pretrained
from gd_jax.phases import students
from gd_jax.training import (
  baselines,
  second_round,
  side_by_side,
  student_training,
)

SUBJECTS = {
  0: ["kettle", "toaster", "lamp"],
  1: ["parcel", "courier", "delivery"],
}
ENDINGS = ["is late", "is broken again", "please help", "arrived", "today"]


def make_texts(n, seed):
  rng = np.random.default_rng(seed)
  label = rng.integers(0, 2, n)
  rows = [
    f"the {rng.choice(SUBJECTS[c])} {rng.choice(ENDINGS)} {rng.integers(99)}"
    for c in label
  ]
  return rows, label


@pytest.fixture(scope="module")
def upstream(tmp_path_factory, tiny_bert) -> pathlib.Path:
  """The artefacts that students read, by an all-knowing teacher."""
  workdir = epath.Path(tmp_path_factory.mktemp("upstream"))
  for name in ("data", "teacher", "corpus", "soft_labels"):
    (workdir / name).mkdir()
  artefacts.write_json(workdir / "data/task.json", {"labels": ["item", "post"]})
  rows, label = make_texts(24, 0)
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
  drawn, drawn_label = make_texts(30, 1)
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


def make_config(**changes):
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


def digests(workdir):
  return {
    str(path.parent.relative_to(workdir / "students")): json.loads(
      path.read_text()
    )["digest"]
    for path in pathlib.Path(workdir).glob("students/*/*/params.json")
  }


def stamps(workdir):
  found = pathlib.Path(workdir).glob("students/*/*/manifest.json")
  return {str(path): path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def finished(upstream, tmp_path_factory):
  folder = epath.Path(tmp_path_factory.mktemp("finished"))
  for source in upstream.iterdir():
    (pathlib.Path(folder) / source.name).symlink_to(source)
  (folder / "students").mkdir()
  from gd_jax.progress import Progress

  counts = students.run(make_config(), folder, Progress(quiet=True))
  return folder, counts


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
def test_the_vocabulary_is_of_the_training_texts(workdir, progress):
  config = make_config(arms=("tfidf",), num_texts=0)
  assert students.run(config, workdir, progress)["generated_rows"] == 0
  fewer = artefacts.read_json(workdir / "students/vocabulary.json")
  config = make_config(arms=("tfidf",), num_texts=12)
  assert students.run(config, workdir, progress)["generated_rows"] == 10
  more = artefacts.read_json(workdir / "students/vocabulary.json")
  assert fewer["source"] != more["source"]


# Dies if: gd's rows, order or noise come from another stream than kd's.
def test_without_generated_texts_gd_is_kd(workdir, progress):
  config = make_config(arms=("kd", "gd", "gd_hard"), num_texts=0)
  students.run(config, workdir, progress)
  found = digests(workdir)
  assert found["kd/0"] == found["gd/0"] == found["gd_hard/0"]


# Dies if: finished students are trained again, or a new arm needs all anew.
def test_a_new_arm_and_a_new_seed_train_alone(workdir, progress):
  students.run(make_config(arms=("gold",)), workdir, progress)
  before, old = stamps(workdir), digests(workdir)
  config = make_config(arms=("gold", "gd"), num_seeds=2)
  students.run(config, workdir, progress)
  after, new = stamps(workdir), digests(workdir)
  assert {name: after[name] for name in before} == before
  assert set(new) == {"gold/0", "gold/1", "gd/0", "gd/1"}
  assert new["gold/0"] == old["gold/0"]
  assert len(set(new.values())) == 4


# Dies if: side by side, students get in each other's way.
def test_threads_change_nothing(finished, workdir, progress, monkeypatch):
  monkeypatch.setattr(student_training.os, "cpu_count", lambda: 1)
  students.run(make_config(arms=("gold", "kd", "gd")), workdir, progress)
  together = digests(finished[0])
  for name, digest in digests(workdir).items():
    assert digest == together[name]


# Dies if: an interrupted run loses what it did, or ends elsewhere.
def test_an_interrupted_run_goes_on(finished, workdir, progress, monkeypatch):
  monkeypatch.setattr(student_training, "_SAVE_SECONDS", 0.0)
  run_jobs = side_by_side.run_jobs
  polls = iter(range(1000))

  def stopping():
    return next(polls) >= 4  # In the second half of the first student.

  monkeypatch.setattr(
    side_by_side,
    "run_jobs",
    lambda jobs, *, workers: run_jobs(jobs, workers=1, stopping=stopping),
  )
  config = make_config(arms=("gold", "kd"))
  with pytest.raises(signals.Stopped):
    students.run(config, workdir, progress)
  assert list(pathlib.Path(workdir).glob("students/unfinished/*/resume"))
  assert not digests(workdir)
  monkeypatch.undo()
  students.run(config, workdir, progress)
  assert not (workdir / "students/unfinished").exists()
  expected = digests(finished[0])
  for name, digest in digests(workdir).items():
    assert digest == expected[name]


# Dies if: the search takes the last rate, or looks at other rows.
def test_the_best_learning_rate_on_heldout_rows_is_kept(workdir, progress):
  config = make_config(
    arms=("gd",), learning_rates=(1e-12, 3e-2), total_steps=40
  )
  students.run(config, workdir, progress)
  summary = artefacts.read_json(workdir / "students/gd/0/summary.json")
  tried = {t["learning_rate"]: t["best"]["scores"] for t in summary["tried"]}
  assert list(tried) == [1e-12, 3e-2]
  assert tried[3e-2]["accuracy"] > tried[1e-12]["accuracy"]
  assert summary["learning_rate"] == 3e-2
  assert summary["heldout"] == tried[3e-2]


def test_all_in_one_program(workdir, progress, finished):
  config = make_config(arms=("gold", "gd"), mode="vmap", num_seeds=2)
  students.run(config, workdir, progress)
  for arm in ("gold", "gd"):
    ours = checkpoints.load_params(workdir / "students" / arm / "0")
    theirs = checkpoints.load_params(finished[0] / "students" / arm / "0")
    np.testing.assert_allclose(
      ours["classifier"]["kernel"], theirs["classifier"]["kernel"], atol=1e-4
    )


def test_random_embeddings_differ_by_seed(workdir, progress):
  config = make_config(arms=("gold",), embeddings="random", num_seeds=2)
  students.run(config, workdir, progress)
  assert not (workdir / "students/embeddings.safetensors").exists()
  assert len(set(digests(workdir).values())) == 2


def test_divergence_is_said(workdir, progress):
  config = make_config(arms=("gd",), learning_rates=(1e30,))
  with pytest.raises(UserError, match="gd/0 diverged at every learning rate"):
    students.run(config, workdir, progress)
  assert progress.warnings


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"arms": ("gold", "tfdif")}, "arms: 'tfdif'.*did you mean 'tfidf'"),
    ({"model": "resnet"}, "model: 'resnet' is none of bilstm, blend_cnn, kim"),
    ({"mix": 0.0}, "mix is 0.0"),
    ({"min_confidence": 1.0}, "min_confidence is a probability"),
    ({"balance": 0.5}, "balance is 0.5"),
    ({"second_round": 1.0, "num_texts": 9}, "second_round is 1.0"),
    ({"second_round": 0.5}, "second_round needs config.students.num_texts"),
    (
      {"second_round": 0.5, "num_texts": 9, "balance": 1.5},
      "second_round and config.students.balance do not go together",
    ),
    ({"loss": "l1"}, "loss: 'l1'"),
    ({"mode": "scan"}, "mode: 'scan'"),
    ({"embeddings": "bert"}, "embeddings: 'bert'"),
    ({"learning_rates": ()}, "learning_rates is empty"),
    ({"labelled_fraction": 0.0}, "labelled_fraction is a share"),
    ({"total_steps": 0}, "total_steps is 0"),
  ],
)
def test_bad_fields_are_said(changes, message, workdir, progress):
  with pytest.raises(UserError, match=message):
    students.run(make_config(**changes), workdir, progress)


# Dies if: rules_kd sees generated texts, or gd is another for its being there.
def test_rules_take_the_place_of_generated_texts(finished, workdir, progress):
  config = make_config(arms=("kd", "rules_kd", "gd"))
  counts = students.run(config, workdir, progress)
  assert counts["generated_rows"] == counts["rule_rows"] == 28
  found, without = digests(workdir), digests(finished[0])
  assert len(set(found.values())) == 3
  assert found["gd/0"] == without["gd/0"]
  assert found["kd/0"] == without["kd/0"]
  summary = artefacts.read_json(workdir / "students/rules_kd/0/summary.json")
  assert summary["generated_rows"] == 28


def with_real_texts(workdir, number):
  """Puts real texts without labels into what `workdir` links to."""
  for phase in ("data", "soft_labels"):
    folder = pathlib.Path(workdir / phase)
    source = folder.resolve()
    folder.unlink()
    shutil.copytree(source, folder)
  real, label = make_texts(number, 5)
  artefacts.write_jsonl(
    workdir / "data" / unlabelled.TEXTS,
    [{"row_id": i, "text": text} for i, text in enumerate(real)],
  )
  logits.save_logits(
    workdir / "soft_labels" / unlabelled.LOGITS,
    np.arange(number),
    3.0 * np.eye(2)[label],
  )


# Dies if: real_kd sees generated texts or more rows than gd, or gd is another
# for its being there.
def test_real_texts_take_the_place_of_generated_ones(
  finished, workdir, progress
):
  with_real_texts(workdir, 28)
  arms = ("kd", "rules_kd", "real_kd", "gd")
  counts = students.run(make_config(arms=arms), workdir, progress)
  assert counts["generated_rows"] == counts["real_rows"] == 28
  found, without = digests(workdir), digests(finished[0])
  assert len(set(found.values())) == 4
  assert found["gd/0"] == without["gd/0"]
  assert found["kd/0"] == without["kd/0"]
  summary = artefacts.read_json(workdir / "students/real_kd/0/summary.json")
  assert summary["generated_rows"] == 28


# Dies if: a prefix of the generated texts leaves real_kd more than gd has.
@pytest.mark.parametrize(("num_texts", "rows"), [(None, 40), (12, 10), (0, 0)])
def test_as_many_real_texts_as_generated_ones(
  num_texts, rows, workdir, progress
):
  with_real_texts(workdir, 40)
  config = make_config(arms=("kd", "real_kd"), num_texts=num_texts)
  assert students.run(config, workdir, progress)["real_rows"] == rows
  found = digests(workdir)
  assert (found["kd/0"] == found["real_kd/0"]) == (rows == 0)


def test_real_texts_that_are_not_there_are_asked_for(workdir, progress):
  with pytest.raises(UserError, match=r"data\.unlabelled=train "):
    students.run(make_config(arms=("real_kd",)), workdir, progress)


# Dies if: the first round sees the second's texts, what it says is of other
# texts, the students get other texts than the chosen ones or another number,
# or rounds that are done are trained again.
def test_a_second_round_takes_what_is_disputed(workdir, progress, monkeypatch):
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
      [900, 16, "teacher"],
    ]
  )
  monkeypatch.undo()
  before = stamps(workdir), student.joinpath("manifest.json").read_text()
  students.run(config, workdir, progress)
  after = stamps(workdir), student.joinpath("manifest.json").read_text()
  assert after == before


# Dies if: the choice depends on num_seeds, so that all are trained anew.
def test_after_a_second_round_a_new_seed_trains_alone(workdir, progress):
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
def test_the_second_round_is_of_host_0s_choice(workdir, progress, monkeypatch):
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


def test_a_second_round_of_nothing_is_kd(workdir, progress):
  config = make_config(arms=("kd", "gd"), num_texts=0, second_round=0.5)
  students.run(config, workdir, progress)
  found = digests(workdir)
  assert found["kd/0"] == found["gd/0"]


def test_a_second_round_needs_texts_to_choose_from(workdir, progress):
  config = make_config(arms=("gd",), num_texts=30, second_round=0.5)
  with pytest.raises(UserError, match=r"raise config\.corpus\.num_texts"):
    students.run(config, workdir, progress)


def test_rules_that_were_not_made_are_asked_for(workdir, progress):
  folder = pathlib.Path(workdir / "soft_labels")
  source = folder.resolve()
  folder.unlink()
  folder.mkdir()
  for path in source.iterdir():
    if path.name != rules.TEXTS:
      (folder / path.name).symlink_to(path)
  with pytest.raises(UserError, match=r"soft_labels\.rules=1 "):
    students.run(make_config(arms=("rules_kd",)), workdir, progress)


# Dies if: an earlier work's student gets our vocabulary or our vectors.
def test_blend_cnn_has_all_word_pieces_and_its_own_vectors(
  workdir, progress, tiny_bert
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
def test_the_bilstm_trains(workdir, progress):
  config = make_config(
    arms=("gd",), model="bilstm", embeddings="random", total_steps=3
  )
  students.run(config, workdir, progress)
  spec = artefacts.read_json(workdir / "students/gd/0/model.json")
  assert (spec["family"], spec["embed_width"]) == ("bilstm", 300)


# Dies if: a field is not passed on to what reads it.
@pytest.mark.parametrize(
  ("changes", "rows"),
  [({"mix": 0.4}, 28), ({"min_confidence": 0.97}, 0), ({"balance": 1.0}, None)],
)
def test_options_reach_the_students(changes, rows, finished, workdir, progress):
  counts = students.run(make_config(arms=("gd",), **changes), workdir, progress)
  if rows is None:
    assert 14 <= counts["generated_rows"] < 28
  else:
    assert counts["generated_rows"] == rows
  assert digests(workdir)["gd/0"] != digests(finished[0])["gd/0"]


def test_a_missing_soft_label_is_said(workdir, progress):
  folder = pathlib.Path(workdir / "soft_labels")
  source = folder.resolve()
  folder.unlink()
  folder.mkdir()
  ids, values = logits.load_logits(epath.Path(source) / logits.LABELLED)
  logits.save_logits(epath.Path(folder) / logits.LABELLED, ids[1:], values[1:])
  with pytest.raises(UserError, match="labelled row 100 has no soft label"):
    students.run(make_config(), workdir, progress)
