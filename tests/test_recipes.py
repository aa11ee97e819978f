# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What of a config and its inputs may change under what is made."""

import dataclasses

import pytest
from etils import epath

from gd_jax import (
  pipeline,
  workdirs,
)
from gd_jax.errors import UserError
from tests import toy_phases
from tests.toy_phases import ALL


@pytest.fixture
def config():
  return toy_phases.make_config()


@pytest.fixture
def model(house, config, tmp_path, monkeypatch):
  """A folder of weights that the first phase begins with."""
  model = tmp_path / "model"
  model.mkdir()
  (model / "model.safetensors").write_bytes(b"one")
  config.draw.init = str(model)
  first = dataclasses.replace(house.phases[0], model="draw.init")
  monkeypatch.setattr(pipeline, "PHASES", (first, *house.phases[1:]))
  return model


@pytest.fixture
def begun(model, house, config, tmp_path, progress):
  """(model, workdir): made from the weights in the folder `model`."""
  workdir = tmp_path / "work"
  assert house.go(config, workdir, progress) == ALL
  return model, workdir


def test_other_weights_in_the_same_folder_are_noticed(
  begun, house, config, progress
):
  # Dies if: a model is known by its path alone.
  model, workdir = begun
  assert house.go(config, workdir, progress) == []
  (model / "model.safetensors").write_bytes(b"two")
  with pytest.raises(UserError, match=r"draw was made otherwise.*model"):
    house.go(config, workdir, progress)


# Dies if: a model is known by its path, or is needed when all is done.
def test_a_model_that_moved_is_the_same(
  begun, house, config, tmp_path, progress
):
  model, workdir = begun
  model.rename(tmp_path / "elsewhere")
  assert house.go(config, workdir, progress) == []
  config.draw.init = str(tmp_path / "elsewhere")
  assert house.go(config, workdir, progress) == []
  again = {"reuse": [workdir]}
  assert house.go(config, tmp_path / "new", progress, **again) == []


def test_an_unfinished_phase_whose_model_is_gone_asks_for_it(
  model, house, config, tmp_path, progress
):
  # Dies if: two digests are all that is told of a folder that is not mounted.
  house.leaves_half, house.fail = True, "draw"
  with pytest.raises(RuntimeError):
    house.go(config, tmp_path / "work", progress)
  model.rename(tmp_path / "elsewhere")
  with pytest.raises(UserError, match=rf"{model} is none now: put it back"):
    house.go(config, tmp_path / "work", progress)


