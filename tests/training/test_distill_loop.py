# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import copy
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from gd_jax import checkpoints, rngs, signals
from gd_jax.data import batches
from gd_jax.data.mixture import Mixture
from gd_jax.models import students
from gd_jax.training import arms, distill, distill_loop

LABELLED, GENERATED, C = 24, 60, 3
# Class c is told by the words 3 c + 1 .. 3 c + 3; the others say nothing.
WORDS = 30
SETTINGS = distill.Settings(
  total_steps=20,
  warmup_fraction=0.1,
  weight_decay=0.01,
  loss="kl",
  eval_every_steps=5,
  patience=None,
)


def make_rows(n, seed, *, longest=14):
  rng = np.random.default_rng(seed)
  label = rng.integers(0, C, n)
  rows = []
  for c in label:
    noise = rng.integers(3 * C + 1, WORDS, rng.integers(1, longest))
    rows.append([*noise, 3 * c + 1 + rng.integers(3)])
  return rows, label.astype(np.int32)


@pytest.fixture(scope="module")
def store():
  return make_store()


def make_store(**lengths):
  rows, label = make_rows(LABELLED + GENERATED, 0, **lengths)
  logits = 4 * np.eye(C, dtype=np.float32)[label]
  logits += np.random.default_rng(1).normal(size=logits.shape)
  return batches.from_rows(
    rows,
    label=label,
    teacher_logits=logits.astype(np.float32),
    labelled=np.arange(len(rows)) < LABELLED,
  )


@pytest.fixture(scope="module")
def heldout():
  return make_heldout()


def make_heldout():
  rows, label = make_rows(16, 2)
  return batches.from_rows(rows, label=label)


def make_student(arm, seed=0, *, rate=3e-3, temperature=2.0, texts=GENERATED):
  return distill_loop.Student(
    mixture=Mixture(
      num_labelled=LABELLED,
      num_generated=texts if arms.ARMS[arm].texts else 0,
      batch_size=8,
      labelled_fraction=0.25,
      seed=seed,
    ),
    knobs=arms.ARMS[arm].knobs(
      learning_rate=rate,
      temperature=temperature,
      labelled_weight=1.0,
      hard_weight=0.5,
    ),
    rng=rngs.stream(0, "student", seed),
  )


GROUP = [
  make_student("gold", rate=1e-3),
  make_student("gd", 1, temperature=1.0, texts=10),
  make_student("gd_hard", 2, rate=1e-2),
]


@functools.cache
def compiled(alone):
  module = students.ResCnn(
    vocab_size=WORDS,
    num_classes=C,
    embed_width=8,
    num_filters=8,
    num_blocks=1,
    dropout=0.2,
    conv="lax" if alone else "im2col",
  )
  return distill.Program(module, SETTINGS, embeddings=None, alone=alone)


def make_program(*, alone, **changes):
  """Of one compilation, whatever says when to evaluate and to stop."""
  program = copy.copy(compiled(alone))
  program.settings = dataclasses.replace(SETTINGS, **changes)
  return program


def fit(
  group,
  store,
  heldout,
  folder,
  *,
  stopping=lambda: False,
  every_seconds=1e9,
  **changes,
):
  program = make_program(alone=len(group) == 1, **changes)
  return distill_loop.fit(
    program,
    group,
    store,
    heldout,
    resume=checkpoints.Resume(folder, every_seconds=every_seconds),
    stopping=stopping,
  )


def assert_equal(one, other):
  assert one.record == other.record
  assert one.history == other.history
  jax.tree.map(np.testing.assert_array_equal, one.params, other.params)


# Dies if: students in one program see each other's rows, knobs or noise, or
# are padded so that it shows.
def test_each_of_many_is_as_it_would_be_alone(store, heldout, tmp_path):
  together = fit(GROUP, store, heldout, tmp_path / "together")
  for i, student in enumerate(GROUP):
    (alone,) = fit([student], store, heldout, tmp_path / str(i))
    assert [row["step"] for row in alone.history] == [5, 10, 15, 20]
    for ours, theirs in zip(together[i].history, alone.history, strict=True):
      assert ours.keys() == theirs.keys()
      for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4)
    assert together[i].record["best"]["step"] == alone.record["best"]["step"]
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-4),
      together[i].params,
      alone.params,
    )


