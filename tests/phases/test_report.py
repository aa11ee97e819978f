# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The whole report of a run of tiny random models."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from ml_collections import config_dict
from safetensors.numpy import load_file

from gd_jax import artefacts, checkpoints
from gd_jax.data import logits, texts, tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.models import bert, families, students
from gd_jax.phases import report
from gd_jax.progress import Progress
from gd_jax.reporting import evaluate, figures, readers
from gd_jax.training import baselines

CLASSES = ["pay & ship", '"returns"', "<b>size</b>"]
NASTY = "<script>alert(1)</script> & \"'` מה המחיר ?"
EVALUATION = [
  "where is my parcel ?",
  NASTY,
  "the shoes are too small",
  "i want my money back " * 20,
  "?",
]
LABELS = [0, 1, 2, -1, 1]
ARMS = ("gold", "gd")
SEEDS = 2


@pytest.fixture(autouse=True, scope="module")
def _no_time_for_speed():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(readers, "_SPEED_SECONDS", 1e-9)
    yield


@pytest.fixture(autouse=True)
def _no_time_for_pictures(monkeypatch):
  """The run of `reported`, of the whole module, has its pictures before."""
  monkeypatch.setattr(figures, "write", lambda *args: None)


def _config(*, examples=3, **students_fields):
  return config_dict.ConfigDict(
    {
      "task": "shop",
      "seed": 3,
      "data": {"max_tokens": 16, "dir": None},
      "students": {
        "max_tokens": 12,
        "num_texts": None,
        "arms": (*ARMS, "tfidf"),
        "num_seeds": SEEDS,
      }
      | students_fields,
      "report": {"examples": examples},
    }
  )


def _save_model(folder, module, seed):
  """Random params straight from the shapes: nothing is compiled for them."""
  rng = np.random.default_rng(seed)
  shapes = jax.eval_shape(
    lambda: module.init(
      jax.random.key(0), jnp.zeros((1, 4), int), jnp.ones((1, 4), int)
    )["params"]
  )
  params = jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes
  )
  folder.mkdir(parents=True, exist_ok=True)
  checkpoints.save_params(folder, params)
  artefacts.write_json(folder / "model.json", families.spec_of(module))
  artefacts.write_json(
    folder / "summary.json", {"heldout": {"accuracy": 0.5 + seed / 100}}
  )


def _write_data(folder):
  artefacts.write_jsonl(
    folder / "evaluation_texts.jsonl",
    ({"row_id": 10 + i, "text": text} for i, text in enumerate(EVALUATION)),
  )
  # In another order than the texts: rows are matched by id.
  order = [3, 1, 0, 4, 2]
  names = [*CLASSES, "Klingon"]
  artefacts.write_json(
    folder / "evaluation_labels.json",
    {
      "row_id": [10 + i for i in order],
      "label": [LABELS[i] for i in order],
      "name": [names[LABELS[i]] for i in order],
    },
  )
  artefacts.write_json(
    folder / "task.json",
    {
      "task": "shop",
      "labels": CLASSES,
      "labels_per_class": 4,
      "evaluate_on": "test",
      "counts": {"labelled": 12, "per_class": dict.fromkeys(CLASSES, 4)},
    },
  )


