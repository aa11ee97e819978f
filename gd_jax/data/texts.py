# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The corpus store: shards of drawn rows, and which of them were removed.

Shard k holds the rows [k * shard_rows, (k + 1) * shard_rows) in the order of
their ids, a line each; the last shard may be shorter. Nothing is ever taken
out of a shard: `removed.jsonl` names the rows that do not count.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError

REMOVED = "removed.jsonl"
_SHARD = re.compile(r"drawn-(\d{5,})\.jsonl")


def shard_path(folder: epath.Path, index: int) -> epath.Path:
  """The file of shard `index`."""
  return folder / f"drawn-{index:05d}.jsonl"


def shard_indices(folder: epath.Path) -> list[int]:
  """The shards that stand in `folder`, in order."""
  names = (_SHARD.fullmatch(path.name) for path in folder.iterdir())
  return sorted(int(name[1]) for name in names if name)


def write_shard(
  folder: epath.Path, index: int, rows: Sequence[Mapping[str, Any]]
) -> None:
  """Writes one shard, whole or not at all.

  Raises:
    ValueError: the rows are not in the order of their ids.
  """
  row_ids = [row["row_id"] for row in rows]
  if row_ids != sorted(set(row_ids)):
    raise ValueError(f"the rows of shard {index} are not in order of row_id")
  artefacts.write_jsonl(shard_path(folder, index), rows)


def read_shard(folder: epath.Path, index: int) -> list[dict[str, Any]]:
  """The drawn rows of one shard.

  Raises:
    UserError: the shard is missing or damaged.
  """
  return artefacts.read_jsonl(shard_path(folder, index))


def read_drawn(folder: epath.Path) -> list[dict[str, Any]]:
  """All drawn rows in the order of their ids, removed ones included.

  Raises:
    UserError: a shard is missing or damaged.
  """
  rows = [
    row for index in shard_indices(folder) for row in read_shard(folder, index)
  ]
  for expected, row in enumerate(rows):
    if row["row_id"] != expected:
      raise UserError(
        f"{folder} has no row {expected} (the next one is {row['row_id']}): "
        f"run again with --redo={folder.name} to make it anew"
      )
  return rows


def read_kept(folder: epath.Path) -> list[dict[str, Any]]:
  """The rows that count, as {"row_id", "text"} in the order of their ids.

  Raises:
    UserError: a file is missing or damaged.
  """
  removed = removed_ids(folder)
  return [
    {"row_id": row["row_id"], "text": row["text"]}
    for row in read_drawn(folder)
    if row["row_id"] not in removed
  ]


def removed_ids(folder: epath.Path) -> set[int]:
  """The ids of the rows that do not count.

  Raises:
    UserError: the list is missing or damaged.
  """
  return {row["row_id"] for row in artefacts.read_jsonl(folder / REMOVED)}
