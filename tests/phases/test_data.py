# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The data phase: what it draws, writes, warns of and refuses."""

import json
import pathlib
from collections import Counter

import pytest
from etils import epath
from ml_collections import config_dict

from configs import common
from gd_jax import pipeline
from gd_jax.errors import UserError
from gd_jax.phases import data
from gd_jax.progress import Progress

_SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data"


def _write(path: pathlib.Path, rows: list[tuple[str, str]]) -> None:
  lines = [f"{label}\t{text}\n" for label, text in rows]
  path.write_text("label\ttext\n" + "".join(lines))


def _rows(**sizes: int) -> list[tuple[str, str]]:
  return [
    (label, f"{label} {i}") for label, n in sizes.items() for i in range(n)
  ]


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
  folder = tmp_path / "mine"
  folder.mkdir()
  _write(folder / "train.tsv", _rows(news=30, ads=20))
  _write(folder / "test.tsv", [("ads", "Buy!"), ("news", "It rained.")])
  return folder


@pytest.fixture
def config(tmp_path, folder) -> config_dict.ConfigDict:
  config = common.get_config("custom")
  config.data.folder = str(folder)
  config.data.cache_dir = str(tmp_path / "cache")
  config.data.labels_per_class = 10
  return config


class _Result:
  """What a run wrote."""

  def __init__(self, workdir: epath.Path, counts: dict, progress: Progress):
    folder = workdir / "data"
    self.counts, self.warnings = counts, progress.warnings
    self.bytes = {path.name: path.read_bytes() for path in folder.iterdir()}
    self.task = json.loads(self.bytes["task.json"])
    self.names = json.loads(self.bytes["evaluation_labels.json"])
    self.labelled = self._lines("labelled.jsonl")
    self.texts = self._lines("evaluation_texts.jsonl")

  def _lines(self, name: str) -> list[dict]:
    lines = self.bytes[name].decode().split("\n")
    return [json.loads(line) for line in lines if line]


@pytest.fixture
def run(tmp_path, config):
  def run(number: int = 0) -> _Result:
    workdir, progress = (
      epath.Path(tmp_path / f"run{number}"),
      Progress(quiet=True),
    )
    (workdir / "data").mkdir(parents=True, exist_ok=True)
    return _Result(workdir, data.run(config, workdir, progress), progress)

  return run


# Dies if: a field of the seam is renamed, or ids are not places in `labels`.
def test_writes_the_files_that_later_phases_read(run):
  result = run()
  assert sorted(result.bytes) == [
    "evaluation_labels.json",
    "evaluation_texts.jsonl",
    "labelled.jsonl",
    "task.json",
  ]
  assert result.task == {
    "task": "custom",
    "labels": ["ads", "news"],
    "labels_per_class": 10,
    "evaluate_on": "test",
    "counts": {
      "train_file": 50,
      "pool": 50,
      "labelled": 20,
      "train": 16,
      "heldout": 4,
      "unlabelled": 0,
      "evaluation": 2,
      "per_class": {"ads": 10, "news": 10},
    },
    "dropped_test_copies": 0,
    "unseen_labels": {},
    "short_classes": {},
  }
  for row in result.labelled:
    label, number = row["text"].split()
    assert row["label"] == result.task["labels"].index(label)
    assert row["row_id"] == int(number) + 2 + (30 if label == "ads" else 0)
  assert result.texts == [
    {"row_id": 2, "text": "Buy!"},
    {"row_id": 3, "text": "It rained."},
  ]
  assert result.names == {
    "row_id": [2, 3],
    "label": [0, 1],
    "name": ["ads", "news"],
  }
  assert result.warnings == []


# Dies if: held-out rows are not of the labelled ones, not stratified, or a
# class of one row loses it.
def test_held_out_rows_are_stratified_and_spare_a_single_row(
  run, config, folder
):
  _write(folder / "train.tsv", _rows(news=30, ads=20, odd=1, pair=2))
  result = run()
  split = Counter(
    (row["text"].split()[0], row["split"]) for row in result.labelled
  )
  assert split == {
    ("news", "train"): 8,
    ("news", "heldout"): 2,
    ("ads", "train"): 8,
    ("ads", "heldout"): 2,
    ("odd", "train"): 1,
    ("pair", "train"): 1,
    ("pair", "heldout"): 1,
  }
  assert result.task["short_classes"] == {"odd": 1, "pair": 2}
  (warning,) = result.warnings
  assert "'odd' (1), 'pair' (2)" in warning


