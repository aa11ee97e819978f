# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import ast
import importlib
import pathlib

import pytest

from gd_jax import pipeline

ROOT = pathlib.Path(__file__).parents[2]
NAMES = sorted(
  path.stem
  for path in (ROOT / "configs").glob("*.py")
  if path.stem not in ("__init__", "common", "custom")
)


@pytest.fixture
def configs(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT))
  return lambda name: importlib.import_module(f"configs.{name}")


def _attributes_read() -> set[str]:
  """Every attribute name that the package's code reads."""
  found = set()
  for path in (ROOT / "gd_jax").rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
      if isinstance(node, ast.Attribute):
        found.add(node.attr)
  return found


@pytest.mark.parametrize("name", NAMES)
def test_each_config_has_every_phase_and_a_quick_variant(configs, name):
  full = configs(name).get_config()
  quick = configs(name).get_config("quick")
  assert set(pipeline.NAMES) <= set(full)
  assert full.is_locked and quick.is_locked
  assert quick.corpus.num_texts < full.corpus.num_texts
  assert configs(name).__doc__.strip().count("\n") >= 2
  with pytest.raises(ValueError, match="'quick' or nothing"):
    configs(name).get_config("fast")


def test_custom_needs_a_folder(configs):
  with pytest.raises(ValueError, match="name your folder"):
    configs("custom").get_config()
  assert configs("custom").get_config("f,quick").data.folder == "f"
  # Folders may have a comma in their names.
  assert configs("custom").get_config("a,b").data.folder == "a,b"
  found = configs("custom").get_config("a,b,quick")
  assert found.data.folder == "a,b" and found.corpus.num_texts == 32


def test_every_field_is_read_by_somebody(configs):
  # Dies if: a field stays in the config after its last reader went.
  config = configs("common").get_config("trec")
  read = _attributes_read()
  for section in pipeline.NAMES:
    for field in config[section]:
      assert field in read, f"nothing reads config.{section}.{field}"
