# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np
import pytest

from gd_jax import artefacts, checkpoints, signals, workdirs
from gd_jax.errors import UserError
from gd_jax.phases import students
from gd_jax.training import (
  side_by_side,
  student_setting,
  student_training,
)


# Dies if: finished students are trained again, or a new arm needs all anew.
def test_a_new_arm_and_a_new_seed_train_alone(
  workdir, progress, make_config, digests, stamps
):
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
def test_threads_change_nothing(
  finished, workdir, progress, monkeypatch, make_config, digests
):
  monkeypatch.setattr(student_training.devices, "num_cores", lambda: 1)
  students.run(make_config(arms=("gold", "kd", "gd")), workdir, progress)
  together = digests(finished[0])
  for name, digest in digests(workdir).items():
    assert digest == together[name]


# Dies if: an interrupted run loses what it did, or ends elsewhere.
def test_an_interrupted_run_goes_on(
  finished, workdir, progress, monkeypatch, make_config, digests
):
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


# Dies if: the student that a killed run left over, of a group of one, is gone
# on with by another program than the one that began it beside a group of two.
def test_what_is_left_is_trained_by_the_program_of_all(
  workdir, progress, monkeypatch, make_config
):
  devices = [*student_training.devices.local_devices()] * 2
  monkeypatch.setattr(
    student_training.devices, "local_devices", lambda: devices
  )
  program, asked = student_setting.Setting.program, []

  def noted(setting, *, alone):
    asked.append(alone)
    return program(setting, alone=alone)

  monkeypatch.setattr(student_setting.Setting, "program", noted)
  config = make_config(arms=("gold", "kd", "gd"), mode="vmap")
  students.run(config, workdir, progress)
  sizes = [
    len(g) for g in artefacts.read_json(workdir / "students/groups.json")
  ]
  assert sizes == [2, 1]
  workdirs.clear(workdir / "students/kd")
  students.run(config, workdir, progress)
  assert asked == [False, False]


# Dies if: the search takes the last rate, or looks at other rows.
def test_the_best_learning_rate_on_heldout_rows_is_kept(
  workdir, progress, make_config
):
  config = make_config(
    arms=("gd",), learning_rates=(1e-12, 3e-2), total_steps=120
  )
  students.run(config, workdir, progress)
  summary = artefacts.read_json(workdir / "students/gd/0/summary.json")
  tried = {t["learning_rate"]: t["best"]["scores"] for t in summary["tried"]}
  assert list(tried) == [1e-12, 3e-2]
  assert tried[3e-2]["accuracy"] > tried[1e-12]["accuracy"]
  assert summary["learning_rate"] == 3e-2
  assert summary["heldout"] == tried[3e-2]


def test_all_in_one_program(workdir, progress, finished, make_config):
  config = make_config(arms=("gold", "gd"), mode="vmap", num_seeds=2)
  students.run(config, workdir, progress)
  for arm in ("gold", "gd"):
    ours = checkpoints.load_params(workdir / "students" / arm / "0")
    theirs = checkpoints.load_params(finished[0] / "students" / arm / "0")
    np.testing.assert_allclose(
      ours["classifier"]["kernel"], theirs["classifier"]["kernel"], atol=1e-4
    )


def test_divergence_is_said(workdir, progress, make_config):
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
    ({"left_out": "unk"}, "left_out: 'unk' is none of nearest"),
    ({"learning_rates": ()}, "learning_rates is empty"),
    ({"labelled_fraction": 0.0}, "labelled_fraction is a share"),
    ({"total_steps": 0}, "total_steps is 0"),
  ],
)
def test_bad_fields_are_said(changes, message, workdir, progress, make_config):
  with pytest.raises(UserError, match=message):
    students.run(make_config(**changes), workdir, progress)


# Dies if: a field is not passed on to what reads it.
@pytest.mark.parametrize(
  ("changes", "rows"),
  [({"mix": 0.4}, 28), ({"min_confidence": 0.97}, 0), ({"balance": 1.0}, None)],
)
def test_options_reach_the_students(
  changes, rows, finished, workdir, progress, make_config, digests
):
  counts = students.run(make_config(arms=("gd",), **changes), workdir, progress)
  if rows is None:
    assert 14 <= counts["generated_rows"] < 28
  else:
    assert counts["generated_rows"] == rows
  assert digests(workdir)["gd/0"] != digests(finished[0])["gd/0"]