def _write_corpus(workdir):
  drawn = ["where is it ?", NASTY, "where is it ?", "too small", "my money"]
  corpus, soft_labels = workdir / "corpus", workdir / "soft_labels"
  texts.write_shard(
    corpus, 0, [{"row_id": i, "text": text} for i, text in enumerate(drawn)]
  )
  removed = {"row_id": 2, "reason": "exact_duplicate", "twin": "corpus:0"}
  artefacts.write_jsonl(corpus / "removed.jsonl", [removed])
  variety = dict.fromkeys(
    ("distinct_1", "distinct_2", "distinct_3", "self_bleu"), 0.5
  )
  artefacts.write_json(
    corpus / "health.json",
    {
      "drawn": 5,
      "kept": 4,
      "removed": {"empty": 0, "exact_duplicate": 1},
      "copies_of_labelled": {"exact": 1, "near": 0},
      "finished_share": 1.0,
      "tokens": {"mean": 3.5, "percentile_5": 2.0, "percentile_95": 6.0},
      "perplexity": 12.5,
      "diversity": {"texts": 4, "generated": variety, "labelled": variety},
    },
  )
  values = np.array([[3, 0, 0], [0, 2, 0], [0, 0, 1], [0.5, 0, 0]], np.float32)
  logits.save_logits(
    soft_labels / logits.shard_name(0), np.array([0, 1, 3, 4]), values
  )
  artefacts.write_json(
    soft_labels / "agreement.json",
    {"corpus": {"class_share": [0.5, 0.25, 0.25], "mean_confidence": 0.7}},
  )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_bert):
  """A run whose students are trained and whose report is not made."""
  workdir = epath.Path(tmp_path_factory.mktemp("run"))
  for name in ("data", "corpus", "soft_labels", "students", "report"):
    (workdir / name).mkdir()
    counts = {"generated_rows": 3} if name == "students" else {}
    artefacts.write_json(
      workdir / name / "manifest.json", {"seconds": 1.5, "counts": counts}
    )
  # Not ours.
  (workdir / "site").mkdir()
  artefacts.write_json(workdir / "site/manifest.json", {"name": "a site"})
  _write_data(workdir / "data")
  _write_corpus(workdir)
  wordpieces = tokenizers.load(tiny_bert)
  teacher = bert.BertClassifier(
    bert.BertConfig(
      vocab_size=wordpieces.get_vocab_size(),
      width=16,
      num_layers=1,
      num_heads=2,
      mlp_width=16,
      max_length=16,
    ),
    num_classes=3,
    pooling="mean",
  )
  _save_model(workdir / "teacher", teacher, 0)
  tokenizers.save(workdir / "teacher", wordpieces)
  small, _ = vocabulary.prune(wordpieces, EVALUATION, vocab_size=200)
  tokenizers.save(workdir / "students", small)
  student = students.KimCnn(
    small.get_vocab_size(), 3, embed_width=4, num_filters=4
  )
  for number, arm in enumerate(ARMS):
    for seed in range(SEEDS):
      folder = workdir / "students" / arm / str(seed)
      _save_model(folder, student, 10 * number + seed)
  return workdir


@pytest.fixture
def workdir(finished, tmp_path):
  """A copy that a test may spoil."""
  shutil.copytree(finished, tmp_path / "run")
  return epath.Path(tmp_path / "run")


@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory):
  """A copy with every kind of arm and with its report; not to be spoilt."""
  workdir = epath.Path(tmp_path_factory.mktemp("reported") / "run")
  shutil.copytree(finished, workdir)
  _add_tfidf(workdir)
  config = _config(examples=4)
  counts = report.run(config, workdir, Progress(quiet=True))
  assert counts == {"evaluated": 5, "models": 1 + 1 + len(ARMS) * SEEDS}
  return workdir


def _add_tfidf(workdir):
  folder = workdir / "students" / "tfidf" / "0"
  folder.mkdir(parents=True)
  rows = ["where is it", "i want my money", "too small", "too large"]
  baselines.fit(rows, [0, 1, 2, 2], num_classes=3).save(folder)
  artefacts.write_json(folder / "summary.json", {})


def _results(workdir):
  return json.loads((workdir / "report" / "results.json").read_text())


