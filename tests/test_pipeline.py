# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import os
import time

import pytest
from etils import epath

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
from tests import toy_phases
from tests.toy_phases import ALL


@pytest.fixture
def config():
  return toy_phases.make_config()


def test_done_phases_are_skipped(house, config, tmp_path, progress):
  assert house.go(config, tmp_path, progress) == ALL
  assert house.go(config, tmp_path, progress) == []


# Dies if: states to resume from go before the manifest is written, so that a
# kill between the two costs all steps, or stay after it.
def test_states_to_resume_from_go_when_all_is_proven(
  house, config, tmp_path, progress, monkeypatch
):
  def train(config, workdir, progress):
    house.phases[0].run(config, workdir, progress)
    for name in ("resume/7/state", "1/resume/7/state"):
      path = workdir / "draw" / name
      path.parent.mkdir(parents=True, exist_ok=True)
      artefacts.write_json(path, [])
    return {}

  training = dataclasses.replace(house.phases[0], run=train)
  monkeypatch.setattr(pipeline, "PHASES", (training, *house.phases[1:]))
  state = tmp_path / "draw/resume/7/state"
  with monkeypatch.context() as patch, pytest.raises(RuntimeError):
    patch.setattr(artefacts, "finish", _killed)
    house.go(config, tmp_path, progress)
  assert state.exists()
  assert house.go(config, tmp_path, progress) == ALL
  manifest = artefacts.read_manifest(epath.Path(tmp_path) / "draw")
  assert manifest is not None and [*manifest["files"]] == ["out.json"]
  assert not list(tmp_path.glob("draw/**/resume"))
  state.parent.mkdir(parents=True)
  state.write_text("[]")  # A kill came before it was cleared.
  assert house.go(config, tmp_path, progress) == []
  assert not list(tmp_path.glob("draw/**/resume"))


def _killed(folder, **what):
  raise RuntimeError("killed")


# Dies if: the rows go to the small disk that the link was made to spare.
def test_an_empty_folder_on_another_disk_is_filled(
  house, config, tmp_path, progress
):
  disk, workdir = tmp_path / "disk", tmp_path / "work"
  disk.mkdir()
  workdir.mkdir()
  (workdir / "draw").symlink_to(disk)
  assert house.go(config, workdir, progress) == ALL
  assert (disk / "out.json").exists() and (workdir / "draw").is_symlink()
  assert house.go(config, workdir, progress) == []


def test_a_failed_phase_is_run_again_and_those_before_it_are_not(
  house, config, tmp_path, progress
):
  house.fail = "train"
  with pytest.raises(RuntimeError):
    house.go(config, tmp_path, progress)
  house.fail = ""
  assert house.go(config, tmp_path, progress) == ["train", "tell"]


def test_a_phase_that_was_refused_binds_nobody(
  house, config, tmp_path, progress, monkeypatch
):
  # Dies if: started.json alone makes a corrected value a changed one.
  def refuse(config, workdir, progress):
    raise UserError("no such model")

  refusing = dataclasses.replace(house.phases[0], run=refuse)
  monkeypatch.setattr(pipeline, "PHASES", (refusing, *house.phases[1:]))
  with pytest.raises(UserError, match="no such model"):
    house.go(config, tmp_path, progress)
  monkeypatch.setattr(pipeline, "PHASES", house.phases)
  config.draw.n = 2
  assert house.go(config, tmp_path, progress) == ALL


def test_a_reuse_of_nothing_is_refused(house, config, tmp_path, progress):
  with pytest.raises(UserError, match=r"--reuse=.*no such workdir"):
    house.go(config, tmp_path / "w", progress, reuse=[tmp_path / "no"])


def test_no_phases_are_refused(house, config, tmp_path, progress):
  with pytest.raises(UserError, match="--phases names none"):
    house.go(config, tmp_path, progress, phases=[])


def test_redo_clears_what_depends_on_it(house, config, tmp_path, progress):
  house.go(config, tmp_path, progress)
  config.grow.n = 0
  assert house.go(config, tmp_path, progress, redo=["grow"]) == ALL[1:]


