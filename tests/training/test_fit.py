# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from etils import epath

from gd_jax import checkpoints, devices, signals
from gd_jax.errors import UserError
from gd_jax.training import fit, metrics, step

_STEPS = 6


def _loss_fn(params, batch, rng):
  # Noise, so that a resumed run is equal only if its randomness is.
  noise = 0.1 * jax.random.normal(rng, params["w"].shape)
  loss = jnp.mean(jnp.square(params["w"] + noise - batch["tokens"]))
  return loss, {"xent": (loss, jnp.ones(()))}


class _Loop:
  """A fit of one vector to numbers that depend on the step."""

  def __init__(self, folder, progress, **options):
    self.tx = optax.adam(0.1)
    self.folder = epath.Path(folder)
    self.progress = progress
    self.evaluated = []
    self.options = {
      "total_steps": _STEPS,
      "eval_every_steps": 2,
      "patience": None,
      "evaluate": self.evaluate,
      "batch_at": lambda at: {"tokens": np.full(3, at % 4, np.float32)},
    } | options

  def evaluate(self, params):
    self.evaluated.append(np.asarray(params["w"]))
    return {"accuracy": float(-np.abs(params["w"] - 0.3).sum())}

  def fresh(self, round_=0):
    params = {"w": jnp.full(3, 1.0 + round_)}
    params = jax.device_put(params, devices.everywhere(devices.mesh()))
    return step.init_state(params, self.tx)

  def start(self):
    resume = checkpoints.Resume(self.folder)
    return resume, fit.load_run(resume, fit.first_run(self.fresh()))

  def go(self, resume, run):
    mesh = devices.mesh()
    writer = metrics.MetricsWriter(self.folder)
    with self.progress.bar("test", _STEPS) as bar:
      run = fit.fit(
        run,
        name="teacher",
        train_step=fit.compile_step(
          step.make_train_step(_loss_fn, self.tx), mesh
        ),
        rng=jax.random.key(run.record["round"]),
        mesh=mesh,
        rank=lambda scores: (scores["accuracy"],),
        resume=resume,
        writer=writer,
        bar=bar,
        **self.options,
      )
    writer.close()
    return run

  def rounds(self, count):
    resume, run = self.start()
    while True:
      run = self.go(resume, run)
      if run.record["round"] + 1 == count:
        resume.close()
        return fit.finished(run)
      run = fit.next_round(run, self.fresh(run.record["round"] + 1))


def _stop_after(monkeypatch, calls):
  left = [calls]

  def requested():
    left[0] -= 1
    return left[0] <= 0

  monkeypatch.setattr(signals, "requested", requested)


def _equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("stop", [1, 4, 6, 9])
def test_a_stopped_run_goes_on_bit_for_bit(
  tmp_path, progress, monkeypatch, stop
):
  # Dies if: the step's number, the optimizer's state, the round or the best
  # so far is not restored.
  whole = _Loop(tmp_path / "whole", progress)
  whole.folder.mkdir()
  expected = whole.rounds(2)

  parts = _Loop(tmp_path / "parts", progress)
  parts.folder.mkdir()
  with monkeypatch.context() as patch:
    _stop_after(patch, stop)
    with pytest.raises(signals.Stopped):
      parts.rounds(2)
  assert (parts.folder / "resume").exists()
  got = parts.rounds(2)
  _equal(got.state, expected.state)
  _equal(got.best_params, expected.best_params)
  assert got.record == expected.record
  # It went on; it did not begin again.
  assert len(parts.evaluated) == len(whole.evaluated)


def test_the_best_parameters_survive_later_steps(tmp_path, progress):
  # Dies if: best_params shares the donated state's arrays, or is the last.
  loop = _Loop(tmp_path, progress)
  run = loop.go(*loop.start())
  scores = [-np.abs(w - 0.3).sum() for w in loop.evaluated]
  best = int(np.argmax(scores))
  assert best < len(scores) - 1
  np.testing.assert_array_equal(run.best_params["w"], loop.evaluated[best])
  assert run.record["best"]["step"] == 2 * (best + 1)


def test_the_best_of_all_rounds_is_kept(tmp_path, progress):
  # Dies if: next_round forgets the earlier rounds' best.
  loop = _Loop(tmp_path, progress)
  run = loop.rounds(2)
  scores = [entry["scores"]["accuracy"] for entry in run.record["rounds"]]
  assert len(scores) == 2
  assert run.record["best"] == run.record["rounds"][int(np.argmax(scores))]


def test_patience_ends_a_run_early(tmp_path, progress):
  worse = iter(range(100))
  loop = _Loop(
    tmp_path,
    progress,
    eval_every_steps=1,
    patience=2,
    evaluate=lambda params: {"accuracy": -float(next(worse))},
  )
  run = loop.go(*loop.start())
  assert int(run.state.step) == 3
  assert run.record["best"]["step"] == 1


def test_the_last_step_is_always_evaluated(tmp_path, progress):
  loop = _Loop(tmp_path, progress, eval_every_steps=4)
  loop.go(*loop.start())
  assert len(loop.evaluated) == 2


def test_nan_fails_loudly(tmp_path, progress):
  # Dies if: the loss is not looked at every step.
  def batch_at(at):
    return {"tokens": np.full(3, np.nan if at == 2 else 0.0, np.float32)}

  loop = _Loop(tmp_path, progress, batch_at=batch_at, eval_every_steps=100)
  with pytest.raises(UserError, match=r"diverged.*learning_rate"):
    loop.go(*loop.start())


def test_training_means_are_over_the_steps_since_the_last_line(
  tmp_path, progress
):
  loop = _Loop(tmp_path, progress)
  loop.go(*loop.start())
  lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  assert [row["step"] for row in rows] == [2, 4, 6]
  assert set(rows[0]) == {
    "step",
    "teacher/train/xent",
    "teacher/train/loss",
    "teacher/train/grad_norm",
    "teacher/heldout/accuracy",
  }
