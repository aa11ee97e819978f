# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks out of folders: what is opened, what is cached, what is refused."""

import pathlib
import subprocess
import sys
import textwrap
from collections import Counter

import pytest
from ml_collections import config_dict

from configs import common
from gd_jax.data import builders, tasks
from gd_jax.errors import UserError
from gd_jax.progress import Progress

_ROOT = pathlib.Path(__file__).parents[2]


def _tsv(*rows: tuple[str, str]) -> str:
  return "label\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows)


def _many(prefix: str, n: int) -> list[tuple[str, str]]:
  return [("ba"[i % 2], f"{prefix} {i}") for i in range(n)]


@pytest.fixture
def folder(tmp_path):
  folder = tmp_path / "mine"
  folder.mkdir()
  (folder / "train.tsv").write_text(_tsv(*_many("Train", 40)))
  (folder / "test.tsv").write_text(_tsv(*_many("Test", 10)))
  return folder


@pytest.fixture
def config(tmp_path, folder) -> config_dict.ConfigDict:
  config = common.get_config("custom")
  config.data.folder = str(folder)
  config.data.cache_dir = str(tmp_path / "cache")
  return config


# Dies if: rows come back in the order TFDS shuffled them into.
def test_rows_come_back_in_file_order_with_their_lines(config, progress):
  splits = tasks.load(config, progress)
  assert [row.text for row in splits.train] == [f"Train {i}" for i in range(40)]
  assert [row.line for row in splits.train] == list(range(2, 42))
  assert [row.text for row in splits.evaluation] == [
    f"Test {i}" for i in range(10)
  ]
  assert splits.labels == ("a", "b")
  assert splits.validation is None


def test_a_prepared_copy_is_used_again(config, folder, tmp_path, monkeypatch):
  first = tasks.load(config, Progress(quiet=True))
  (copy,) = (tmp_path / "cache").iterdir()
  monkeypatch.setattr(tasks.files, "read_rows", None)
  assert tasks.load(config, Progress(quiet=True)) == first
  assert list((tmp_path / "cache").iterdir()) == [copy]


# Dies if: prepared copies have a place of their own, wherever the cache is.
def test_prepared_copies_lie_in_the_one_cache(config, tmp_path, monkeypatch):
  monkeypatch.setenv("GD_JAX_CACHE", str(tmp_path / "one"))
  monkeypatch.setenv("HOME", str(tmp_path / "home"))
  config.data.cache_dir = None
  tasks.load(config, Progress(quiet=True))
  assert len(list((tmp_path / "one" / "tfds").iterdir())) == 1
  assert not (tmp_path / "home").exists()


# Dies if: the cache's key is the folder's name, size or time.
def test_a_changed_folder_is_never_served_stale(config, folder, progress):
  before = tasks.load(config, progress)
  path = folder / "train.tsv"
  path.write_text(path.read_text().replace("Train 7", "Train X"))
  after = tasks.load(config, progress)
  assert before.train[7].text == "Train 7" and after.train[7].text == "Train X"


# Dies if: the test file is hashed, read or looked for.
@pytest.mark.parametrize("test_file", ["unreadable", "broken", "absent"])
def test_validation_never_opens_the_test_file(
  config, folder, progress, test_file
):
  (folder / "validation.tsv").write_text(_tsv(*_many("Validation", 6)))
  (folder / "test.tsv").unlink()
  if test_file == "unreadable":
    (folder / "test.tsv").mkdir()
  elif test_file == "broken":
    (folder / "test.tsv").write_bytes(b"\xff\0")
  config.data.evaluate_on = "validation"
  assert tasks.source_fingerprint(config) is not None
  splits = tasks.load(config, progress)
  assert splits.test is None
  assert [row.text for row in splits.evaluation][:2] == [
    "Validation 0",
    "Validation 1",
  ]


# Dies if: the carve depends on data.seed, leaves its rows in the pool, or is
# not stratified.
def test_without_a_validation_file_a_fifth_of_train_is_set_apart(config):
  config.data.evaluate_on = "validation"
  splits = tasks.load(config, Progress(quiet=True))
  assert Counter(row.label for row in splits.evaluation) == {"a": 4, "b": 4}
  assert len(splits.train) == 32
  assert not set(splits.train) & set(splits.evaluation)
  config.data.seed = 5
  assert tasks.load(config, Progress(quiet=True)) == splits


# Dies if: what is left after the carve is taken for all that the file holds.
def test_two_rows_a_class_are_not_taken_for_swapped_columns(config, folder):
  (folder / "train.tsv").write_text(_tsv(*_many("Train", 4)))
  config.data.evaluate_on = "validation"
  splits = tasks.load(config, Progress(quiet=True))
  assert len(splits.train) == len(splits.evaluation) == 2
  assert splits.labels == ("a", "b")


def test_csv_and_json_lines_in_one_folder(config, folder, progress):
  (folder / "train.tsv").unlink()
  (folder / "train.csv").write_text('text,label\n"a, b",x\nc,y\nd,y\n')
  (folder / "test.tsv").unlink()
  (folder / "test.jsonl").write_text('{"text": "e", "label": "x"}\n')
  splits = tasks.load(config, progress)
  assert [row.text for row in splits.train] == ["a, b", "c", "d"]
  assert [row.text for row in splits.evaluation] == ["e"]