def test_other_general_text_is_told_by_its_files(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: files that are named now are told as a change of a learning rate.
  (tmp_path / "news.txt").write_text("some text\n")
  config.train.pretrain_on = ()
  config.train.pretrain = {"rate": 1.0}
  reading = dataclasses.replace(
    house.phases[3],
    run=lambda *args: {},
    free=frozenset({"pretrain_on"}),
    texts="train.pretrain_on",
    reading="train.pretrain",
  )
  phases = (*house.phases[:3], reading, house.phases[4])
  monkeypatch.setattr(pipeline, "PHASES", phases)
  house.go(config, tmp_path / "work", progress)
  config.train.pretrain_on = (f"{tmp_path}/news.txt",)
  with pytest.raises(UserError, match=r"than config\.train\.pretrain_on names"):
    house.go(config, tmp_path / "work", progress)


def test_a_changed_field_within_a_section_is_told_alone(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: the whole section is told, of which one field changed.
  config.train.deep = {"a": 1, "b": 2}
  train = dataclasses.replace(house.phases[3], run=lambda *args: {})
  phases = (*house.phases[:3], train, house.phases[4])
  monkeypatch.setattr(pipeline, "PHASES", phases)
  house.go(config, tmp_path, progress)
  config.train.deep.b = 3
  with pytest.raises(UserError, match=r"train\.deep\.b was 2 and is now 3\."):
    house.go(config, tmp_path, progress)


def test_what_its_model_is_gone_of_is_kept(
  begun, house, config, tmp_path, progress
):
  # Dies if: it is cleared, or is not taken over, and can't be made again.
  model, workdir = begun
  model.rename(tmp_path / "elsewhere")
  with pytest.raises(UserError, match=r"clears draw, whose model .*draw\.init"):
    house.go(config, workdir, progress, redo=["draw"])
  assert house.go(config, workdir, progress) == []
  again = {"reuse": [workdir]}
  assert house.go(config, tmp_path / "new", progress, **again) == []


def test_another_model_is_another(begun, house, config, tmp_path, progress):
  # Dies if: what is not there, or has another name, passes for the model.
  _, workdir = begun
  other = tmp_path / "other"
  other.mkdir()
  (other / "model.safetensors").write_bytes(b"two")
  for name in (str(other), str(tmp_path / "nowhere"), "minilm"):
    config.draw.init = name
    with pytest.raises(UserError, match=r"draw\.init was .* and is now"):
      house.go(config, workdir, progress)
    ran = house.go(config, tmp_path / name[-7:], progress, reuse=[workdir])
    assert ran[0] == "draw"


def test_a_field_that_is_free_by_now_spoils_nothing(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: a workdir of an earlier version is refused for such a field.
  house.go(config, tmp_path / "a", progress)
  free = dataclasses.replace(house.phases[0], free=frozenset({"n"}))
  monkeypatch.setattr(pipeline, "PHASES", (free, *house.phases[1:]))
  config.draw.n = 7
  assert house.go(config, tmp_path / "a", progress) == []
  ran = house.go(config, tmp_path / "b", progress, reuse=[tmp_path / "a"])
  assert ran == []


def test_a_changed_field_is_refused_by_name_before_any_work(
  house, config, tmp_path, progress
):
  # Dies if: the check is left to the phase's own turn.
  house.go(config, tmp_path, progress)
  workdirs.clear(epath.Path(tmp_path) / "draw")
  config.train.n = 2
  with pytest.raises(
    UserError, match=r"train\.n was 1 and is now 2.*--redo=train.*train, tell"
  ):
    house.go(config, tmp_path, progress)
  assert house.ran == []


def test_unfinished_work_of_another_config_is_refused(
  house, config, tmp_path, progress
):
  house.leaves_half = True
  house.fail = "draw"
  with pytest.raises(RuntimeError):
    house.go(config, tmp_path, progress)
  config.draw.n = 2
  with pytest.raises(UserError, match=r"draw\.n was 1 and is now 2"):
    house.go(config, tmp_path, progress)


# Dies if: a phase is made from what another config made.
def test_a_phase_that_is_only_read_is_of_this_config(
  house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  config.draw.n = 2
  with pytest.raises(UserError, match=r"draw\.n was 1 and is now 2"):
    house.go(config, tmp_path, progress, phases=["tell"])
  assert house.ran == []


def test_growing_extends_and_refuses_to_leave_a_phase_behind(
  house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  config.grow.n = 5
  with pytest.raises(UserError, match="grow is about to grow under it"):
    house.go(config, tmp_path, progress)
  assert house.ran == []
  ran = house.go(config, tmp_path, progress, redo=["train"])
  assert ran == ALL[1:]
  config.grow.n = 4
  with pytest.raises(UserError, match=r"grow\.n was 5 and is now 4"):
    house.go(config, tmp_path, progress)


def test_a_derived_phase_is_made_anew_without_asking(
  house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  config.tell.n = 2
  assert house.go(config, tmp_path, progress) == ["tell"]


# Dies if: what an unfinished phase left of another config is finished as this
# one's, or is thrown away where the config is the same.
@pytest.mark.parametrize(("n", "left"), [(2, False), (1, True)])
def test_an_unfinished_derived_phase_of_another_config_leaves_nothing(
  n, left, house, config, tmp_path, progress
):
  house.fail, house.leaves_half = "tell", True
  with pytest.raises(RuntimeError):
    house.go(config, tmp_path, progress)
  house.fail, config.tell.n = "", n
  assert house.go(config, tmp_path, progress) == ["tell"]
  assert (tmp_path / "tell" / "half.json").exists() == left


def test_a_lost_artefact_that_comes_back_equal_spoils_nothing(
  house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  workdirs.clear(epath.Path(tmp_path) / "draw")
  assert house.go(config, tmp_path, progress) == ["draw"]


def test_reuse_takes_over_what_matches(house, config, tmp_path, progress):
  # Dies if: take_over ignores the config.
  house.go(config, tmp_path / "a", progress)
  config.train.n = 2
  ran = house.go(config, tmp_path / "b", progress, reuse=[tmp_path / "a"])
  assert ran == ["train", "tell"]


# Dies if: the advice is a --redo that mends another workdir than the damaged.
def test_a_damaged_workdir_is_not_reused(house, config, tmp_path, progress):
  house.go(config, tmp_path / "a", progress)
  (tmp_path / "a" / "grow" / "out.json").write_text("{}")
  with pytest.raises(UserError, match="grow can't be taken over from") as said:
    house.go(config, tmp_path / "b", progress, reuse=[str(tmp_path / "a")])
  assert f"from {tmp_path / 'a'}, where it has to be mended" in str(said.value)


def test_a_moved_workdir_stays_valid(house, config, tmp_path, progress):
  house.go(config, tmp_path / "a", progress)
  (tmp_path / "a").rename(tmp_path / "b")
  assert house.go(config, tmp_path / "b", progress) == []


def test_a_config_without_a_field_is_told(house, config, tmp_path, progress):
  # Dies if: a config of somebody's own ends in a KeyError.
  del config["grow"]
  with pytest.raises(UserError, match="the config has no field grow"):
    pipeline.run(config, tmp_path, progress=progress)


# Dies if: a slip, such as a phase's folder, costs everything anew unsaid.
def test_what_is_no_workdir_is_not_reused(house, config, tmp_path, progress):
  house.go(config, tmp_path / "a", progress)
  with pytest.raises(UserError, match=r"a/draw is no workdir"):
    house.go(config, tmp_path / "b", progress, reuse=[tmp_path / "a" / "draw"])
