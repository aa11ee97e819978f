# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError


def _finished(folder, **files):
  artefacts.begin(folder, config={"a": 1}, inputs={"data": "f0"})
  for name, text in files.items():
    path = folder / name.replace("__", "/").replace("_DOT_", ".")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  return artefacts.finish(
    folder, config={"a": 1}, inputs={"data": "f0"}, counts={}, seconds=1.0
  )


def test_write_atomic_leaves_the_old_file_when_writing_fails(tmp_path):
  # Dies if: write_atomic opens the target itself.
  path = epath.Path(tmp_path) / "file"
  artefacts.write_atomic(path, "old")
  with pytest.raises(TypeError):
    artefacts.write_atomic(path, None)  # pyright: ignore
  with pytest.raises(UnicodeEncodeError):
    artefacts.write_atomic(path, "\ud800")
  assert path.read_text() == "old"
  assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_fingerprint_is_of_content_alone(tmp_path):
  # Dies if: volatile files, times or paths enter the fingerprint.
  one = epath.Path(tmp_path) / "one" / "corpus"
  two = epath.Path(tmp_path) / "two" / "other"
  first = _finished(one, rows_DOT_txt="x", metrics_DOT_jsonl="1")
  second = _finished(two, rows_DOT_txt="x", metrics_DOT_jsonl="2")
  assert first["fingerprint"] == second["fingerprint"]
  third = _finished(two, rows_DOT_txt="y")
  assert third["fingerprint"] != first["fingerprint"]


def test_a_folder_is_done_only_by_its_manifest(tmp_path):
  folder = epath.Path(tmp_path) / "corpus"
  artefacts.begin(folder, config={"a": 1}, inputs={})
  assert not artefacts.is_done(folder, {"a": 1}, {})
  artefacts.finish(folder, config={"a": 1}, inputs={}, counts={}, seconds=0.0)
  assert artefacts.is_done(folder, {"a": 1}, {})
  assert not artefacts.is_done(folder, {"a": 2}, {})
  assert not artefacts.is_done(folder, {"a": 1}, {"data": "f"})
  assert artefacts.read_started(folder) is None


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip", "remove"])
def test_every_damage_is_noticed(tmp_path, damage):
  # Dies if: only sizes, or only hashes of some files, are compared.
  folder = epath.Path(tmp_path) / "corpus"
  _finished(folder, a_DOT_txt="some text", b__c_DOT_txt="deeper")
  assert list(artefacts.problems(folder)) == []
  for name in ("a.txt", "b/c.txt"):
    path = tmp_path / "corpus" / name
    whole = path.read_bytes()
    if damage == "remove":
      path.unlink()
    elif damage == "flip":
      path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    else:
      path.write_bytes(whole[:3] if damage == "truncate" else b"")
    with pytest.raises(UserError, match=f"{name}.*--redo=corpus"):
      artefacts.is_done(folder, {"a": 1}, {"data": "f0"})
    path.write_bytes(whole)


def test_a_damaged_or_newer_manifest_is_refused(tmp_path):
  folder = epath.Path(tmp_path) / "teacher"
  manifest = _finished(folder, a="x")
  (tmp_path / "teacher" / "manifest.json").write_text("{")
  with pytest.raises(UserError, match=r"manifest\.json is damaged"):
    artefacts.read_manifest(folder)
  manifest["format"] = 0
  (tmp_path / "teacher" / "manifest.json").write_text(json.dumps(manifest))
  with pytest.raises(UserError, match="format version 0"):
    artefacts.read_manifest(folder)


# Dies if: a manifest does not prove itself.
@pytest.mark.parametrize(
  ("name", "read"),
  [
    ("manifest.json", artefacts.read_manifest),
    ("started.json", artefacts.read_started),
  ],
)
def test_an_altered_recipe_is_refused(tmp_path, name, read):
  folder = epath.Path(tmp_path) / "teacher"
  _finished(folder, a="x")
  if name == "started.json":
    artefacts.begin(folder, config={"a": 1}, inputs={"data": "f0"})
  path = folder / name
  path.write_text(path.read_text().replace('"f0"', '"f1"'))
  with pytest.raises(UserError, match=f"{name} is altered.*--redo=teacher"):
    read(folder)


def test_differences_name_the_field_and_both_values(tmp_path):
  recipe = {"config": {"a": 1, "b": [1, 2]}, "inputs": {"data": "f0"}}
  found = artefacts.differences(
    recipe, config={"a": 2, "b": (1, 2)}, inputs={"data": "f1"}
  )
  assert [str(difference) for difference in found] == [
    "a was 1 and is now 2",
    "the artefact data was 'f0' and is now 'f1'",
  ]


def test_jsonl_round_trips_any_text(tmp_path):
  rows = [{"text": "a\u2028b\r\nc\x85d"}, {"text": '"\\'}]
  artefacts.write_jsonl(tmp_path / "rows.jsonl", rows)
  assert artefacts.read_jsonl(tmp_path / "rows.jsonl") == rows
  (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"a"')
  with pytest.raises(UserError, match="line 2 is damaged"):
    artefacts.read_jsonl(tmp_path / "rows.jsonl")
