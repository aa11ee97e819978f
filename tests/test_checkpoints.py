# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gd_jax import artefacts, checkpoints
from gd_jax.errors import UserError


def _params():
  return {
    "layer": {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.ones(3)},
    "scale": jnp.ones((2,), jnp.bfloat16),
  }


def test_params_round_trip_with_their_dtypes(tmp_path):
  checkpoints.save_params(tmp_path, _params())
  loaded = checkpoints.load_params(tmp_path)
  assert jax.tree.structure(loaded) == jax.tree.structure(_params())
  for got, want in zip(
    jax.tree.leaves(loaded), jax.tree.leaves(_params()), strict=True
  ):
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(
      np.asarray(got, np.float32), np.asarray(want, np.float32)
    )


def test_saving_again_replaces(tmp_path):
  checkpoints.save_params(tmp_path, _params())
  checkpoints.save_params(tmp_path, {"w": jnp.zeros(2)})
  assert list(checkpoints.load_params(tmp_path)) == ["w"]


def test_digest_sees_names_shapes_dtypes_and_values():
  # Dies if: any of the four is left out of the digest.
  base = checkpoints.digest_params({"a": np.zeros(4, np.float32)})
  others = [
    {"b": np.zeros(4, np.float32)},
    {"a": np.zeros((2, 2), np.float32)},
    {"a": np.zeros(4, np.int32)},
    {"a": np.array([0, 0, 0, 1], np.float32)},
  ]
  assert base not in [checkpoints.digest_params(other) for other in others]


def test_no_damage_is_loaded_in_silence(tmp_path):
  # Dies if: the digest is not compared after restoring.
  checkpoints.save_params(tmp_path, _params())
  files = [path for path in (tmp_path / "params").rglob("*") if path.is_file()]
  assert files
  for path in files:
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", _flipped(whole), None):
      if damaged is None:
        path.unlink()
      else:
        path.write_bytes(damaged)
      try:
        loaded = checkpoints.load_params(tmp_path)
      except UserError as error:
        assert "params" in str(error) and "--redo=" in str(error)
      else:
        assert checkpoints.digest_params(loaded) == checkpoints.digest_params(
          _params()
        ), path
      path.write_bytes(whole)


def _flipped(data: bytes) -> bytes:
  middle = len(data) // 2
  return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def test_params_whose_note_was_swapped_are_refused(tmp_path):
  checkpoints.save_params(tmp_path, _params())
  note = artefacts.read_json(tmp_path / "params.json")
  note["digest"] = "0" * 64
  artefacts.write_json(tmp_path / "params.json", note)
  with pytest.raises(UserError, match="its digest differs"):
    checkpoints.load_params(tmp_path)


def test_resume_gives_back_the_last_state(tmp_path):
  params = {"w": jnp.ones((3, 2))}
  tx = optax.adamw(1e-3)
  state = {"params": params, "opt_state": tx.init(params), "step": jnp.int32(1)}
  resume = checkpoints.Resume(tmp_path)
  assert resume.latest(state) is None
  for step in (1, 2):
    state = state | {"step": jnp.int32(step)}
    resume.save(step, state, {"epoch": step}, force=True)
  resume.close()
  resume = checkpoints.Resume(tmp_path)
  latest = resume.latest(jax.eval_shape(lambda: state))
  assert latest is not None
  step, restored, info = latest
  assert (step, info, int(restored["step"])) == (2, {"epoch": 2}, 2)
  assert jax.tree.structure(restored) == jax.tree.structure(state)
  resume.clear()
  assert checkpoints.Resume(tmp_path).latest(state) is None


