# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

import pytest
from ml_collections import config_dict

from gd_jax import config_files
from gd_jax.errors import UserError


def test_a_shipped_config_is_found_from_anywhere(tmp_path, monkeypatch):
  # Dies if: a name is looked for in the current folder alone.
  monkeypatch.chdir(tmp_path)
  before = list(sys.path)
  config = config_files.load(
    "configs/quickstart.py:quick",
    {"students.num_seeds": 4, "generator.scratch.width": 8, "seed": 3},
  )
  assert config.corpus.num_texts == 32
  assert (config.students.num_seeds, config.seed) == (4, 3)
  assert config.generator.scratch.width == 8
  assert sys.path == before
  with pytest.raises(AttributeError, match="Did you mean"):
    config.students.num_seed = 3


def test_a_config_of_ones_own_comes_first(tmp_path, monkeypatch):
  # Dies if: the clone wins over the current folder.
  monkeypatch.chdir(tmp_path)
  own = tmp_path / "configs" / "trec.py"
  own.parent.mkdir()
  own.write_text(
    "from ml_collections import config_dict\n"
    "def get_config():\n"
    "  return config_dict.ConfigDict({'mine': True})\n"
  )
  assert config_files.load("configs/trec.py").mine
  assert config_files.load(str(own)).mine


@pytest.mark.parametrize(
  ("name", "fields", "words"),
  [
    ("configs/terc.py", {}, ["terc.py", "did you mean", "trec.py"]),
    ("nowhere/trec.py", {}, ["no config file nowhere/trec.py"]),
    ("configs/trec.py:fast", {}, ["'quick'", "'fast'"]),
    ("configs/custom.py", {}, ["configs/custom.py:FOLDER"]),
    (
      "configs/trec.py",
      {"corpus.num_text": 5},
      ["corpus.num_text", "did you mean corpus.num_texts?"],
    ),
    ("configs/trec.py", {"corpus.num_texts": "many"}, ["many"]),
    ("configs/trec.py", {"seed.x": 1}, ["seed.x"]),
    ("README.md", {}, ["README.md is no config file", ".py"]),
    ("configs/trec.py", {"students.num_seeds": None}, ["students.num_seeds"]),
    ("configs/trec.py", {"corpus.num_texts": None}, ["can't be None"]),
    ("configs/trec.py", {"data.heldout_fraction": None}, ["can't be None"]),
    ("configs/trec.py", {"students": None}, ["students can't be None"]),
  ],
)
def test_bad_names_get_one_line(tmp_path, monkeypatch, name, fields, words):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError) as caught:
    config_files.load(name, fields)
  line = str(caught.value)
  assert "\n" not in line
  for word in words:
    assert word in line


def test_a_path_is_as_good_as_its_name():
  # Dies if: the name is split before the path has become one.
  path = pathlib.Path("configs/trec.py")
  assert config_files.load(path).task == config_files.load(str(path)).task


@pytest.mark.parametrize(
  ("code", "words"),
  [
    ("def get_config(): return {'seed': 0}", r"get_config\(\) returns a dict"),
    ("", "no attribute 'get_config'"),
  ],
)
def test_a_file_that_gives_no_config_is_named(tmp_path, code, words):
  # Dies if: what a config file gives is taken for a config unseen.
  file = tmp_path / "own.py"
  file.write_text(code)
  with pytest.raises(UserError, match=rf"own\.py: .*{words}"):
    config_files.load(file)


def test_what_can_be_empty_can_still_be_after_other_changes():
  # Dies if: a copy forgets which of its fields are placeholders.
  config = config_files.load("configs/trec.py", {"students.patience": 5})
  fields = {"students.patience": None, "data.labels_per_class": None}
  emptied = config_files.with_fields(config, fields, source="x")
  assert emptied.students.patience is emptied.data.labels_per_class is None
  assert config.data.labels_per_class == 100
  plain = config_dict.ConfigDict({"a": None}).lock()
  assert config_files.with_fields(plain, {"a": None}, source="x").a is None


def test_the_config_one_started_from_is_left_alone():
  config = config_dict.ConfigDict({"a": {"b": 1}}).lock()
  changed = config_files.with_fields(config, {"a.b": 2}, source="x")
  assert (config.a.b, changed.a.b) == (1, 2)
  assert changed.is_locked
