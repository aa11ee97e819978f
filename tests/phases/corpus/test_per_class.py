# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A generator per class: its rows lie between those of the others."""

import os
import shutil

import pytest
from etils import epath

from gd_jax import artefacts, hosts, signals
from gd_jax.data import formats, shards, texts
from gd_jax.phases import corpus
from tests.phases.corpus.conftest import clear, content


# Dies if: a row is drawn by another class's generator, or depends on how many
# there are; if a generator's last rows are lost.
def test_each_class_draws_its_rows(config, by_class, upstream, progress):
  config.corpus.near_duplicate = 1.0
  corpus.run(config, by_class, progress)
  drawn = texts.read_drawn(by_class / "corpus")
  assert [row["prompted_label"] for row in drawn] == [0, 1] * 25
  assert not list((by_class / "corpus").glob("waiting-*"))
  for label in (0, 1):
    source = formats.class_folder(by_class / "generator", label)
    for name in ("model.json", "tokenizer.json"):
      shutil.copy(upstream / "generator" / name, source / name)
    artefacts.write_json(source / "summary.json", {"params_total": 1})
    alone = by_class.parent / f"alone-{label}"
    (alone / "corpus").mkdir(parents=True)
    os.symlink(upstream / "data", alone / "data")
    os.symlink(source, alone / "generator")
    corpus.run(config, alone, progress)
    found = texts.read_drawn(alone / "corpus")[label::2]
    expected = [
      {name: value for name, value in row.items() if name != "prompted_label"}
      for row in drawn[label::2]
    ]
    assert found == expected


# Dies if: a stop in the second class loses what the first one drew, or rows
# are drawn twice.
@pytest.mark.parametrize("grown", [50, 60])
def test_goes_on_after_the_class_that_is_drawn(
  config, by_class, progress, monkeypatch, grown
):
  config.corpus.num_texts = grown
  corpus.run(config, by_class, progress)
  once = content(by_class)
  clear(by_class)
  config.corpus.num_texts = 50
  folder = by_class / "corpus"
  aside = folder / "waiting-00000.jsonl"
  monkeypatch.setattr(
    signals, "requested", lambda: bool(texts.shard_indices(folder))
  )
  with pytest.raises(signals.Stopped):
    corpus.run(config, by_class, progress)
  monkeypatch.undo()
  waiting = artefacts.read_jsonl(aside)
  known = {row["row_id"] for row in [*waiting, *texts.read_drawn(folder)]}
  assert known.issuperset(range(0, 50, 2))
  before = artefacts.read_json(folder / "timing.json")["rows"]
  config.corpus.num_texts = grown
  counts = corpus.run(config, by_class, progress)
  assert counts["rows"] == before + grown - len(known)
  assert content(by_class) == once


# Dies if: what the first class drew is lost by a stop or a kill in it.
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_a_class_drew_is_put_aside(
  config, by_class, progress, monkeypatch, how
):
  corpus.run(config, by_class, progress)
  once = content(by_class)
  clear(by_class)
  config.corpus.shard_rows = 100 if how == "stop" else 16
  folder = by_class / "corpus"
  if how == "stop":
    heard = iter([False] * 4)
    monkeypatch.setattr(signals, "requested", lambda: next(heard, True))
  if how == "kill":
    add = shards.Shards.add

    def killed(self, rows):
      done = add(self, rows)
      if (folder / "waiting-00000.jsonl").exists():
        raise KeyboardInterrupt
      return done

    monkeypatch.setattr(shards.Shards, "add", killed)
  with pytest.raises((signals.Stopped, KeyboardInterrupt)):
    corpus.run(config, by_class, progress)
  monkeypatch.undo()
  waiting = artefacts.read_jsonl(folder / "waiting-00000.jsonl")
  assert 0 < len(waiting) < 25
  # Of another host, which is no longer there.
  (folder / "waiting-00000.jsonl").rename(folder / "waiting-00003.jsonl")
  before = (
    artefacts.read_json(folder / "timing.json")["rows"] if how == "stop" else 0
  )
  config.corpus.shard_rows = 16
  counts = corpus.run(config, by_class, progress)
  assert counts["rows"] == before + 50 - len(waiting)
  assert content(by_class) == once


# Dies if: rows that were put aside count as not on disk.
def test_rows_are_put_aside_after_so_many(tmp_path):
  folder = epath.Path(tmp_path)
  for expected in ([False, False, True] * 3, [False, False, True]):
    kept = shards.Shards(folder, {0: range(20)}, aside_every=3)
    rows = [{"row_id": i, "text": "a"} for i in kept.missing()]
    due = [kept.add([row]) for row in rows[: len(expected)]]
    assert due == expected


# Dies if: this host's rows are overwritten by another's before they are read.
def test_rows_of_all_hosts_are_taken_up(tmp_path, monkeypatch):
  folder, wanted = epath.Path(tmp_path), {0: range(20)}
  for host, ids in ((0, range(8)), (3, range(8, 12))):
    monkeypatch.setattr(hosts, "index", lambda host=host: host)
    left = shards.Shards(epath.Path(tmp_path / str(host)), wanted)
    left.add([{"row_id": i, "text": "a"} for i in ids])
    (tmp_path / str(host)).mkdir()
    left.put_aside()
    (waiting,) = (tmp_path / str(host)).iterdir()
    waiting.rename(tmp_path / waiting.name)
  found = shards.Shards(folder, wanted, aside_every=3)
  assert found.missing() == list(range(12, 20))
