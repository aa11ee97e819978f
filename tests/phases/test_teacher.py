# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json
import shutil

import jax
import numpy as np
import pytest
from etils import epath

from gd_jax import artefacts, checkpoints, signals
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.phases import teacher
from gd_jax.training import fit, memory

_FILES = {
  "params",
  "params.json",
  "model.json",
  "tokenizer.json",
  "summary.json",
  "metrics.jsonl",
  "tensorboard",
}
_SAME = ("params.json", "model.json", "tokenizer.json", "summary.json")


def test_writes_what_the_next_phases_read(drawn, config, progress):
  counts = teacher.run(config, drawn, progress)
  folder = drawn / "teacher"
  assert {path.name for path in folder.iterdir()} == _FILES
  summary = artefacts.read_json(folder / "summary.json")
  assert len(summary["restarts"]) == 2
  scores = [
    (row["scores"]["accuracy"], -row["scores"]["xent"])
    for row in summary["restarts"]
  ]
  assert summary["chosen"]["restart"] == int(scores[1] > scores[0])
  assert summary["heldout"]["accuracy"] == max(scores)[0]
  assert counts["train_rows"] == 30 and counts["heldout_rows"] == 6
  module = families.build(artefacts.read_json(folder / "model.json"))
  params = checkpoints.load_params(folder)
  tokens = np.ones((1, 4), np.int32)
  assert module.apply({"params": params}, tokens, tokens).shape == (1, 2)


def test_learns_what_one_word_tells(drawn, config, progress):
  # Dies if: labels and texts are paired wrongly, or nothing is trained.
  with config.unlocked():
    config.teacher.update(min_steps=60, restarts=1, evals=3)
  counts = teacher.run(config, drawn, progress)
  assert counts["heldout_accuracy"] == 1.0
  assert not progress.warnings


def _fingerprint(folder):
  return {name: (folder / name).read_text() for name in _SAME}


@pytest.mark.parametrize("stop", [3, 8, 13])
def test_goes_on_bit_for_bit_after_a_stop(
  drawn, config, progress, stop_after, stop
):
  # Dies if: the restart, the data's position, the optimizer's state or the
  # best so far is not restored.
  teacher.run(config, drawn, progress)
  expected = _fingerprint(drawn / "teacher")
  lines = (drawn / "teacher/metrics.jsonl").read_text().splitlines()
  artefacts_folder = drawn / "teacher"
  artefacts_folder.rmtree()
  artefacts_folder.mkdir()

  stop_after(stop)
  with pytest.raises(signals.Stopped):
    teacher.run(config, drawn, progress)
  assert not (drawn / "teacher/summary.json").exists()
  teacher.run(config, drawn, progress)
  assert _fingerprint(drawn / "teacher") == expected
  # Until its manifest is written: a kill before would cost all steps.
  assert (drawn / "teacher/resume").exists()
  resumed = (drawn / "teacher/metrics.jsonl").read_text().splitlines()
  steps = [json.loads(line)["step"] for line in lines]
  assert [json.loads(line)["step"] for line in resumed] == steps


def test_another_seed_is_another_teacher(drawn, config, progress):
  # Dies if: config.seed is not read.
  digests = []
  for seed in (0, 1):
    with config.unlocked():
      config.seed = seed
      config.teacher.update(restarts=1, min_steps=2)
    teacher.run(config, drawn, progress)
    params = artefacts.read_json(drawn / "teacher/params.json")
    digests.append(params["digest"])
  assert digests[0] != digests[1]


def test_warns_near_chance(drawn, config, progress):
  # Dies if: the warning is dropped or the threshold is the majority share.
  with config.unlocked():
    config.teacher.update(learning_rate=0.0, restarts=1, min_steps=2)
  teacher.run(config, drawn, progress)
  (line,) = progress.warnings
  assert "near chance" in line


@pytest.mark.parametrize(
  ("share", "rows", "threshold"),
  [(0.5, 40, 0.658), (0.5, 10_000, 0.55), (0.2, 116, 0.28)],
)
def test_near_chance(share, rows, threshold):
  assert teacher.near_chance(share, rows) == pytest.approx(threshold, abs=0.02)


def test_no_heldout_rows(drawn, config, progress):
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  for row in rows:
    row["split"] = "train"
  artefacts.write_jsonl(drawn / "data/labelled.jsonl", rows)
  with config.unlocked():
    config.teacher.update(restarts=1, min_steps=2)
  counts = teacher.run(config, drawn, progress)
  assert counts["heldout_rows"] == 36
  assert "no row is held out" in progress.warnings[0]


