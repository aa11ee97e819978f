# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows as they are drawn -> the corpus's shards.

Rows come in any order, and each shard is written as soon as it is whole. Where
several generators draw in turn, all shards are whole late: what waits for the
others' rows is then put aside on disk.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from gd_jax import artefacts, hosts
from gd_jax.data import texts

_ASIDE = "waiting-"


class Shards:
  """The shards that a host has to fill."""

  def __init__(
    self,
    folder: epath.Path,
    wanted: Mapping[int, Sequence[int]],
    *,
    aside_every: int | None = None,
  ):
    """Takes up what earlier runs put aside, on whatever host.

    Args:
      folder: the corpus folder.
      wanted: the row ids of each shard that is missing.
      aside_every: after so many rows those that wait are put aside; None:
        when it is asked for.
    """
    self._folder, self._wanted = folder, dict(wanted)
    # Not while reading: this host's own file may be yet to be read.
    self._aside_every, self._not_on_disk = None, 0
    self._shard_of = {i: index for index, ids in wanted.items() for i in ids}
    self._rows: dict[int, dict[int, dict[str, Any]]] = {i: {} for i in wanted}
    for path in _put_aside(folder):
      rows = artefacts.read_jsonl(path)
      self.add([row for row in rows if row["row_id"] in self._shard_of])
    self._aside_every, self._not_on_disk = aside_every, 0

  def missing(self) -> list[int]:
    """The ids of the rows to be drawn, in order."""
    return sorted(
      i
      for index, found in self._rows.items()
      for i in self._wanted[index]
      if i not in found
    )

  def add(self, rows: Sequence[dict[str, Any]]) -> bool:
    """Takes drawn rows; returns whether anything was written.

    Raises:
      KeyError: a row is of no missing shard.
    """
    self._not_on_disk += len(rows)
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
    every = self._aside_every
    is_due = every is not None and self._not_on_disk >= every
    if is_due:
      self.put_aside()
    return is_due or bool(whole)

  def put_aside(self) -> None:
    """Writes the rows whose shards are not whole, for a run that goes on."""
    rows = (row for found in self._rows.values() for row in found.values())
    path = self._folder / f"{_ASIDE}{hosts.index():05d}.jsonl"
    artefacts.write_jsonl(path, sorted(rows, key=_row_id))
    self._not_on_disk = 0


def _row_id(row: Mapping[str, Any]) -> int:
  return row["row_id"]


def clear_aside(folder: epath.Path) -> None:
  """Removes what any host of any run put aside: all shards are whole."""
  for path in _put_aside(folder):
    path.unlink()


def _put_aside(folder: epath.Path) -> list[epath.Path]:
  return sorted(folder.glob(f"{_ASIDE}*.jsonl"))
