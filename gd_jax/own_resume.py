# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The state of an unfinished loop that one host runs by itself."""

import json
import time
from collections.abc import Mapping
from typing import Any

import jax
from etils import epath
from flax import serialization

from gd_jax import artefacts, checkpoints, environment, hosts


def of_this_host(
  folder: epath.PathLike, *, every_seconds: float
) -> "checkpoints.Resume | OwnResume":
  """Of a loop that this host runs by itself."""
  kind = checkpoints.Resume if hosts.count() == 1 else OwnResume
  return kind(folder, every_seconds=every_seconds)


class OwnResume:
  """As `checkpoints.Resume`, of one host among several: one file, no Orbax."""

  def __init__(self, folder: epath.PathLike, *, every_seconds: float = 60.0):
    self._path = epath.Path(folder) / "resume.msgpack"
    self._every_seconds = environment.seconds(
      checkpoints.SAVE_SECONDS, every_seconds
    )
    self._last_save = time.monotonic()

  def latest(self, template: Any) -> tuple[int, Any, dict] | None:
    """The last state as (step, state, info), or None where there is none.

    What is damaged was dropped before: the journal proves the file.
    """
    if not self._path.exists():
      return None
    found: Any = serialization.msgpack_restore(self._path.read_bytes())
    state = serialization.from_state_dict(template, found["state"])
    placed = jax.tree.map(
      lambda leaf, like: jax.device_put(leaf, like.sharding), state, template
    )
    return found["step"], placed, json.loads(found["info"])

  def save(
    self, step: int, state: Any, info: Mapping[str, Any], *, force=False
  ) -> None:
    """Saves at once, once in `every_seconds` unless forced."""
    now = time.monotonic()
    if force or now - self._last_save >= self._every_seconds:
      self._last_save = now
      host = serialization.to_state_dict(jax.device_get(state))
      found = {"step": step, "state": host, "info": json.dumps(info)}
      payload = serialization.msgpack_serialize(found)
      self._path.parent.mkdir(parents=True, exist_ok=True)
      artefacts.write_atomic(self._path, payload)

  def close(self) -> None:
    """Nothing is under way."""