def test_what_a_loop_records_on_is_not_saved_with_the_state_before(
  tmp_path, monkeypatch
):
  # Dies if: the record is written after the loop has changed it, so that the
  # digest is another's and the state is refused.
  saved = []

  class Late:
    def save(self, step, *, args, force):
      saved.append(args)

    def wait_until_finished(self):
      pass

  resume = checkpoints.Resume(tmp_path)
  monkeypatch.setattr(resume, "_open", Late)
  records = [{"steps": 1}]
  resume.save(1, {"w": jnp.ones(2)}, {"records": records}, force=True)
  records[0]["steps"] = 2
  (args,) = saved
  assert args["info"].item["info"] == {"records": [{"steps": 1}]}


def test_resume_saves_at_most_once_in_its_time(tmp_path):
  resume = checkpoints.Resume(tmp_path, every_seconds=3600)
  resume.save(1, {"w": jnp.ones(2)}, {})
  resume.close()
  assert not (tmp_path / "resume").exists()


def test_threads_may_save_at_the_same_time(tmp_path):
  # Dies if: saves of several threads are not kept apart.
  def work(thread):
    folder = tmp_path / str(thread)
    for step in range(1, 6):
      resume = checkpoints.Resume(folder)
      state = {"w": jnp.full((64, 64), float(thread))}
      resume.save(step, state, {"thread": thread}, force=True)
      resume.save(step + 100, state, {"thread": thread}, force=True)
      resume.close()
    found = checkpoints.Resume(folder).latest({"w": jnp.zeros((64, 64))})
    assert found is not None
    return found[0], float(found[1]["w"][0, 0]), found[2]["thread"]

  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    got = list(pool.map(work, range(4)))
  assert got == [(105, float(thread), thread) for thread in range(4)]


def _saved(folder):
  """An unfinished loop of which step 7 is on disk; returns its state."""
  state = {"w": jnp.arange(4096.0).reshape(64, 64), "step": jnp.int32(7)}
  resume = checkpoints.Resume(folder)
  resume.save(7, state, {"best": {"step": 5, "score": 0.25}}, force=True)
  resume.close()
  return state


# Dies if: the digest leaves out the info or the step, or is not compared.
def test_no_damage_of_a_state_is_gone_on_with(tmp_path):
  state = _saved(tmp_path)
  whole = {
    path: path.read_bytes()
    for path in (tmp_path / "resume").rglob("*")
    if path.is_file()
  }
  assert len(whole) > 3
  assert list(checkpoints.resume_problems(tmp_path)) == []
  seen = 0
  for path, data in whole.items():
    for damaged in (data[: len(data) // 2], b"", _flipped(data), None):
      path.unlink()
      if damaged is not None:
        path.write_bytes(damaged)
      try:
        found = checkpoints.Resume(tmp_path).latest(state)
      except UserError as error:
        assert str(tmp_path / "resume") in str(error)
        assert "delete it" in str(error)
        seen += 1
      else:
        # None: it is begun anew. Else the damage was to what nobody reads.
        if found is not None:
          assert found[0] == 7 and found[2]["best"]["score"] == 0.25
          np.testing.assert_array_equal(found[1]["w"], state["w"])
      for old, content in whole.items():
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_bytes(content)
  assert seen >= 4


def test_a_changed_note_is_refused(tmp_path):
  # Dies if: the digest is of the arrays alone.
  state = _saved(tmp_path)
  notes = [
    path
    for path in (tmp_path / "resume").rglob("*")
    if path.is_file() and b"0.25" in path.read_bytes()
  ]
  assert notes
  for path in notes:
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.75"))
  with pytest.raises(UserError, match="its digest differs"):
    checkpoints.Resume(tmp_path).latest(state)
  assert len(list(checkpoints.resume_problems(tmp_path))) == 1


def test_the_seconds_between_saves_can_be_set(tmp_path, monkeypatch):
  monkeypatch.setenv(checkpoints.SAVE_SECONDS, "1e-9")
  resume = checkpoints.Resume(tmp_path, every_seconds=3600)
  resume.save(1, {"w": jnp.ones(2)}, {})
  resume.close()
  assert checkpoints.Resume(tmp_path).latest({"w": jnp.ones(2)}) is not None
