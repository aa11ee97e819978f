# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import os
import time

import pytest
from etils import epath
from ml_collections import config_dict

from gd_jax import (
  artefacts,
  journal,
  pipeline,
  recipes,
  signals,
  verifier,
  workdirs,
)
from gd_jax.errors import UserError


class House:
  """Three toy phases that count how often each one ran."""

  def __init__(self):
    self.ran: list[str] = []
    self.fail = ""
    self.leaves_half = False
    self.phases = (
      pipeline.Phase("draw", self._phase("draw")),
      pipeline.Phase(
        "grow",
        self._phase("grow"),
        reads=("draw",),
        grows={"grow.n": lambda was, now: now > was},
      ),
      pipeline.Phase(
        "follow", self._phase("follow"), reads=("grow",), follows=("grow",)
      ),
      pipeline.Phase("train", self._phase("train"), reads=("grow",)),
      pipeline.Phase(
        "tell", self._phase("tell"), reads=("train",), derived=True
      ),
    )

  def _phase(self, name):
    def run(config, workdir, progress):
      self.ran.append(name)
      if self.fail == name:
        if self.leaves_half:
          artefacts.write_json(workdir / name / "half.json", [])
        raise RuntimeError("killed")
      artefacts.write_json(workdir / name / "out.json", dict(config[name]))
      return {}

    return run


@pytest.fixture
def house(monkeypatch):
  house = House()
  monkeypatch.setattr(pipeline, "PHASES", house.phases)
  monkeypatch.setattr(
    pipeline, "NAMES", tuple(phase.name for phase in house.phases)
  )
  return house


@pytest.fixture
def config():
  sections = {name: {"n": 1} for name in ("draw", "grow", "follow", "train")}
  return config_dict.ConfigDict(sections | {"tell": {"n": 1}})


ALL = ["draw", "grow", "follow", "train", "tell"]


def _run(house, config, workdir, progress, **options):
  house.ran.clear()
  pipeline.run(config, workdir, progress=progress, **options)
  return house.ran


def test_done_phases_are_skipped(house, config, tmp_path, progress):
  assert _run(house, config, tmp_path, progress) == ALL
  assert _run(house, config, tmp_path, progress) == []


def test_a_failed_phase_is_run_again_and_those_before_it_are_not(
  house, config, tmp_path, progress
):
  house.fail = "train"
  with pytest.raises(RuntimeError):
    _run(house, config, tmp_path, progress)
  house.fail = ""
  assert _run(house, config, tmp_path, progress) == ["train", "tell"]


