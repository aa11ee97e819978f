# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import pytest
from etils import epath

from gd_jax import artefacts
from gd_jax.data import texts
from gd_jax.errors import UserError


@pytest.fixture
def corpus(tmp_path):
  """Seven rows in shards of three; row 4 is removed."""
  folder = epath.Path(tmp_path) / "corpus"
  folder.mkdir()
  # Written out of order: readers go by the shards' numbers.
  for index, row_ids in ((2, [6]), (0, [0, 1, 2]), (1, [3, 4, 5])):
    rows = [{"row_id": i, "text": f"text {i}", "extra": 1} for i in row_ids]
    texts.write_shard(folder, index, rows)
  artefacts.write_jsonl(folder / texts.REMOVED, [{"row_id": 4}])
  return folder


# Dies if: shards are read by name order alone, or removed rows leave a shard.
def test_drawn_and_kept_rows_come_in_order(corpus):
  assert [row["row_id"] for row in texts.read_drawn(corpus)] == list(range(7))
  assert texts.read_kept(corpus) == [
    {"row_id": i, "text": f"text {i}"} for i in (0, 1, 2, 3, 5, 6)
  ]
  assert texts.removed_ids(corpus) == {4}


def test_an_empty_corpus(tmp_path):
  folder = epath.Path(tmp_path)
  artefacts.write_jsonl(folder / texts.REMOVED, [])
  assert texts.read_drawn(folder) == texts.read_kept(folder) == []


# Dies if: five digits are taken for granted.
def test_many_shards(tmp_path):
  folder = epath.Path(tmp_path)
  for index in (99_999, 100_000, 7):
    texts.write_shard(folder, index, [{"row_id": index, "text": ""}])
  (folder / "drawn-00003.jsonl.tmp").write_text("half a shard")
  assert texts.shard_indices(folder) == [7, 99_999, 100_000]


# Dies if: a text's own line separators break the line it is stored in.
def test_any_text_comes_back(tmp_path):
  folder = epath.Path(tmp_path)
  rows = [{"row_id": 0, "text": 'a\u2028b\n"c"\x85 \U0001f600 \\'}]
  texts.write_shard(folder, 0, rows)
  assert texts.read_shard(folder, 0) == rows


@pytest.mark.parametrize("row_ids", [[1, 0], [0, 0]])
def test_rows_out_of_order_are_not_written(tmp_path, row_ids):
  rows = [{"row_id": i, "text": ""} for i in row_ids]
  with pytest.raises(ValueError, match="shard 3"):
    texts.write_shard(epath.Path(tmp_path), 3, rows)
  assert not texts.shard_indices(epath.Path(tmp_path))


# Dies if: a lost shard goes unnoticed: later rows would still be read.
def test_a_missing_shard_is_named(corpus):
  texts.shard_path(corpus, 1).unlink()
  with pytest.raises(UserError, match=r"no row 3 .*--redo=corpus"):
    texts.read_kept(corpus)


def test_a_missing_list_of_removed_rows_is_named(corpus):
  (corpus / texts.REMOVED).unlink()
  with pytest.raises(UserError, match=r"removed\.jsonl.*--redo=corpus"):
    texts.read_kept(corpus)