def test_results_and_logits_agree_with_the_models(reported):
  # Dies if: labels are not matched to texts by row id, an unseen label counts
  # as right, rows come back in the order of their lengths, or a seed is lost.
  workdir = reported
  arms = _results(workdir)["arms"]
  assert set(arms) == {"teacher", "tfidf", *ARMS}
  for name, arm in arms.items():
    saved = load_file(workdir / "report" / "logits" / f"{name}.safetensors")
    assert saved["row_id"].tolist() == [10, 11, 12, 13, 14]
    num_seeds = SEEDS if name in ARMS else 1
    assert saved["logits"].shape == (num_seeds, 5, 3)
    right = saved["logits"].argmax(-1) == np.array(LABELS)
    np.testing.assert_allclose(
      arm["accuracy"]["per_seed"], right.mean(1), rtol=1e-12
    )
    assert arm["accuracy"]["mean"] <= 0.8
    assert arm["num_seeds"] == num_seeds
    low, high = arm["accuracy"]["interval"]
    assert 0 <= low <= arm["accuracy"]["mean"] <= high <= 1
  gd = epath.Path(workdir / "students" / "gd" / "1")
  module = families.build(artefacts.read_json(gd / "model.json"))
  tokenizer = tokenizers.load(workdir / "students")
  tokens = vocabulary.encode(tokenizer, [EVALUATION[2]], max_tokens=12)
  alone = module.apply(
    {"params": checkpoints.load_params(gd)},
    jnp.array(tokens),
    jnp.ones_like(jnp.array(tokens)),
  )
  saved = load_file(workdir / "report" / "logits" / "gd.safetensors")
  np.testing.assert_allclose(saved["logits"][1, 2], alone[0], atol=1e-5)


def test_results_have_the_agreed_keys(reported):
  results = _results(reported)
  assert {
    "task": "shop",
    "labels_per_class": 4,
    "num_labelled": 12,
    "num_classes": 3,
    "evaluate_on": "test",
  }.items() <= results.items()
  # Of 4 that were kept. Dies if: those that the students left out count, too.
  assert results["num_synthetic"] == 3
  assert {"gd_jax", "jax", "python"} <= set(results["versions"])
  assert results["config"]["students"]["num_seeds"] == SEEDS
  assert results["unseen_labels"] == {"Klingon": 1}
  assert results["corpus_health"]["removed"]["exact_duplicate"] == 1
  assert results["corpus_health"]["class_share"][CLASSES[0]] == 0.5
  assert results["seconds"]["corpus"] == 1.5
  assert "site" not in results["seconds"]
  assert results["seconds"]["report"] > 0
  for arm in results["arms"].values():
    assert {
      "accuracy",
      "macro_f1",
      "params_total",
      "params_without_embeddings",
      "examples_per_second",
      "latency_ms",
      "num_seeds",
      "heldout_accuracy",
      "calibration",
    } <= set(arm)
    assert {"mean", "std", "per_seed"} <= set(arm["accuracy"])
    assert {"mean", "std", "per_seed"} <= set(arm["macro_f1"])
    assert 0 < arm["params_without_embeddings"] <= arm["params_total"]
    assert arm["examples_per_second"] > 0
    assert arm["latency_ms"] > 0
  assert results["arms"]["tfidf"]["calibration"] is None
  assert len(results["arms"]["gd"]["calibration"]["ece"]["per_seed"]) == SEEDS
  assert results["arms"]["teacher"]["accuracy"]["std"] is None
  assert results["arms"]["gd"]["heldout_accuracy"] == pytest.approx(0.605)
  pairs = [(pair["arm"], pair["than"]) for pair in results["differences"]]
  assert pairs == [("gd", "tfidf"), ("gd", "gold"), ("gd", "teacher")]


def test_the_page_shows_texts_and_never_runs_them(reported):
  # Dies if: autoescape is off.
  page = (reported / "report" / "index.html").read_text()
  assert "<script" not in page
  assert "<b>size" not in page
  assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
  assert "מה המחיר" in page
  assert "1 evaluation texts have labels" in page


def test_every_arm_has_its_pictures(reported):
  found = {path.name for path in (reported / "report" / "figures").iterdir()}
  assert {f"confusion_{arm}.png" for arm in (*ARMS, "tfidf")} <= found
  assert {"accuracy_by_latency.svg", "calibration.svg"} <= found


def test_a_run_with_one_arm_has_a_report(workdir, progress):
  shutil.rmtree(workdir / "students" / "gold")
  report.run(_config(), workdir, progress)
  results = _results(workdir)
  assert set(results["arms"]) == {"teacher", "gd"}
  assert (workdir / "report" / "index.html").exists()