# Dies if: a held-out row's text is trained on, to the letter or but for case
# and punctuation, or a row is lost with its copy.
def test_held_out_rows_have_no_copy_among_the_others(run, config, folder):
  rows = _rows(news=10, ads=10)
  again = [(label, f"{text.upper()}!") for label, text in rows]
  _write(folder / "train.tsv", rows + again)
  config.data.labels_per_class = None
  result = run()
  splits = {"train": set(), "heldout": set()}
  for row in result.labelled:
    splits[row["split"]].add(row["text"].lower().strip("!"))
  assert splits["train"].isdisjoint(splits["heldout"])
  assert result.counts["labelled"] == 40
  assert result.counts["train"] + result.counts["heldout"] == 40
  moved = 8 - result.counts["heldout"]
  assert moved > 0
  assert any(f"{moved} rows to be held out" in w for w in result.warnings)


# Dies if: the seed is not data.seed alone, or a run depends on anything else.
def test_the_draw_follows_data_seed(run, config):
  first, again = run(0), run(1)
  assert first.bytes == again.bytes
  config.seed = 9
  assert run(2).bytes == first.bytes
  config.data.seed = 1
  assert run(3).bytes["labelled.jsonl"] != first.bytes["labelled.jsonl"]
  assert (
    run(3).bytes["evaluation_texts.jsonl"]
    == (first.bytes["evaluation_texts.jsonl"])
  )


def test_none_takes_all_rows(run, config):
  config.data.labels_per_class = None
  result = run()
  assert result.counts["labelled"] == 50
  assert result.task["labels_per_class"] is None
  assert result.warnings == []


# Dies if: copies are dropped after the draw, or compared to the letter.
def test_copies_of_test_rows_are_dropped_before_the_draw(run, config, folder):
  _write(
    folder / "train.tsv",
    [("ads", "BUY ..."), ("ads", "buy"), *_rows(news=12, ads=10)],
  )
  result = run()
  assert result.task["dropped_test_copies"] == 2
  assert result.counts["pool"] == 22
  assert result.task["counts"]["per_class"] == {"ads": 10, "news": 10}
  assert not {"BUY ...", "buy"} & {row["text"] for row in result.labelled}


# Dies if: an unseen label is refused, left out, or given a class.
def test_a_label_that_training_never_saw_counts_as_wrong(run, folder):
  _write(folder / "test.tsv", [("new", "a"), ("ads", "b"), ("new", "c")])
  result = run()
  assert result.names["label"] == [-1, 0, -1]
  assert result.names["name"] == ["new", "ads", "new"]
  assert result.task["labels"] == ["ads", "news"]
  assert result.task["unseen_labels"] == {"new": 2}
  (warning,) = result.warnings
  assert "never saw" in warning and "'new' (2)" in warning


@pytest.mark.parametrize(
  ("field", "value", "words"),
  [
    ("labels_per_class", 0, "labels_per_class is 0; it can be 1 or more"),
    ("heldout_fraction", 1.0, "heldout_fraction is 1.0; it lies between"),
    ("evaluate_on", "dev", "'dev'; it can be 'test' or 'validation'"),
  ],
)
def test_bad_fields(run, config, field, value, words):
  setattr(config.data, field, value)
  with pytest.raises(UserError, match=words):
    run()


def test_a_class_of_nothing_but_test_copies_is_refused(run, folder):
  _write(folder / "train.tsv", [("odd", "buy"), *_rows(news=5, ads=5)])
  with pytest.raises(UserError, match=r"every training row of 'odd' also"):
    run()


# Dies if: text is not written as it was read.
def test_any_characters_come_through(run, folder):
  text = 'a\u2028b \\n "c" \x85 \U0001f600'
  _write(folder / "test.tsv", [("ads", text)])
  assert [row["text"] for row in run().texts] == [text]


@pytest.mark.parametrize(
  ("task", "labels", "copies", "evaluation"),
  [
    ("trec", 6, 11, 500),
    ("sst2", 2, 3, 1821),
    pytest.param("ag_news", 4, 5, 7600, marks=pytest.mark.slow),
    ("dbpedia", 14, 0, 812),
  ],
)
def test_shared_data(run, config, task, labels, copies, evaluation):
  if not (_SHARED / task).is_dir():
    pytest.skip(f"no {_SHARED / task}")
  config.task, config.data.dir = task, str(_SHARED)
  config.data.labels_per_class = 100
  result = run()
  assert len(result.task["labels"]) == labels
  assert result.task["dropped_test_copies"] == copies
  assert len(result.texts) == evaluation
  assert -1 not in result.names["label"]
  expected = dict.fromkeys(result.task["labels"], 100)
  if task == "trec":  # 78 rows, of which 2 are dropped
    expected["abbreviation"] = 76
  assert result.task["counts"]["per_class"] == expected