def test_dir_holds_a_folder_per_task(config, folder, progress):
  config.task = "mine"
  config.data.dir = str(folder.parent)
  assert len(tasks.load(config, progress).train) == 40


# Dies if: only one of the splits is cleaned, or other tasks are too.
def test_ag_news_is_cleaned_in_all_splits(config, folder, progress):
  raw = (
    r"It #39;s\quot;here quot; &lt;A HREF=&quot;x&quot;&gt;go&lt;/A&gt; 2 < 3"
  )
  text = 'It\'s "here " go 2 < 3'
  for split in ("train", "test"):
    path = folder / f"{split}.tsv"
    path.write_text(_tsv(("a", raw), ("b", "x"), ("b", "y")))
  plain = tasks.load(config, progress)
  assert plain.train[0].text == plain.evaluation[0].text == raw
  config.data.dir = str(folder.parent)
  config.task = "ag_news"
  folder.rename(folder.parent / "ag_news")
  news = tasks.load(config, progress)
  assert news.train[0].text == news.evaluation[0].text == text


def test_a_text_that_cleaning_empties_is_refused(config, folder, progress):
  (folder / "train.tsv").write_text(_tsv(("a", "x"), ("b", "<br>"), ("b", "y")))
  folder.rename(folder.parent / "ag_news")
  config.task, config.data.dir = "ag_news", str(folder.parent)
  with pytest.raises(UserError, match=r"train\.tsv, line 3: nothing is left"):
    tasks.load(config, progress)


def _spoil(folder, split: str, content: str | None) -> None:
  path = folder / f"{split}.tsv"
  path.unlink()
  if content is not None:
    path.write_text(content)


# Dies if: any of these checks is taken out.
@pytest.mark.parametrize(
  ("split", "content", "words"),
  [
    ("train", None, "has no train file: put train.tsv, train.csv or"),
    ("test", None, "has no test file"),
    ("train", "", "train.tsv is empty"),
    ("test", "label\ttext\n", "test.tsv holds no rows"),
    ("train", "label\ttext\na\tb\nfine\n", "train.tsv, line 3: 1 columns"),
    ("train", _tsv(("a", "x"), ("a", "y")), "one class only ('a')"),
    ("train", _tsv(("a", "x"), ("b", "y")), "columns label and text swapped"),
  ],
)
def test_bad_folders(config, folder, progress, tmp_path, split, content, words):
  _spoil(folder, split, content)
  with pytest.raises(UserError) as caught:
    tasks.load(config, progress)
  assert words in str(caught.value)
  assert not list((tmp_path / "cache").glob(".*"))  # no half-made copies


def test_bad_configs(config, folder, tmp_path, progress):
  config.data.folder = str(tmp_path / "nowhere")
  with pytest.raises(UserError, match=r"nowhere is no folder: put train\.tsv"):
    tasks.load(config, progress)
  assert tasks.source_fingerprint(config) is None
  config.data.folder = None
  with pytest.raises(UserError, match=r"custom\.py:FOLDER"):
    tasks.load(config, progress)
  config.task = "terc"
  with pytest.raises(UserError, match="it can be sst2, trec, ag_news"):
    tasks.load(config, progress)


def test_a_cache_that_cannot_be_written(config, tmp_path, progress):
  (tmp_path / "cache").write_text("a file, not a folder")
  with pytest.raises(UserError, match=r"set --config\.data\.cache_dir"):
    tasks.load(config, progress)


def test_a_damaged_copy_is_named(config, tmp_path, progress):
  tasks.load(config, progress)
  (copy,) = (tmp_path / "cache").iterdir()
  for path in copy.rglob("*array_record*"):
    path.write_bytes(path.read_bytes()[:100])
  with pytest.raises(UserError) as caught:
    tasks.load(config, progress)
  assert f"{copy} is damaged" in str(caught.value)


# Dies if: the fingerprint holds the path, or not the content.
def test_source_fingerprints_are_of_content(config, folder):
  before = tasks.source_fingerprint(config)
  moved = folder.rename(folder.parent / "moved")
  config.data.folder = str(moved)
  assert tasks.source_fingerprint(config) == before
  (moved / "test.tsv").write_text(_tsv(("a", "other")))
  assert tasks.source_fingerprint(config) != before


# Dies if: the copy is prepared in its final place.
@pytest.mark.slow
def test_two_processes_may_prepare_at_once(config, tmp_path):
  script = textwrap.dedent("""
    import sys
    from configs import common
    from gd_jax.data import builders, tasks
    from gd_jax.progress import Progress
    config = common.get_config("custom")
    config.data.folder, config.data.cache_dir = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    print(len(tasks.load(config, Progress(quiet=True)).train))
  """)
  processes = [
    subprocess.Popen(
      [sys.executable, "-c", script, config.data.folder, config.data.cache_dir],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      cwd=_ROOT,
    )
    for _ in range(2)
  ]
  for process in processes:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
  for process in processes:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
  for process in processes:
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "40\n"), err
  (copy,) = (tmp_path / "cache").iterdir()
  assert not copy.name.startswith(".")


def test_builders_need_no_tensorflow_and_take_no_names_from_the_catalogue():
  import tensorflow_datasets as tfds

  assert "tensorflow" not in sys.modules
  registered = tfds.core.registered.list_imported_builders
  for builder_class in builders.BUILDERS.values():
    assert issubclass(builder_class, tfds.core.GeneratorBasedBuilder)
  assert "ag_news" not in registered()