# Trains GROUP together and prints on how many devices and what came out.
_ON_DEVICES = """
import json, pathlib, sys
from gd_jax.training import distill_loop
from tests.training import test_distill_loop as here
where, _ = distill_loop._placements(len(here.GROUP), None)
outcomes = here.fit(
  here.GROUP, here.make_store(), here.make_heldout(), pathlib.Path(sys.argv[1]))
print(json.dumps(
  [len(where.device_set), [outcome.history for outcome in outcomes]]))
"""


# Dies if: students that are spread over devices get another's rows or noise.
def test_students_on_several_devices_are_as_they_would_be_alone(
  store, heldout, tmp_path
):
  printed = subprocess.run(
    [sys.executable, "-c", _ON_DEVICES, str(tmp_path / "together")],
    cwd=pathlib.Path(__file__).parents[2],
    env={
      **os.environ,
      "JAX_PLATFORMS": "cpu",
      "XLA_FLAGS": f"--xla_force_host_platform_device_count={len(GROUP)}",
    },
    capture_output=True,
    check=True,
    text=True,
  ).stdout
  num_devices, together = json.loads(printed.splitlines()[-1])
  assert num_devices == len(GROUP)
  for i, student in enumerate(GROUP):
    (alone,) = fit([student], store, heldout, tmp_path / str(i))
    for ours, theirs in zip(together[i], alone.history, strict=True):
      assert ours == pytest.approx(theirs, rel=0, abs=1e-4)


# Dies if: a student's dropout depends on how long its neighbours' rows are.
def test_neighbours_of_longer_rows_change_nothing(heldout, tmp_path):
  store = make_store(longest=40)
  store["tokens"][:LABELLED, 6:] = 0
  store["mask"][:LABELLED, 6:] = 0
  kd = make_student("kd")
  together = fit([kd, make_student("gd", 1)], store, heldout, tmp_path / "both")
  (alone,) = fit([kd], store, heldout, tmp_path / "alone")
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-4),
    together[0].params,
    alone.params,
  )


# Dies if: anything but rows and targets depends on the arm.
def test_without_generated_texts_gd_is_kd_to_the_bit(store, heldout, tmp_path):
  (kd,) = fit([make_student("kd")], store, heldout, tmp_path / "kd")
  for arm in ("gd", "gd_hard"):
    student = make_student(arm, texts=0)
    (gd,) = fit([student], store, heldout, tmp_path / arm)
    assert_equal(gd, kd)


