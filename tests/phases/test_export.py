# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One of several students leaves, whole, and by the right reasons."""

import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, predict
from gd_jax.data import tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.export import card, choice, demo
from gd_jax.models import families, students
from gd_jax.phases import export
from gd_jax.progress import Progress

pytest.importorskip("onnxruntime", reason="the extra `export`")

LABELS = ["<b>pay</b>", "ship|it"]
TEXTS = ["where is my parcel?", "", "the shoes are too small", "מה ?" * 30]
# (arm, seed) -> held-out accuracy and cross-entropy; test accuracy is reverse.
HELDOUT = {
  ("gold", 0): (0.9, 0.1),
  ("gd", 0): (0.5, 0.9),
  ("gd", 1): (0.7, 0.8),
  ("gd", 2): (0.7, 0.5),
}


def _config(**fields):
  config = {
    "arm": None,
    "seed": None,
    "formats": ("onnx", "int8", "stablehlo"),
    "onnxruntime_web": None,
  }
  return config_dict.ConfigDict(
    {"students": {"max_tokens": 12}, "export": config | fields}
  )


def _arm(accuracy, seeds):
  per_seed = [accuracy - seed / 10 for seed in range(seeds)]
  score = {"mean": accuracy, "std": 0.0123, "per_seed": per_seed}
  return {
    "accuracy": score,
    "macro_f1": score,
    "num_seeds": seeds,
    "params_total": 4321,
  }


def _results():
  return {
    "task": "shop",
    "labels": LABELS,
    "num_classes": 2,
    "num_labelled": 20,
    "num_synthetic": 345,
    "num_evaluated": 678,
    "evaluate_on": "test",
    "arms": {"gold": _arm(0.811, 1), "gd": _arm(0.822, 3)},
    "spread": {"std": "± is the spread."},
    "corpus_health": {
      "drawn": 400,
      "kept": 345,
      "removed": {"exact_duplicate": 55, "empty": 0},
      "mean_confidence": 0.777,
      "class_share": dict.fromkeys(LABELS, 0.5),
      "labelled_class_share": dict.fromkeys(LABELS, 0.5),
    },
    "config": {
      "students": {"left_out": "nearest", "embeddings": "teacher"},
      "teacher": {"init": "minilm"},
      "generator": {"kind": "pretrained", "init": "/home/me/secret/gpt2"},
    },
  }


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_bert):
  """A workdir up to its report, with random students."""
  workdir = epath.Path(tmp_path_factory.mktemp("run"))
  for name in ("data", "students", "report", "export"):
    (workdir / name).mkdir()
  task = {"task": "shop", "labels": LABELS}
  artefacts.write_json(workdir / "data/task.json", task)
  artefacts.write_json(workdir / "report/results.json", _results())
  teacher = tokenizers.load(tiny_bert)
  rng = np.random.default_rng(0)
  # Several pieces share an id: each who writes a tokenizer has to keep all.
  small, ids = vocabulary.prune(
    teacher,
    TEXTS[:1],
    vocab_size=300,
    table=rng.normal(size=(teacher.get_vocab_size(), 4)),
  )
  assert len(ids) < small.get_vocab_size()
  tokenizers.save(workdir / "students", small)
  module = students.ResCnn(
    len(ids), 2, embed_width=4, num_filters=4, num_blocks=1
  )
  for number, ((arm, seed), (accuracy, xent)) in enumerate(HELDOUT.items()):
    folder = workdir / "students" / arm / str(seed)
    folder.mkdir(parents=True)
    params = families.init_params(module, jax.random.key(number))
    checkpoints.save_params(folder, params)
    artefacts.write_json(folder / "model.json", families.spec_of(module))
    summary = {"heldout": {"accuracy": accuracy, "xent": xent}}
    artefacts.write_json(folder / "summary.json", summary)
  return workdir


@pytest.fixture
def workdir(trained, tmp_path):
  """A copy that a test may spoil."""
  shutil.copytree(trained, tmp_path / "run")
  return epath.Path(tmp_path / "run")


@pytest.fixture(scope="module")
def exported(trained):
  """The folder of an export; not to be spoilt."""
  assert export.run(_config(), trained, Progress(quiet=True))["students"] == 1
  return trained / "export"


