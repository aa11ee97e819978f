# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from etils import epath

from gd_jax.data import logits
from gd_jax.errors import UserError


def _save(path, row_id, **meta):
  row_id = np.array(row_id)
  values = np.stack([row_id, -row_id], axis=1).astype(np.float32).reshape(-1, 2)
  logits.save_logits(path, row_id, values, **meta)


def test_what_is_saved_is_loaded(tmp_path):
  path = epath.Path(tmp_path) / logits.LABELLED
  _save(path, [5, 2], source="abc")
  row_id, values = logits.load_logits(path)
  assert row_id.dtype == np.int64 and values.dtype == np.float32
  np.testing.assert_array_equal(row_id, [5, 2])
  np.testing.assert_array_equal(values, [[5, -5], [2, -2]])
  assert logits.load_meta(path) == {"source": "abc"}


def test_shards_are_joined_in_order(tmp_path):
  # Dies if: the shards come in the order in which they were written.
  folder = epath.Path(tmp_path)
  _save(folder / logits.shard_name(1), [10, 12])
  _save(folder / logits.shard_name(0), [1, 3])
  _save(folder / logits.shard_name(2), [])
  row_id, values = logits.load_corpus_logits(folder)
  np.testing.assert_array_equal(row_id, [1, 3, 10, 12])
  np.testing.assert_array_equal(values[:, 0], row_id)


def test_the_same_rows_make_the_same_bytes(tmp_path):
  folder = epath.Path(tmp_path)
  _save(folder / "a", [1, 2], source="x")
  _save(folder / "b", [1, 2], source="x")
  assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_damaged_file_is_named(tmp_path, damage):
  path = epath.Path(tmp_path) / logits.shard_name(0)
  if damage == "cut":
    _save(path, [1, 2])
    path.write_bytes(path.read_bytes()[:-3])
  with pytest.raises(UserError, match=r"corpus-00000\.safetensors can't be"):
    logits.load_logits(path)
  assert logits.load_meta(path) is None


def test_an_empty_folder_is_named(tmp_path):
  with pytest.raises(UserError, match="holds no soft labels"):
    logits.load_corpus_logits(epath.Path(tmp_path))