def test_ties_in_accuracy_go_to_the_smaller_loss():
  better = {"accuracy": 0.5, "xent": 0.9}
  assert teacher.rank(better) > teacher.rank({"accuracy": 0.5, "xent": 1.0})
  assert teacher.rank(better) > teacher.rank({"accuracy": 0.4, "xent": 0.1})


def test_texts_longer_than_the_model_are_refused(drawn, config, progress):
  with config.unlocked():
    config.data.max_tokens = 65
  with pytest.raises(UserError, match=r"max_tokens=65.*only 64 positions"):
    teacher.run(config, drawn, progress)


def test_the_pretrained_params_are_not_used_up(drawn, config, progress):
  # Dies if: the first restart's step is given the loaded params themselves.
  with config.unlocked():
    config.teacher.update(min_steps=2, evals=1)
  teacher.run(config, drawn, progress)
  params = checkpoints.load_params(drawn / "teacher")
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


# Dies if: a restart's state is still held while the next one's is made.
def test_a_device_holds_one_state_at_a_time(
  drawn, config, progress, monkeypatch
):
  ended, fit_one, make = [], fit.fit, memory.fresh_state

  def fit_and_note(*args, **options):
    run = fit_one(*args, **options)
    ended.append(jax.tree.leaves(run.state))
    return run

  def make_alone(*args):
    assert all(leaf.is_deleted() for state in ended for leaf in state)
    return make(*args)

  monkeypatch.setattr(fit, "fit", fit_and_note)
  monkeypatch.setattr(memory, "fresh_state", make_alone)
  with config.unlocked():
    config.teacher.update(restarts=2, min_steps=2, evals=1)
  teacher.run(config, drawn, progress)
  assert len(ended) == 2


# Dies if: another restart than the better one stays, or the parameters are
# those of the restart before.
def test_the_best_restarts_are_kept(drawn, config, progress):
  with config.unlocked():
    config.teacher.update(keep=1, min_steps=4, evals=1)
  teacher.run(config, drawn, progress)
  folder = drawn / "teacher"
  summary = artefacts.read_json(folder / "summary.json")
  scores = [teacher.rank(row["scores"]) for row in summary["restarts"]]
  (kept,) = (folder / "restarts").iterdir()
  assert int(kept.name) == scores.index(max(scores))
  chosen = artefacts.read_json(folder / "params.json")["digest"]
  last = artefacts.read_json(kept / "params.json")["digest"]
  assert (chosen == last) == (summary["chosen"]["step"] == 4)


# Dies if: the mean of those that are kept is of fewer, since a damaged file of
# one was dropped.
@pytest.mark.parametrize("file", ["params.json", "scores.json"])
def test_a_lost_restart_is_made_anew(
  drawn, config, progress, monkeypatch, tmp_path, file
):
  with config.unlocked():
    config.teacher.update(keep=2, min_steps=2, evals=1)
  whole = epath.Path(shutil.copytree(drawn, tmp_path / "whole"))
  teacher.run(config, whole, progress)
  calls, fit_one = [], fit.fit

  def fit_and_stop(*args, **options):
    calls.append(args)
    if len(calls) == 2:
      signals.ask_to_stop()
    return fit_one(*args, **options)

  monkeypatch.setattr(fit, "fit", fit_and_stop)
  monkeypatch.setattr(signals, "_received", [])
  with pytest.raises(signals.Stopped):
    teacher.run(config, drawn, progress)
  signals._received.clear()
  (drawn / "teacher/restarts/0" / file).unlink()
  teacher.run(config, drawn, progress)
  assert len(calls) == 4
  for name in ("summary.json", "restarts/0/params.json"):
    found = [artefacts.read_json(w / "teacher" / name) for w in (whole, drawn)]
    assert found[0] == found[1]


# Dies if: a restart is kept for how good it once was.
def test_restarts_are_judged_by_the_parameters_that_are_kept(tmp_path):
  folder = epath.Path(tmp_path)
  for restart, accuracy in enumerate((0.5, 0.75)):
    scores = {"accuracy": accuracy, "xent": 1.0}
    each = folder / "restarts" / str(restart)
    each.mkdir(parents=True)
    artefacts.write_json(each / "scores.json", scores)
  for _ in range(2):  # A kill came before the manifest was written.
    teacher._keep_best(folder, restarts=2, number=1)
  assert [each.name for each in (folder / "restarts").iterdir()] == ["1"]


@pytest.mark.parametrize("keep", [0, 3])
def test_more_than_the_restarts_can_not_be_kept(keep, drawn, config, progress):
  with config.unlocked():
    config.teacher.update(keep=keep)
  with pytest.raises(UserError, match=f"keep is {keep}: of 2 restarts"):
    teacher.run(config, drawn, progress)
