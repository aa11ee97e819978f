# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json

import numpy as np
import pytest

from gd_jax.models import hf_folder
from gd_jax.models.hf_folder import PretrainedError

_TENSORS = {
  "a": np.arange(6, dtype=np.float32).reshape(2, 3),
  "b": np.ones(4, np.float32),
  "c": np.zeros((3, 3), np.float32),
}


def _write(folder, max_shard_bytes=10**6):
  hf_folder.write_tensors(folder, _TENSORS, max_shard_bytes)


def _refused(folder, match):
  with pytest.raises(PretrainedError, match=match) as error:
    hf_folder.read_tensors(folder)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("max_shard_bytes", [1, 40, 10**6])
def test_tensors_come_back(tmp_path, max_shard_bytes):
  _write(tmp_path, max_shard_bytes)
  read = hf_folder.read_tensors(tmp_path)
  assert read.keys() == _TENSORS.keys()
  for name, tensor in _TENSORS.items():
    np.testing.assert_array_equal(read[name], tensor)
  assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
  # Dies if: the reader's error reaches the user as it is.
  _write(tmp_path)
  path = tmp_path / "model.safetensors"
  path.write_bytes(path.read_bytes()[:keep])
  _refused(tmp_path, r"model\.safetensors is damaged or cut short")


def test_a_missing_shard_is_refused(tmp_path):
  _write(tmp_path, 1)
  (tmp_path / "model-00002-of-00003.safetensors").unlink()
  _refused(tmp_path, r"model-00002-of-00003\.safetensors is missing")


def test_shards_must_hold_what_the_index_says(tmp_path):
  _write(tmp_path, 1)
  index = tmp_path / "model.safetensors.index.json"
  index.write_text(index.read_text().replace('"b"', '"z"'))
  _refused(tmp_path, r"does not hold what .* says \(b, z\)")


def test_an_index_cannot_point_elsewhere(tmp_path):
  # Dies if: a downloaded index can make us open any file.
  index = {"weight_map": {"a": "../model.safetensors"}}
  (tmp_path / "inner").mkdir()
  _write(tmp_path)
  path = tmp_path / "inner" / "model.safetensors.index.json"
  path.write_text(json.dumps(index))
  _refused(tmp_path / "inner", "not a file beside it")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": 3}'])
def test_a_broken_index_is_refused(tmp_path, text):
  (tmp_path / "model.safetensors.index.json").write_text(text)
  _refused(tmp_path, r"index\.json")


@pytest.mark.parametrize(
  "name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "x.pt"]
)
def test_pickles_are_refused_with_the_way_out(tmp_path, name):
  # Dies if: a pickle is opened, or the reason or the remedy is left out.
  (tmp_path / name).write_bytes(b"\x80\x04.")
  _refused(tmp_path, rf"{name}.* runs whatever code .* save_pretrained")


def test_an_empty_folder_and_none_are_refused(tmp_path):
  _refused(tmp_path, r"has neither model\.safetensors nor")
  _refused(tmp_path / "absent", "is not a folder")


@pytest.mark.parametrize("vocab", [["a", "b", "c"], {"a": 0, "b": 2}])
def test_check_tokenizer_counts_ids(tmp_path, vocab):
  tokenizer = {"model": {"vocab": vocab}, "added_tokens": None}
  (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
  hf_folder.check_tokenizer(tmp_path, 3)
  with pytest.raises(PretrainedError, match=r"ids up to 2.* only 2 emb"):
    hf_folder.check_tokenizer(tmp_path, 2)


def test_listing_says_how_many_more():
  assert hf_folder.listing(["a", "b"]) == "a, b"
  assert hf_folder.listing(["a", "b", "c"], most=1) == "a and 2 more"
