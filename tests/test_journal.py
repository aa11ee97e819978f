# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest
from etils import epath

from gd_jax import artefacts, journal, workdirs


@pytest.fixture
def folder(tmp_path):
  """An unfinished folder with two files that its journal knows."""
  folder = epath.Path(tmp_path) / "corpus"
  artefacts.begin(folder, config={}, inputs={})
  with journal.keep(folder):
    artefacts.write_atomic(folder / "a.txt", "one")
    artefacts.write_atomic(folder / "a.txt", "two")
    (folder / "b").mkdir()
    artefacts.write_atomic(folder / "b" / "c.txt", "three")
  return folder


def _names(folder):
  return [name for name, _ in artefacts.files_below(folder)]


def test_what_was_written_is_proven(folder):
  assert workdirs.drop_unproven(folder) == []
  (folder / "a.txt").write_text("one")  # a kill may come before the rename
  assert workdirs.drop_unproven(folder) == []


# Dies if: the journal is not asked, or not told of a file before it appears.
def test_what_is_not_as_it_was_written_goes(folder):
  (folder / "a.txt").write_text("tow")
  (folder / "stranger.txt").write_text("x")
  said = workdirs.drop_unproven(folder)
  assert sorted(line.split("/")[-1] for line in said) == [
    "a.txt is not as it was written",
    "stranger.txt is not as it was written",
  ]
  assert _names(folder) == ["b/c.txt", "started.json", "written.json"]


# Dies if: the journal's own digest is not checked.
@pytest.mark.parametrize("old", ["digest", '"seconds"', "a.txt"])
def test_a_damaged_journal_proves_nothing(folder, old):
  path = folder / journal.WRITTEN
  path.write_text(path.read_text().replace(old, "x"))
  assert len(workdirs.drop_unproven(folder)) == 2
  assert _names(folder) == ["started.json", "written.json"]


# Dies if: seconds begin at 0 with each run.
def test_seconds_add_up_over_runs(folder, monkeypatch):
  now = [100.0]
  monkeypatch.setattr(journal.time, "monotonic", lambda: now[0])
  journal.seed(folder, {"files": {}, "seconds": 3.0})
  with journal.keep(folder):
    now[0] += 7.0
    journal.tick()
    now[0] += 1.0  # lost in a kill
  now[0] = 5.0  # another boot
  with journal.keep(folder) as kept:
    now[0] += 2.5
    assert kept.seconds == pytest.approx(12.5)


# Dies if: what another host wrote is taken for unproven, or its journal stays.
def test_hosts_keep_journals_of_their_own(tmp_path):
  folder = epath.Path(tmp_path)
  for host in (0, 1):
    with journal.keep(folder, host=host):
      artefacts.write_json(folder / f"part{host}.json", host)
  files, _ = journal.read(folder)
  assert files.keys() == {"part0.json", "part1.json"}
  assert workdirs.drop_unproven(folder) == []
  artefacts.finish(folder, config={}, inputs={}, counts={}, seconds=0.0)
  names = {path.name for path in tmp_path.iterdir()}
  assert names == {"part0.json", "part1.json", artefacts.MANIFEST}
