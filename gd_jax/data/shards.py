# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows as they are drawn -> the corpus's shards.

Rows come in any order, and each shard is written as soon as it is whole. Where
several generators draw in turn, all shards are whole late: what waits for the
next generator's rows is then put aside on disk.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils import epath

from gd_jax import artefacts, hosts
from gd_jax.data import texts

_ASIDE = "waiting-"


class Shards:
  """The shards that a host has to fill."""

  def __init__(self, folder: epath.Path, wanted: Mapping[int, Sequence[int]]):
    """Takes up what an earlier run put aside.

    Args:
      folder: the corpus folder.
      wanted: the row ids of each shard that is missing.
    """
    self._folder, self._wanted = folder, dict(wanted)
    self._shard_of = {i: index for index, ids in wanted.items() for i in ids}
    self._rows: dict[int, dict[int, dict[str, Any]]] = {i: {} for i in wanted}
    if self._aside.exists():
      rows = artefacts.read_jsonl(self._aside)
      self.add(row for row in rows if row["row_id"] in self._shard_of)

  @property
  def _aside(self) -> epath.Path:
    return self._folder / f"{_ASIDE}{hosts.index():05d}.jsonl"

  def missing(self) -> list[int]:
    """The ids of the rows to be drawn, in order."""
    return sorted(
      i
      for index, found in self._rows.items()
      for i in self._wanted[index]
      if i not in found
    )

  def add(self, rows: Iterable[dict[str, Any]]) -> bool:
    """Takes drawn rows; returns whether shards became whole and were written.

    Raises:
      KeyError: a row is of no missing shard.
    """
    for row in rows:
      self._rows[self._shard_of[row["row_id"]]][row["row_id"]] = row
    whole = [
      index
      for index, found in self._rows.items()
      if len(found) == len(self._wanted[index])
    ]
    for index in whole:
      found = self._rows.pop(index)
      texts.write_shard(
        self._folder, index, [found[i] for i in self._wanted[index]]
      )
    return bool(whole)

  def put_aside(self) -> None:
    """Writes the rows whose shards are not whole, for a run that goes on."""
    rows = (row for found in self._rows.values() for row in found.values())
    artefacts.write_jsonl(self._aside, sorted(rows, key=_row_id))


def _row_id(row: Mapping[str, Any]) -> int:
  return row["row_id"]


def clear_aside(folder: epath.Path) -> None:
  """Removes what any host of any run put aside: all shards are whole."""
  for path in folder.glob(f"{_ASIDE}*.jsonl"):
    path.unlink()