def test_the_seed_that_did_best_on_heldout_rows_leaves(exported, trained):
  # Dies if: test accuracy chooses (gd/0 is best there), cross-entropy does not
  # break ties, or another arm (gold is better on held-out rows) is taken.
  about = artefacts.read_json(exported / "config.json")
  assert (about["arm"], about["seed"]) == ("gd", 2)
  tokenizer = tokenizers.load(trained / "students")
  rows = vocabulary.encode(tokenizer, TEXTS, max_tokens=12)
  chosen = trained / "students/gd/2"
  module = families.build(artefacts.read_json(chosen / "model.json"))
  params = checkpoints.load_params(chosen)
  found = predict.load(exported).predict_proba(TEXTS)
  for row, probabilities in zip(rows, found, strict=True):
    tokens = np.array([row], np.int32)
    logits = module.apply({"params": params}, tokens, np.ones_like(tokens))
    odds = np.exp(logits[0] - logits[0].max())
    np.testing.assert_allclose(probabilities, odds / odds.sum(), atol=1e-5)


def test_every_arm_and_seed_can_leave(workdir):
  config = _config(arm="gd", seed=1, formats=())
  export.run(config, workdir, Progress(quiet=True))
  about = artefacts.read_json(workdir / "export/config.json")
  assert (about["arm"], about["seed"], about["chosen"]) == ("gd", 1, False)
  assert "chosen by name" in (workdir / "export/model_card.md").read_text()


def test_without_heldout_rows_the_first_seed_leaves(workdir):
  for path in workdir.glob("students/gd/*/summary.json"):
    artefacts.write_json(path, {"heldout": {}})
  found = choice.choose(
    workdir / "students", _results()["arms"], arm=None, seed=None
  )
  assert found == workdir / "students/gd/0"


def test_students_of_an_earlier_config_do_not_leave(workdir):
  # Dies if: what merely lies there is chosen: gd/2 is best, gd comes first.
  for arms, expected in (
    ({"gd": {"num_seeds": 1}}, "gd/0"),
    ({"gold": {"num_seeds": 1}}, "gold/0"),
  ):
    found = choice.choose(workdir / "students", arms, arm=None, seed=None)
    assert found == workdir / "students" / expected


@pytest.mark.parametrize(
  ("fields", "words"),
  [
    ({"arm": "kd"}, "no student of the arm 'kd'.*one of gold, gd"),
    ({"arm": "gd", "seed": 7}, "gd has no seed 7.*one of 0, 1, 2"),
    ({"formats": ("onx",)}, "no format is named 'onx'"),
  ],
)
def test_what_is_not_there_is_refused(workdir, fields, words):
  with pytest.raises(UserError, match=words):
    export.run(_config(**fields), workdir, Progress(quiet=True))


def test_a_run_without_students_warns(workdir):
  for arm in ("gold", "gd"):
    shutil.rmtree(workdir / "students" / arm)
  progress = Progress(quiet=True)
  assert export.run(_config(), workdir, progress) == {"students": 0}
  assert "none to export" in progress.warnings[0]


def test_sums_are_those_of_sha256sum(exported):
  # Dies if: a file is left out.
  lines = (exported / "SHA256SUMS").read_text().splitlines()
  names = {line.split("  ", 1)[1] for line in lines}
  there = {path.name for path in exported.iterdir()} - {"SHA256SUMS"}
  assert names == there
  if shutil.which("sha256sum"):
    command = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    subprocess.run(command, cwd=exported, check=True)


def test_the_card_says_what_results_say_and_names_no_path(exported):
  said = (exported / "model_card.md").read_text()
  for figure in ("82.2 ± 1.2", "345", "678", "77.7%", "55 exact duplicate"):
    assert figure in said, figure
  assert "/home" not in said and "gpt2" in said
  assert "\\<b\\>pay" in said and "ship\\|it" in said


# Dies if: the card says of an arm that it learned from texts, or from a
# teacher, that it never had.
@pytest.mark.parametrize(
  ("arm", "learned"),
  [
    ("gold", "learned the labels of 20 labelled texts."),
    ("kd", "20 labelled texts, and this `res_cnn` learned what the BERT says"),
    ("rules_kd", "word rules made more texts of these, and this"),
    ("real_kd", "real texts without labels were added, and this"),
    ("gd_hard", "345 more, and this `res_cnn` learned which class the BERT"),
    ("gd", "345 more, and this `res_cnn` learned what the BERT says"),
  ],
)
def test_the_card_says_what_its_arm_learned_from(arm, learned):
  results = _results() | {"arms": {arm: _arm(0.8, 1)}}
  config = {"arm": arm, "seed": 0, "chosen": False, "gd_jax": "1"}
  config |= {"max_tokens": 12, "unk_id": 1, "model": {"family": "res_cnn"}}
  nearest = "is read as the\n  nearest that it has"
  assert nearest in card.render(results, config, heldout={}, sizes=[])
  blend = config | {"model": {"family": "blend_cnn"}}
  assert nearest not in card.render(results, blend, heldout={}, sizes=[])
  del results["config"]["students"]["left_out"]  # Of an older version.
  said = card.render(results, config, heldout={}, sizes=[])
  assert nearest not in said
  assert learned in said
  reads = arm in ("gd", "gd_hard")
  assert ("Made by generation-distillation" in said) == reads
  assert ("a language model finetuned on the same texts wrote" in said) == reads
  assert ("Generated texts repeat" in said) == reads
  assert ("This student read none of them." in said) != reads