# Dies if: a row that was drawn, a copy of one or of a test row comes back
# without its label, a label or the order of the file is told, or the order is
# that of another draw.
def test_rows_that_are_not_drawn_lose_their_labels(run, config, folder):
  rows = _rows(news=30, ads=20)
  twins = [("ads", f"{text.upper()}!") for _, text in rows]
  _write(folder / "train.tsv", [*rows, *twins, ("ads", "buy")])
  config.data.unlabelled = "train"
  result = run()
  drawn = {row["text"].lower().strip("!") for row in result.labelled}
  real = result._lines("unlabelled.jsonl")
  assert [row["row_id"] for row in real] == [*range(len(real))]
  assert all(row.keys() == {"row_id", "text"} for row in real)
  texts = [row["text"].lower().strip("!") for row in real]
  assert len(texts) == len(set(texts)) == result.counts["unlabelled"]
  assert {*texts} == {text for _, text in rows} - drawn
  order = [[text for _, text in rows].index(text) for text in texts]
  assert order != sorted(order)
  assert run(1).bytes == result.bytes
  config.data.seed = 1
  assert run(2)._lines("unlabelled.jsonl") != real


def test_a_draw_of_all_rows_leaves_none_over(run, config):
  config.data.unlabelled, config.data.labels_per_class = "train", None
  with pytest.raises(UserError, match="leaves no training row over"):
    run()


# Dies if: --redo removes what can't be made again, for the rows are no good.
@pytest.mark.parametrize(
  ("spoil", "words"),
  [
    (lambda folder: folder.rename(folder.parent / "away"), "is no folder"),
    (lambda folder: (folder / "test.tsv").unlink(), "has no test file"),
    (lambda folder: _write(folder / "train.tsv", _rows(ads=9)), "one class"),
  ],
)
def test_bad_rows_redo_nothing(config, folder, tmp_path, spoil, words):
  workdir = tmp_path / "run"
  pipeline.run(config, workdir, phases=["data"])
  spoil(folder)
  with pytest.raises(UserError, match=words):
    pipeline.run(config, workdir, phases=["data"], redo=["data"])
  assert (workdir / "data/manifest.json").exists()
  assert (workdir / "data/labelled.jsonl").exists()


# Dies if: rows that can't be compared pass for those of another workdir, or a
# workdir of one's own is refused without them.
def test_files_that_are_gone_are_told(config, folder, tmp_path):
  progress = Progress(quiet=True)
  pipeline.run(config, tmp_path / "run", phases=["data"])
  config.data.folder = str(folder.parent / "tpyo")
  pipeline.run(config, tmp_path / "run", phases=["data"], progress=progress)
  (warning,) = progress.warnings
  assert "tpyo is no folder" in warning and "is taken as it is" in warning
  for reuse, words in ((["run"], "is not taken over"), ([], "is no folder")):
    with pytest.raises(UserError, match=words):
      pipeline.run(
        config,
        tmp_path / "other",
        phases=["data"],
        reuse=[tmp_path / name for name in reuse],
      )


def test_changed_rows_are_told_in_words(config, folder, tmp_path):
  # Dies if: the line holds digests, which tell nobody anything.
  pipeline.run(config, tmp_path / "run", phases=["data"])
  _write(folder / "test.tsv", [("ads", "Buy!"), ("news", "It snowed.")])
  with pytest.raises(UserError, match=r"not of the rows that .*mine has now"):
    pipeline.run(config, tmp_path / "run", phases=["data"])


def test_labels_that_are_spelt_alike_are_told(folder, run):
  # Dies if: one class becomes two by a slip and nothing says so.
  rows = [
    *_rows(news=9, ads=9),
    ("News", "A storm."),
    ("caf\u00e9", "Tea."),
    ("m3", "x"),
    ("m\u00b3", "y"),
  ]
  _write(folder / "train.tsv", [*rows, ("cafe\u0301", "More tea.")])
  told = [line for line in run().warnings if "spelt alike" in line]
  assert len(told) == 2 and any("'News' and 'news'" in line for line in told)