# Dies if: --redo removes before all that can be refused is refused.
@pytest.mark.parametrize(
  ("changed", "options", "words"),
  [
    ("draw", {"redo": ["train"]}, r"draw\.n was 1 and is now 2"),
    (None, {"redo": ["grow"], "phases": ["tell"]}, "add train to --phases"),
    (None, {"redo": ["draw"]}, "no such model"),
    (None, {"redo": ["train"], "phases": ["draw"]}, "not among --phases"),
  ],
)
def test_a_redo_that_is_refused_removes_nothing(
  changed, options, words, house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  house.lacks = "model"
  if changed is not None:
    config[changed].n = 2
  with pytest.raises(UserError, match=words):
    house.go(config, tmp_path, progress, **options)
  assert {path.name for path in tmp_path.iterdir()} >= {*ALL}
  assert house.ran == []


# Dies if: a redo goes without looking for files of general text that are read
# anew, or wants a model for what is not there to be redone.
def test_a_redo_looks_for_what_it_reads(
  house, config, tmp_path, progress, monkeypatch
):
  house.lacks = "model"
  assert house.go(config, tmp_path, progress, redo=["draw"]) == ALL
  house.lacks = ""
  monkeypatch.setattr(recipes, "texts_of", lambda phase, config: ("/no.txt",))
  with pytest.raises(UserError, match=r"no\.txt"):
    house.go(config, tmp_path, progress, redo=["draw"])
  assert house.ran == [] and (tmp_path / "draw/manifest.json").exists()


# Dies if: what a later phase lacks is said hours after the first began, or is
# asked for where another workdir may have that phase.
def test_what_later_phases_lack_is_said_first(
  house, config, tmp_path, progress
):
  house.lacks_later = "words"
  with pytest.raises(UserError, match="no such words"):
    house.go(config, tmp_path / "a", progress)
  assert house.ran == []
  first = ["draw", "grow", "follow"]
  assert house.go(config, tmp_path / "a", progress, phases=first) == first
  house.lacks_later = ""
  house.go(config, tmp_path / "b", progress)
  house.lacks_later = "words"
  reuse = {"reuse": [tmp_path / "b"]}
  assert house.go(config, tmp_path / "c", progress, **reuse) == []


# Dies if: what is made anew without asking goes before it is seen that it can't
# be made.
def test_a_report_stays_where_a_new_one_is_refused(
  house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  house.lacks_later = "runtime"
  config["tell"].n = 2
  with pytest.raises(UserError, match="no such runtime"):
    house.go(config, tmp_path, progress)
  assert artefacts.read_json(tmp_path / "tell/out.json") == {"n": 1}


# Dies if: --redo deletes a user's folder that has the name of a phase.
def test_redo_keeps_what_nothing_signs(house, config, tmp_path, progress):
  (tmp_path / "draw").mkdir()
  (tmp_path / "draw" / "train.tsv").write_text("mine")
  with pytest.raises(UserError, match="--redo=draw"):
    house.go(config, tmp_path, progress)
  assert house.go(config, tmp_path, progress, redo=["draw"]) == ALL
  kept = [path.read_text() for path in tmp_path.glob("draw.aside-*/train.tsv")]
  assert kept == ["mine"]


# Dies if: what a user laid beside an artefact's files goes with them.
@pytest.mark.parametrize("redo", [True, False])
def test_a_file_that_was_not_made_here_is_kept(
  house, config, tmp_path, progress, redo
):
  house.go(config, tmp_path, progress)
  (tmp_path / "tell" / "notes.txt").write_text("mine")
  if not redo:  # made anew without asking
    config.tell.n = 2
  house.go(config, tmp_path, progress, redo=["tell"] if redo else [])
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
      house.go(config, tmp_path, progress)
    house.fail = ""
  else:
    house.go(config, tmp_path, progress, phases=["draw", "grow"])
    config.grow.n = 2
  (tmp_path / "grow" / "sub").mkdir()
  (tmp_path / "grow" / "sub" / "notes.txt").write_text("mine")
  house.go(config, tmp_path, progress, redo=["grow"] if redo else [])
  kept = [p.read_text() for p in tmp_path.glob("grow.aside-*/sub/notes.txt")]
  assert kept == ["mine"]
  assert len(list(tmp_path.glob("grow.aside-*"))) == 1
  assert not list(tmp_path.glob("grow.aside-*/half.json"))
  assert any("notes.txt" in line for line in progress.warnings)


def test_what_is_no_folder_is_told(house, config, tmp_path, progress):
  (tmp_path / "draw").symlink_to("/nowhere/at/all")
  with pytest.raises(UserError, match="draw is a link that leads nowhere"):
    house.go(config, tmp_path, progress)
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
    house.go(config, tmp_path, progress)
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
  house.go(config, tmp_path, progress)
  (tmp_path / "grow" / "manifest.json").write_text(text)
  with pytest.raises(UserError, match=r"manifest\.json is damaged \(it lacks"):
    house.go(config, tmp_path, progress)


def test_damage_is_noticed_before_use(house, config, tmp_path, progress):
  house.go(config, tmp_path, progress)
  (tmp_path / "grow" / "out.json").write_text("{}")
  with pytest.raises(UserError, match=r"out\.json.*--redo=grow"):
    house.go(config, tmp_path, progress)
  assert verifier.verify(tmp_path)


def test_verify_finds_nothing_wrong_with_a_whole_workdir(
  house, config, tmp_path, progress
):
  house.go(config, tmp_path, progress)
  assert verifier.verify(tmp_path) == []


def test_a_missing_input_names_the_phase_to_run(
  house, config, tmp_path, progress
):
  with pytest.raises(UserError, match=r"grow needs draw.*--phases=draw,grow"):
    house.go(config, tmp_path, progress, phases=["grow"])
  with pytest.raises(UserError, match="no phase is named 'gorw'"):
    house.go(config, tmp_path, progress, phases=["gorw"])


# Dies if: a folder without a manifest is cleared without a word.
def test_a_lost_manifest_costs_no_work(house, config, tmp_path, progress):
  house.go(config, tmp_path, progress)
  (tmp_path / "grow" / "manifest.json").unlink()
  with pytest.raises(
    UserError, match=r"manifest\.json is missing.*--redo=grow"
  ):
    house.go(config, tmp_path, progress)
  assert (tmp_path / "grow" / "out.json").exists()
  assert any("--redo=grow" in line for line in verifier.verify(tmp_path))


# Dies if: an input is trusted for its manifest alone.
def test_what_a_phase_reads_is_checked_first(house, config, tmp_path, progress):
  house.go(config, tmp_path, progress, phases=["draw"])
  (tmp_path / "draw" / "out.json").write_text("{}")
  with pytest.raises(UserError, match=r"out\.json.*--redo=draw"):
    house.go(config, tmp_path, progress, phases=["grow"])
  assert house.ran == []


def test_a_workdir_of_an_older_format_gets_one_line(
  house, config, tmp_path, progress, monkeypatch
):
  with monkeypatch.context() as older:
    older.setattr(artefacts, "FORMAT_VERSION", 0)
    house.go(config, tmp_path, progress)
  house.ran.clear()
  with pytest.raises(UserError, match=r"format version 0.*another --workdir"):
    pipeline.run(config, tmp_path, progress=progress)
  assert house.ran == []


# Dies if: a time of day decides anything.
def test_a_clock_that_jumps_changes_nothing(
  house, config, tmp_path, progress, monkeypatch
):
  house.go(config, tmp_path, progress, phases=["draw", "grow"])
  for path in tmp_path.rglob("*.json"):
    os.utime(path, (0, 0))
  monkeypatch.setattr(time, "time", lambda: 1.0)
  ran = house.go(config, tmp_path, progress)
  assert ran == ["follow", "train", "tell"]
  assert verifier.verify(tmp_path) == []


def test_a_signal_is_heard_between_phases(house, config, tmp_path, progress):
  signals.ask_to_stop()
  with pytest.raises(signals.Stopped):
    house.go(config, tmp_path, progress)
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
    house.go(config, tmp_path, progress, phases=["draw"])
  with journal.keep(epath.Path(tmp_path) / "draw"):
    now[0] += 40.0
    journal.tick()
  house.fail = ""
  house.go(config, tmp_path, progress, phases=["draw"])
  manifest = artefacts.read_manifest(epath.Path(tmp_path) / "draw")
  assert manifest is not None and manifest["seconds"] == 120.0