# Dies if: a start is told that the student or the generator did not have.
@pytest.mark.parametrize(
  ("family", "embeddings", "kind", "origin"),
  [
    ("res_cnn", "teacher", "pretrained", "initial embeddings: sentence-"),
    ("res_cnn", "random", "pretrained", "- Teacher and word pieces: sentence-"),
    ("blend_cnn", "teacher", "scratch", "- Teacher and word pieces: sentence-"),
    ("res_cnn", "teacher", "scratch", "- Generator: trained from scratch."),
    ("res_cnn", "teacher", "pretrained", "- Generator: gpt2 (by its own"),
    ("res_cnn", "teacher", "mine", "- Generator: of the kind mine."),
  ],
)
def test_the_card_says_where_all_began(family, embeddings, kind, origin):
  results = _results()
  results["config"]["students"]["embeddings"] = embeddings
  results["config"]["generator"]["kind"] = kind
  config = {"arm": "gd", "seed": 0, "chosen": False, "gd_jax": "1"}
  config |= {"max_tokens": 12, "unk_id": 1, "model": {"family": family}}
  assert origin in card.render(results, config, heldout={}, sizes=[])


# Dies if: the card tells to open a file that is not there.
@pytest.mark.parametrize(
  ("there", "load", "opens"),
  [
    (["model.onnx", "model.int8.onnx"], "gd_jax.load(FOLDER)", "model.onnx"),
    (["model.int8.onnx"], "load(FOLDER, int8=True)", "model.int8.onnx"),
    (["model.stablehlo"], 'load(FOLDER, backend="jax")', None),
  ],
)
def test_the_card_uses_what_is_there(there, load, opens):
  config = {"arm": "gd", "seed": 0, "chosen": False, "gd_jax": "1"}
  config |= {"max_tokens": 12, "unk_id": 1, "model": {"family": "res_cnn"}}
  sizes = [(name, 1) for name in there]
  said = card.render(_results(), config, heldout={}, sizes=sizes)
  assert load in said
  assert (f'InferenceSession("{opens}")' in said) == (opens is not None)
  assert ("onnxruntime" in said) == (opens is not None)


def test_the_cards_own_code_answers(exported):
  # Dies if: the snippet and the files part ways.
  said = (exported / "model_card.md").read_text()
  code = said.split("```python\n")[1].split("```")[0]
  code = code.replace('"a text"', repr(TEXTS[0]))
  ending = "print(probabilities[0].tolist())"
  done = subprocess.run(
    [sys.executable, "-c", code + ending],
    cwd=exported,
    capture_output=True,
    check=True,
  )
  wanted = predict.load(exported).predict_proba(TEXTS[:1])[0]
  np.testing.assert_allclose(json.loads(done.stdout), wanted, atol=1e-6)


def test_a_demo_takes_only_the_published_runtime(workdir, tmp_path):
  # Dies if: the package's hash is not looked at.
  fake = tmp_path / "onnxruntime-web-1.30.0.tgz"
  fake.write_bytes(b"something else")
  config = _config(formats=("demo",), onnxruntime_web=str(fake))
  with pytest.raises(UserError, match="not the published"):
    export.run(config, workdir, Progress(quiet=True))


def test_no_network_says_how_to_go_on(workdir, tmp_path, monkeypatch):
  monkeypatch.setenv("GD_JAX_CACHE", str(tmp_path))
  monkeypatch.setattr(demo, "_URL", "http://localhost:9/x.tgz")
  config = _config(formats=("demo",))
  with pytest.raises(UserError, match=r"config\.export\.onnxruntime_web"):
    export.run(config, workdir, Progress(quiet=True))
