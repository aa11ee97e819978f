# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every file of every artefact, damaged in four ways, is noticed before use."""

import contextlib
import pathlib
import random

import pytest
from etils import epath

from gd_jax import artefacts, checkpoints, journal, pipeline, verifier, workdirs
from gd_jax.errors import UserError

pytestmark = pytest.mark.slow
_PHASES = ("data", "teacher", "generator", "corpus", "soft_labels", "students")
_PHASES += ("report", "export")


@contextlib.contextmanager
def _damaged(path: pathlib.Path, how: str):
  whole = path.read_bytes()
  if how == "remove":
    path.unlink()
  elif how == "flip":
    rng = random.Random(path.name)
    at = rng.randrange(len(whole))
    flipped = bytes([whole[at] ^ (1 << rng.randrange(8))])
    path.write_bytes(whole[:at] + flipped + whole[at + 1 :])
  else:
    path.write_bytes(whole[: len(whole) // 2] if how == "truncate" else b"")
  try:
    yield
  finally:
    path.write_bytes(whole)


def _faults(folder: pathlib.Path):
  """(path, how) of every damage that can be done to a folder's files."""
  for path in sorted(folder.rglob("*")):
    if path.is_file():
      # An empty file can't lose a byte, only go.
      for how in ("truncate", "empty", "flip", "remove"):
        if how == "remove" or path.stat().st_size:
          yield path, how


@pytest.fixture
def no_loading(monkeypatch):
  """Checksums of files alone: loading a checkpoint has tests of its own."""
  monkeypatch.setattr(checkpoints, "params_problems", lambda folder: [])


# Dies if: manifests have no digest of their own, `problems` passes over a file
# or a hash, or a folder that lost its manifest is taken for one not begun.
@pytest.mark.parametrize("phase", _PHASES)
def test_of_a_finished_folder(
  finished, tiny_config, progress, no_loading, phase
):
  tried, unnoticed = 0, []
  for path, how in _faults(finished / phase):
    tried += 1
    with _damaged(path, how):
      try:
        pipeline.run(tiny_config, finished, phases=[phase], progress=progress)
        said = "nothing"
      except UserError as error:
        said = str(error)
      verified = verifier.verify(finished, phases=[phase])
      for line in (said, *(verified or ["nothing"])):
        if path.name not in line or f"--redo={phase}" not in line:
          unnoticed.append((path.name, how, line))
  assert tried >= 8
  assert unnoticed == []


# Dies if: a phase trusts what it reads because its manifest is there.
@pytest.mark.parametrize(
  ("damaged", "phase"),
  [
    ("data/labelled.jsonl", "teacher"),
    ("generator/format.json", "corpus"),
    ("teacher/tokenizer.json", "soft_labels"),
    ("soft_labels/labelled.safetensors", "students"),
    ("students/gd/0/model.json", "report"),
    ("report/results.json", "export"),
  ],
)
def test_of_what_another_phase_reads(
  finished, tiny_config, progress, tmp_path, damaged, phase
):
  upstream = damaged.partition("/")[0]
  (finished / phase).rename(tmp_path / phase)
  try:
    with (
      _damaged(finished / damaged, "flip"),
      pytest.raises(UserError, match=f"{damaged}.*--redo={upstream} "),
    ):
      pipeline.run(tiny_config, finished, phases=[phase], progress=progress)
  finally:
    workdirs.clear(epath.Path(finished / phase))
    (tmp_path / phase).rename(finished / phase)


def _unfinish(folder: pathlib.Path) -> None:
  """As a kill just before the manifest leaves it."""
  recipe = artefacts.read_manifest(epath.Path(folder))
  assert recipe is not None
  journal.seed(epath.Path(folder), recipe)
  artefacts.begin(
    epath.Path(folder), config=recipe["config"], inputs=recipe["inputs"]
  )


# Dies if: files of an unfinished folder are taken as they are found, or one
# that was dropped is not made anew to the same bits.
def test_of_unfinished_folders(
  finished, tiny_config, progress, no_loading, fingerprints
):
  before = fingerprints(finished)
  tried, unnoticed = 0, []
  for phase in _PHASES:
    folder = finished / phase
    _unfinish(folder)
    for path, how in _faults(folder):
      name = path.relative_to(folder).as_posix()
      is_student = phase == "students" and name.count("/") >= 2
      if is_student and (path.name, how) == ("manifest.json", "remove"):
        continue  # then it is not done, and trained again
      # What is gone is made anew; Orbax's files have tests of their own.
      if not is_student and (how == "remove" or artefacts.has_own_proof(name)):
        continue
      tried += 1
      with _damaged(path, how):
        lines = verifier.verify(finished, phases=[phase])
        if not any(str(path) in line for line in lines):
          unnoticed.append((name, how, lines))
  assert tried >= 100
  assert unnoticed == []
  for name in ("corpus/drawn-00000.jsonl", "students/gd/0/model.json"):
    path = finished / name
    path.write_bytes(path.read_bytes()[:-2] + b"0\n")
  (finished / "soft_labels/labelled.safetensors").write_bytes(b"")
  (finished / "students/vocabulary.json").unlink()
  pipeline.run(tiny_config, finished, phases=_PHASES, progress=progress)
  warned = "\n".join(progress.warnings)
  assert "drawn-00000.jsonl is not as it was written" in warned
  after = fingerprints(finished)
  del before["report"], after["report"]  # it tells of times
  assert after == before