@pytest.mark.parametrize(
  ("fields", "expected"),
  [
    ({"num_seeds": 1}, {"teacher": 1, "tfidf": 1, "gold": 1, "gd": 1}),
    ({"arms": ("gd",)}, {"teacher": 1, "gd": 2}),
    ({"num_seeds": 9}, {"teacher": 1, "tfidf": 1, "gold": 2, "gd": 2}),
  ],
)
def test_students_of_an_earlier_config_are_no_part_of_the_report(
  workdir, fields, expected
):
  # Dies if: every folder that lies there counts.
  _add_tfidf(workdir)
  found = evaluate.find(_config(**fields), workdir)
  assert {arm: len(folders) for arm, folders in found.items()} == expected
  assert [path.name for path in found["gd"]] == ["0", "1"][: expected["gd"]]


def test_of_several_teachers_no_single_ones_accuracy_is_told(workdir, progress):
  # Dies if: one restart's held-out rows are told as those of the mean.
  shutil.copytree(workdir / "teacher", workdir / "teacher/restarts/3")
  report.run(_config(arms=()), workdir, progress)
  assert _results(workdir)["arms"]["teacher"]["heldout_accuracy"] is None


def test_a_run_without_students_has_a_report(workdir, progress):
  for arm in ARMS:
    shutil.rmtree(workdir / "students" / arm)
  report.run(_config(), workdir, progress)
  assert set(_results(workdir)["arms"]) == {"teacher"}


def test_a_corpus_without_a_good_text_has_a_report(workdir, progress):
  corpus, soft_labels = workdir / "corpus", workdir / "soft_labels"
  artefacts.write_jsonl(
    corpus / "removed.jsonl",
    [{"row_id": i, "reason": "empty", "twin": None} for i in range(5)],
  )
  logits.save_logits(
    soft_labels / logits.shard_name(0), np.zeros(0), np.zeros((0, 3))
  )
  artefacts.write_json(soft_labels / "agreement.json", {})
  artefacts.write_json(
    workdir / "students" / "manifest.json",
    {"seconds": 1.5, "counts": {"generated_rows": 0}},
  )
  report.run(_config(), workdir, progress)
  assert _results(workdir)["num_synthetic"] == 0
  assert (workdir / "report" / "index.html").exists()


def test_logits_are_taken_again_only_from_the_same_models(
  workdir, progress, monkeypatch
):
  # Dies if: the source of the cached logits leaves out the parameters.
  report.run(_config(), workdir, progress)
  path = workdir / "report" / "logits" / "gd.safetensors"
  before = load_file(path)["logits"]
  folder = workdir / "students" / "gd" / "0"
  module = families.build(artefacts.read_json(folder / "model.json"))
  _save_model(folder, module, 77)
  read = []
  of_flax = readers.FlaxReader.logits
  monkeypatch.setattr(
    readers.FlaxReader,
    "logits",
    lambda self, folder, bar: (
      read.append(folder.parent.name) or of_flax(self, folder, bar)
    ),
  )
  report.run(_config(), workdir, progress)
  assert set(read) == {"gd"}
  after = load_file(path)["logits"]
  assert not np.allclose(before[0], after[0])
  np.testing.assert_array_equal(before[1], after[1])


def test_logits_that_are_not_finite_are_an_error(workdir, progress):
  folder = workdir / "students" / "gd" / "1"
  params = jax.tree.map(lambda x: x * jnp.nan, checkpoints.load_params(folder))
  checkpoints.save_params(folder, params)
  with pytest.raises(UserError, match=r"gd/1 .*not finite.*--redo=students"):
    report.run(_config(), workdir, progress)


def test_labels_of_other_rows_are_refused(workdir, progress):
  path = workdir / "data" / "evaluation_labels.json"
  labels = artefacts.read_json(path)
  labels["row_id"][0] = 99
  artefacts.write_json(path, labels)
  with pytest.raises(UserError, match="labels other rows"):
    report.run(_config(), workdir, progress)