# Dies if: students of a program share what is each one's own.
def test_arms_and_seeds_differ(store, heldout, tmp_path):
  # As many as above: one compilation serves both.
  for names in (("gold", "kd", "gd"), ("gd_hard", "gd", "gd")):
    group = [make_student(name, i // 2) for i, name in enumerate(names)]
    outcomes = fit(group, store, heldout, tmp_path / names[0])
    tables = [outcome.params["embed"]["embedding"] for outcome in outcomes]
    for i, table in enumerate(tables):
      for other in tables[:i]:
        assert not np.array_equal(table, other)


def stop_after(steps):
  left = iter([False] * (steps - 1) + [True])
  return lambda: next(left)


# Dies if: optimizer, position, best or history are not taken up again.
@pytest.mark.parametrize("names", [("gd",), ("gold", "kd", "gd")])
def test_interrupted_training_goes_on_to_the_same_bits(
  names, store, heldout, tmp_path
):
  group = [make_student(name) for name in names]
  whole = fit(group, store, heldout, tmp_path / "whole")
  for stop in (12, 4):
    with pytest.raises(signals.Stopped):
      fit(
        group,
        store,
        heldout,
        tmp_path / "cut",
        stopping=stop_after(stop),
        every_seconds=0.0,
      )
  steps = []
  program = make_program(alone=len(group) == 1)
  resumed = distill_loop.fit(
    program,
    group,
    store,
    heldout,
    resume=checkpoints.Resume(tmp_path / "cut"),
    advance=steps.append,
  )
  # Stopped in step 12 after a save at 10, and 4 steps later at none.
  assert steps[0] == 10 * len(group)
  assert sum(steps) == 20 * len(group)
  for one, other in zip(resumed, whole, strict=True):
    assert_equal(one, other)


# Dies if: what follows after the last better evaluation counts, or a finished
# student is touched because its neighbour trains on.
def test_patience_ends_a_student_and_not_its_neighbour(
  store, heldout, tmp_path
):
  group = [
    make_student("gold", 1, rate=0.3),
    make_student("gd", rate=3e-3),
    make_student("kd"),
  ]
  changes = {"patience": 2, "eval_every_steps": 2}
  rash, other, _ = fit(group, store, heldout, tmp_path / "both", **changes)
  assert rash.record["steps"] == rash.record["best"]["step"] + 4 < 20
  assert rash.history[-1]["step"] == rash.record["steps"]
  assert other.record["steps"] != rash.record["steps"]
  for i, outcome in enumerate((rash, other)):
    student = group[i : i + 1]
    (alone,) = fit(student, store, heldout, tmp_path / str(i), **changes)
    assert alone.record["steps"] == outcome.record["steps"]


# Dies if: an early evaluation is chosen or costs patience, or is left out of
# the history.
def test_no_early_evaluation_is_chosen(store, heldout, tmp_path):
  group, changes = [make_student("gold", 1, rate=0.3)], {"eval_every_steps": 2}
  (free,) = fit(group, store, heldout, tmp_path / "free", **changes)
  changes |= {"select_from": 0.6, "patience": 8}
  (bound,) = fit(group, store, heldout, tmp_path / "bound", **changes)
  assert free.record["best"]["step"] < 12 <= bound.record["best"]["step"]
  assert bound.history == free.history
  late = [row["students/heldout/accuracy"] for row in bound.history[5:]]
  assert bound.record["best"]["scores"]["accuracy"] == max(late)
  changes |= {"select_from": 1.0, "patience": 1}
  (last,) = fit(group, store, heldout, tmp_path / "last", **changes)
  assert last.record["best"]["step"] == last.record["steps"] == 20


# Dies if: a NaN is trained on, or spreads to the neighbour.
def test_a_diverged_student_is_told_from_its_neighbour(
  store, heldout, tmp_path
):
  group = [make_student("gd", rate=1e30)] + [make_student("gd")] * 2
  lost, fine, same = fit(group, store, heldout, tmp_path)
  assert lost.record["diverged"]
  assert not fine.record["diverged"]
  assert np.isfinite(fine.params["classifier"]["kernel"]).all()
  assert len(fine.history) == 4
  assert_equal(fine, same)


# Dies if: the parameters kept are not those of the best evaluation.
def test_the_best_parameters_are_kept(store, heldout, tmp_path):
  student = make_student("gd", rate=2e-2)
  (outcome,) = fit([student], store, heldout, tmp_path, eval_every_steps=2)
  program = make_program(alone=True)
  params = jax.tree.map(lambda x: x[None], outcome.params)
  chunk = heldout | {"valid": np.ones(len(heldout["label"]), np.float32)}
  scores = jax.device_get(program.score(params, chunk))
  best = outcome.record["best"]["scores"]
  correct, count = scores["accuracy"]
  np.testing.assert_allclose(correct[0] / count[0], best["accuracy"])
  seen = [row["students/heldout/accuracy"] for row in outcome.history]
  assert best["accuracy"] == max(seen)
  assert max(seen) > seen[-1] or len(set(seen)) > 1


def test_without_heldout_rows_the_last_parameters_count(store, tmp_path):
  nothing = batches.from_rows([], label=np.zeros(0, np.int32))
  (outcome,) = fit([make_student("kd")], store, nothing, tmp_path)
  assert outcome.record["best"] == {"step": 20, "scores": {}}
  assert "students/heldout/accuracy" not in outcome.history[0]


def test_metrics_have_the_names_that_the_report_reads(store, heldout, tmp_path):
  (gd,) = fit([make_student("gd")], store, heldout, tmp_path / "gd")
  (kd,) = fit([make_student("kd")], store, heldout, tmp_path / "kd")
  names = {"loss", "grad_norm", "xent", "accuracy", "kl", "labelled_kl"}
  train = {f"students/train/{name}" for name in names}
  scores = {f"students/heldout/{name}" for name in ("accuracy", "xent")}
  assert set(kd.history[0]) == {"step"} | train | scores
  assert set(gd.history[0]) - set(kd.history[0]) == {
    *("students/train/generated_kl", "students/train/generated_xent"),
  }