def test_a_phase_that_was_refused_binds_nobody(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: started.json alone makes a corrected value a changed one.
  def refuse(config, workdir, progress):
    raise UserError("no such model")

  refusing = dataclasses.replace(house.phases[0], run=refuse)
  monkeypatch.setattr(pipeline, "PHASES", (refusing, *house.phases[1:]))
  with pytest.raises(UserError, match="no such model"):
    _run(house, config, tmp_path, progress)
  monkeypatch.setattr(pipeline, "PHASES", house.phases)
  config.draw.n = 2
  assert _run(house, config, tmp_path, progress) == ALL


def test_a_reuse_of_nothing_is_refused(house, config, tmp_path, progress):
  with pytest.raises(UserError, match=r"--reuse=.*no such workdir"):
    _run(house, config, tmp_path / "w", progress, reuse=[tmp_path / "no"])


def test_no_phases_are_refused(house, config, tmp_path, progress):
  with pytest.raises(UserError, match="--phases names none"):
    _run(house, config, tmp_path, progress, phases=[])


@pytest.fixture
def begun(house, config, tmp_path, progress, monkeypatch):
  """(model, workdir): made from the weights in the folder `model`."""
  model = tmp_path / "model"
  model.mkdir()
  (model / "model.safetensors").write_bytes(b"one")
  config.draw.init = str(model)
  first = dataclasses.replace(house.phases[0], model="draw.init")
  monkeypatch.setattr(pipeline, "PHASES", (first, *house.phases[1:]))
  workdir = tmp_path / "work"
  assert _run(house, config, workdir, progress) == ALL
  return model, workdir


def test_other_weights_in_the_same_folder_are_noticed(
  begun, house, config, progress
):
  # Dies if: a model is known by its path alone.
  model, workdir = begun
  assert _run(house, config, workdir, progress) == []
  (model / "model.safetensors").write_bytes(b"two")
  with pytest.raises(UserError, match=r"draw was made otherwise.*model"):
    _run(house, config, workdir, progress)


# Dies if: a model is known by its path, or is needed when all is done.
def test_a_model_that_moved_is_the_same(
  begun, house, config, tmp_path, progress
):
  model, workdir = begun
  model.rename(tmp_path / "elsewhere")
  assert _run(house, config, workdir, progress) == []
  config.draw.init = str(tmp_path / "elsewhere")
  assert _run(house, config, workdir, progress) == []
  again = {"reuse": [workdir]}
  assert _run(house, config, tmp_path / "new", progress, **again) == []


def test_what_its_model_is_gone_of_is_kept(
  begun, house, config, tmp_path, progress
):
  # Dies if: it is cleared, or is not taken over, and can't be made again.
  model, workdir = begun
  model.rename(tmp_path / "elsewhere")
  with pytest.raises(UserError, match=r"clears draw, whose model .*draw\.init"):
    _run(house, config, workdir, progress, redo=["draw"])
  assert _run(house, config, workdir, progress) == []
  again = {"reuse": [workdir]}
  assert _run(house, config, tmp_path / "new", progress, **again) == []


def test_another_model_is_another(begun, house, config, tmp_path, progress):
  # Dies if: what is not there, or has another name, passes for the model.
  _, workdir = begun
  other = tmp_path / "other"
  other.mkdir()
  (other / "model.safetensors").write_bytes(b"two")
  for name in (str(other), str(tmp_path / "nowhere"), "minilm"):
    config.draw.init = name
    with pytest.raises(UserError, match=r"draw\.init was .* and is now"):
      _run(house, config, workdir, progress)
    ran = _run(house, config, tmp_path / name[-7:], progress, reuse=[workdir])
    assert ran[0] == "draw"


def test_a_field_that_is_free_by_now_spoils_nothing(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: a workdir of an earlier version is refused for such a field.
  _run(house, config, tmp_path / "a", progress)
  free = dataclasses.replace(house.phases[0], free=frozenset({"n"}))
  monkeypatch.setattr(pipeline, "PHASES", (free, *house.phases[1:]))
  config.draw.n = 7
  assert _run(house, config, tmp_path / "a", progress) == []
  ran = _run(house, config, tmp_path / "b", progress, reuse=[tmp_path / "a"])
  assert ran == []


def test_a_changed_field_is_refused_by_name_before_any_work(
  house, config, tmp_path, progress
):
  # Dies if: the check is left to the phase's own turn.
  _run(house, config, tmp_path, progress)
  workdirs.clear(epath.Path(tmp_path) / "draw")
  config.train.n = 2
  with pytest.raises(
    UserError, match=r"train\.n was 1 and is now 2.*--redo=train.*train, tell"
  ):
    _run(house, config, tmp_path, progress)
  assert house.ran == []


def test_unfinished_work_of_another_config_is_refused(
  house, config, tmp_path, progress
):
  house.leaves_half = True
  house.fail = "draw"
  with pytest.raises(RuntimeError):
    _run(house, config, tmp_path, progress)
  config.draw.n = 2
  with pytest.raises(UserError, match=r"draw\.n was 1 and is now 2"):
    _run(house, config, tmp_path, progress)


def test_redo_clears_what_depends_on_it(house, config, tmp_path, progress):
  _run(house, config, tmp_path, progress)
  config.grow.n = 0
  assert _run(house, config, tmp_path, progress, redo=["grow"]) == ALL[1:]


# Dies if: --redo removes before all that can be refused is refused.
@pytest.mark.parametrize(
  ("changed", "options", "words"),
  [
    ("draw", {"redo": ["train"]}, r"draw\.n was 1 and is now 2"),
    (None, {"redo": ["grow"], "phases": ["tell"]}, "add train to --phases"),
    (None, {"redo": ["draw"]}, "no such model"),
  ],
)
def test_a_redo_that_is_refused_removes_nothing(
  changed, options, words, house, config, tmp_path, progress, monkeypatch
):
  def refuse(phase, config):
    raise UserError("no such model")

  _run(house, config, tmp_path, progress)
  if changed is None:
    monkeypatch.setattr(recipes, "sources_of", refuse)
  else:
    config[changed].n = 2
  with pytest.raises(UserError, match=words):
    _run(house, config, tmp_path, progress, **options)
  assert {path.name for path in tmp_path.iterdir()} >= {*ALL}
  assert house.ran == []


# Dies if: --redo deletes a user's folder that has the name of a phase.
def test_redo_keeps_what_nothing_signs(house, config, tmp_path, progress):
  (tmp_path / "draw").mkdir()
  (tmp_path / "draw" / "train.tsv").write_text("mine")
  with pytest.raises(UserError, match="--redo=draw"):
    _run(house, config, tmp_path, progress)
  assert _run(house, config, tmp_path, progress, redo=["draw"]) == ALL
  kept = [path.read_text() for path in tmp_path.glob("draw.aside-*/train.tsv")]
  assert kept == ["mine"]


# Dies if: what a user laid beside an artefact's files goes with them.
@pytest.mark.parametrize("redo", [True, False])
def test_a_file_that_was_not_made_here_is_kept(
  house, config, tmp_path, progress, redo
):
  _run(house, config, tmp_path, progress)
  (tmp_path / "tell" / "notes.txt").write_text("mine")
  if not redo:  # made anew without asking
    config.tell.n = 2
  _run(house, config, tmp_path, progress, redo=["tell"] if redo else [])
  assert house.ran == ["tell"]
  assert not (tmp_path / "tell" / "notes.txt").exists()
  kept = [path.read_text() for path in tmp_path.glob("tell.aside-*/notes.txt")]
  assert kept == ["mine"]
  assert "notes.txt" in progress.warnings[-1]


# Dies if: only finished folders' files are known, or only cleared ones' kept.
@pytest.mark.parametrize("redo", [True, False])
@pytest.mark.parametrize("finished", [True, False])
def test_a_file_that_was_not_made_here_survives_growth_and_resume(
  house, config, tmp_path, progress, redo, finished
):
  if not finished:
    house.fail, house.leaves_half = "grow", True
    with pytest.raises(RuntimeError, match="killed"):
      _run(house, config, tmp_path, progress)
    house.fail = ""
  else:
    _run(house, config, tmp_path, progress, phases=["draw", "grow"])
    config.grow.n = 2
  (tmp_path / "grow" / "sub").mkdir()
  (tmp_path / "grow" / "sub" / "notes.txt").write_text("mine")
  _run(house, config, tmp_path, progress, redo=["grow"] if redo else [])
  kept = [p.read_text() for p in tmp_path.glob("grow.aside-*/sub/notes.txt")]
  assert kept == ["mine"]
  assert len(list(tmp_path.glob("grow.aside-*"))) == 1
  assert not list(tmp_path.glob("grow.aside-*/half.json"))
  assert any("notes.txt" in line for line in progress.warnings)


def test_what_is_no_folder_is_told(house, config, tmp_path, progress):
  (tmp_path / "draw").symlink_to("/nowhere/at/all")
  with pytest.raises(UserError, match="draw is a link that leads nowhere"):
    _run(house, config, tmp_path, progress)
  (tmp_path / "draw").unlink()
  (tmp_path / "draw").touch()
  (tmp_path / "grow").mkdir()
  assert "draw is a file where a folder" in verifier.verify(tmp_path)[0]


# Dies if: a phase that another process is writing is called damaged.
def test_verify_passes_over_what_is_being_written(
  house, config, tmp_path, progress, capsys
):
  house.fail, house.leaves_half = "train", True
  with pytest.raises(RuntimeError, match="killed"):
    _run(house, config, tmp_path, progress)
  (tmp_path / "train" / "half.json").write_text("half")
  assert workdirs.holder(epath.Path(tmp_path)) is None
  assert "is not as it was written" in verifier.verify(tmp_path)[0]
  (tmp_path / "grow" / "out.json").write_text("{}")
  with workdirs.lock(epath.Path(tmp_path)):
    found = verifier.verify(tmp_path)
  assert len(found) == 1 and "grow" in found[0]
  # It is about to be made anew, and what was made from it as well.
  (tmp_path / "grow" / "manifest.json").unlink()
  with workdirs.lock(epath.Path(tmp_path)):
    assert not [line for line in verifier.verify(tmp_path) if "follow" in line]
  said = capsys.readouterr().err
  assert f"process {os.getpid()} is at work in {tmp_path}" in said


@pytest.mark.parametrize(
  "text", ['{"format": 1}', '{"format": 1, "files": []}']
)
def test_a_manifest_without_its_fields_is_damaged(
  house, config, tmp_path, progress, text
):
  _run(house, config, tmp_path, progress)
  (tmp_path / "grow" / "manifest.json").write_text(text)
  with pytest.raises(UserError, match=r"manifest\.json is damaged \(it lacks"):
    _run(house, config, tmp_path, progress)


# Dies if: a phase is made from what another config made.
def test_a_phase_that_is_only_read_is_of_this_config(
  house, config, tmp_path, progress
):
  _run(house, config, tmp_path, progress)
  config.draw.n = 2
  with pytest.raises(UserError, match=r"draw\.n was 1 and is now 2"):
    _run(house, config, tmp_path, progress, phases=["tell"])
  assert house.ran == []


def test_growing_extends_and_refuses_to_leave_a_phase_behind(
  house, config, tmp_path, progress
):
  _run(house, config, tmp_path, progress)
  config.grow.n = 5
  with pytest.raises(UserError, match="grow is about to grow under it"):
    _run(house, config, tmp_path, progress)
  assert house.ran == []
  ran = _run(house, config, tmp_path, progress, redo=["train"])
  assert ran == ALL[1:]
  config.grow.n = 4
  with pytest.raises(UserError, match=r"grow\.n was 5 and is now 4"):
    _run(house, config, tmp_path, progress)


def test_a_derived_phase_is_made_anew_without_asking(
  house, config, tmp_path, progress
):
  _run(house, config, tmp_path, progress)
  config.tell.n = 2
  assert _run(house, config, tmp_path, progress) == ["tell"]


# Dies if: what an unfinished phase left of another config is finished as this
# one's, or is thrown away where the config is the same.
@pytest.mark.parametrize(("n", "left"), [(2, False), (1, True)])
def test_an_unfinished_derived_phase_of_another_config_leaves_nothing(
  n, left, house, config, tmp_path, progress
):
  house.fail, house.leaves_half = "tell", True
  with pytest.raises(RuntimeError):
    _run(house, config, tmp_path, progress)
  house.fail, config.tell.n = "", n
  assert _run(house, config, tmp_path, progress) == ["tell"]
  assert (tmp_path / "tell" / "half.json").exists() == left


def test_a_lost_artefact_that_comes_back_equal_spoils_nothing(
  house, config, tmp_path, progress
):
  _run(house, config, tmp_path, progress)
  workdirs.clear(epath.Path(tmp_path) / "draw")
  assert _run(house, config, tmp_path, progress) == ["draw"]


def test_damage_is_noticed_before_use(house, config, tmp_path, progress):
  _run(house, config, tmp_path, progress)
  (tmp_path / "grow" / "out.json").write_text("{}")
  with pytest.raises(UserError, match=r"out\.json.*--redo=grow"):
    _run(house, config, tmp_path, progress)
  assert verifier.verify(tmp_path)


def test_verify_finds_nothing_wrong_with_a_whole_workdir(
  house, config, tmp_path, progress
):
  _run(house, config, tmp_path, progress)
  assert verifier.verify(tmp_path) == []


def test_a_missing_input_names_the_phase_to_run(
  house, config, tmp_path, progress
):
  with pytest.raises(UserError, match=r"grow needs draw.*--phases=draw,grow"):
    _run(house, config, tmp_path, progress, phases=["grow"])
  with pytest.raises(UserError, match="no phase is named 'gorw'"):
    _run(house, config, tmp_path, progress, phases=["gorw"])


def test_reuse_takes_over_what_matches(house, config, tmp_path, progress):
  # Dies if: take_over ignores the config.
  _run(house, config, tmp_path / "a", progress)
  config.train.n = 2
  ran = _run(house, config, tmp_path / "b", progress, reuse=[tmp_path / "a"])
  assert ran == ["train", "tell"]


# Dies if: the advice is a --redo that mends another workdir than the damaged.
def test_a_damaged_workdir_is_not_reused(house, config, tmp_path, progress):
  _run(house, config, tmp_path / "a", progress)
  (tmp_path / "a" / "grow" / "out.json").write_text("{}")
  with pytest.raises(UserError, match="grow can't be taken over from") as said:
    _run(house, config, tmp_path / "b", progress, reuse=[str(tmp_path / "a")])
  assert f"from {tmp_path / 'a'}, where it has to be mended" in str(said.value)


def test_a_moved_workdir_stays_valid(house, config, tmp_path, progress):
  _run(house, config, tmp_path / "a", progress)
  (tmp_path / "a").rename(tmp_path / "b")
  assert _run(house, config, tmp_path / "b", progress) == []


# Dies if: a folder without a manifest is cleared without a word.
def test_a_lost_manifest_costs_no_work(house, config, tmp_path, progress):
  _run(house, config, tmp_path, progress)
  (tmp_path / "grow" / "manifest.json").unlink()
  with pytest.raises(
    UserError, match=r"manifest\.json is missing.*--redo=grow"
  ):
    _run(house, config, tmp_path, progress)
  assert (tmp_path / "grow" / "out.json").exists()
  assert any("--redo=grow" in line for line in verifier.verify(tmp_path))


# Dies if: an input is trusted for its manifest alone.
def test_what_a_phase_reads_is_checked_first(house, config, tmp_path, progress):
  _run(house, config, tmp_path, progress, phases=["draw"])
  (tmp_path / "draw" / "out.json").write_text("{}")
  with pytest.raises(UserError, match=r"out\.json.*--redo=draw"):
    _run(house, config, tmp_path, progress, phases=["grow"])
  assert house.ran == []


def test_a_workdir_of_an_older_format_gets_one_line(
  house, config, tmp_path, progress, monkeypatch
):
  with monkeypatch.context() as older:
    older.setattr(artefacts, "FORMAT_VERSION", 0)
    _run(house, config, tmp_path, progress)
  house.ran.clear()
  with pytest.raises(UserError, match=r"format version 0.*another --workdir"):
    pipeline.run(config, tmp_path, progress=progress)
  assert house.ran == []


# Dies if: a time of day decides anything.
def test_a_clock_that_jumps_changes_nothing(
  house, config, tmp_path, progress, monkeypatch
):
  _run(house, config, tmp_path, progress, phases=["draw", "grow"])
  for path in tmp_path.rglob("*.json"):
    os.utime(path, (0, 0))
  monkeypatch.setattr(time, "time", lambda: 1.0)
  ran = _run(house, config, tmp_path, progress)
  assert ran == ["follow", "train", "tell"]
  assert verifier.verify(tmp_path) == []


def test_a_signal_is_heard_between_phases(house, config, tmp_path, progress):
  signals.ask_to_stop()
  with pytest.raises(signals.Stopped):
    _run(house, config, tmp_path, progress)
  assert house.ran == []


def test_seconds_of_a_killed_run_count(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: the manifest tells the last run's seconds alone.
  now = [0.0]
  monkeypatch.setattr(journal.time, "monotonic", lambda: now[0])
  run = house.phases[0].run

  def slow(config, workdir, progress):
    now[0] += 40.0
    return run(config, workdir, progress)

  slow_phase = dataclasses.replace(house.phases[0], run=slow)
  monkeypatch.setattr(pipeline, "PHASES", (slow_phase,))
  house.leaves_half = True
  house.fail = "draw"
  with pytest.raises(RuntimeError):
    _run(house, config, tmp_path, progress, phases=["draw"])
  with journal.keep(epath.Path(tmp_path) / "draw"):
    now[0] += 40.0
    journal.tick()
  house.fail = ""
  _run(house, config, tmp_path, progress, phases=["draw"])
  manifest = artefacts.read_manifest(epath.Path(tmp_path) / "draw")
  assert manifest is not None and manifest["seconds"] == 120.0


def test_a_config_without_a_field_is_told(house, config, tmp_path, progress):
  # Dies if: a config of somebody's own ends in a KeyError.
  del config["grow"]
  with pytest.raises(UserError, match="the config has no field grow"):
    pipeline.run(config, tmp_path, progress=progress)
