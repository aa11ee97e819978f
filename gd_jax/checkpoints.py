# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parameters and training states on disk: the only importer of Orbax.

Orbax casts dtypes silently and has no checksum of its own over a whole tree,
so a digest of every array stands beside each checkpoint and is checked when
it is read.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from gd_jax import artefacts
from gd_jax.errors import UserError

PyTree = Any

_PARAMS = "params"
_STATE = "state"
_INFO = "info"

# Orbax keeps the number of the operation under way in a global: two threads
# that save at the same time mistake each other's folders for their own.
_ONE_AT_A_TIME = threading.RLock()
_saving_in_background: list[ocp.CheckpointManager] = []


@contextlib.contextmanager
def _orbax_to_ourselves() -> Iterator[None]:
  """Holds every other thread off, and waits for a save in the background."""
  with _ONE_AT_A_TIME:
    while _saving_in_background:
      _saving_in_background.pop().wait_until_finished()
    yield


def digest_params(tree: PyTree) -> str:
  """The sha256 over each leaf's path, dtype, shape and bytes, in hex."""
  sha = hashlib.sha256()
  leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
  for path, leaf in sorted(
    (jax.tree_util.keystr(path), leaf) for path, leaf in leaves
  ):
    array = _as_numpy(leaf)
    sha.update(f"{path}|{array.dtype}|{array.shape}|".encode())
    sha.update(np.ascontiguousarray(array).tobytes())
  return sha.hexdigest()


def _as_numpy(leaf: Any) -> np.ndarray:
  if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(
    leaf.dtype, jax.dtypes.prng_key
  ):
    leaf = jax.random.key_data(leaf)
  return np.asarray(leaf)


def save_params(folder: epath.PathLike, params: PyTree) -> None:
  """Saves a params dict under `folder`/params and its digest beside it.

  What stood there before is replaced.
  """
  folder = epath.Path(folder)
  target = folder / _PARAMS
  if target.exists():
    target.rmtree()
  with _orbax_to_ourselves(), _manager(target) as manager:
    manager.save(
      0, args=ocp.args.Composite(params=ocp.args.StandardSave(params))
    )
    manager.wait_until_finished()
  flat: dict[str, Any] = traverse_util.flatten_dict(params, sep="/")
  arrays = {
    name: {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}
    for name, leaf in flat.items()
  }
  artefacts.write_json(
    folder / f"{_PARAMS}.json",
    {"digest": digest_params(params), "arrays": arrays},
  )


def load_params(folder: epath.PathLike) -> dict[str, Any]:
  """The params dict saved under `folder`, on the default device.

  Raises:
    UserError: the checkpoint is missing, damaged, or not what was saved.
  """
  folder = epath.Path(folder)
  note = artefacts.read_json(folder / f"{_PARAMS}.json")
  sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  template = traverse_util.unflatten_dict(
    {
      name: jax.ShapeDtypeStruct(
        tuple(entry["shape"]), np.dtype(entry["dtype"]), sharding=sharding
      )
      for name, entry in note["arrays"].items()
    },
    sep="/",
  )
  target = folder / _PARAMS
  try:
    with _orbax_to_ourselves(), _manager(target, create=False) as manager:
      restored = manager.restore(
        0, args=ocp.args.Composite(params=ocp.args.StandardRestore(template))
      )
    params = restored.params
  except Exception as error:  # Orbax raises many kinds for one thing: damage.
    raise UserError(_damaged(target, folder, error)) from error
  if digest_params(params) != note["digest"]:
    raise UserError(_damaged(target, folder, "its digest differs"))
  return params


def _damaged(target: epath.Path, folder: epath.Path, why: object) -> str:
  first_line = str(why).strip().split("\n", 1)[0][:200]
  return (
    f"the checkpoint {target} can't be read ({first_line}): "
    f"run again with --redo={folder.name}"
  )


def _manager(
  folder: epath.Path, *, max_to_keep: int | None = None, create: bool = True
) -> ocp.CheckpointManager:
  options = ocp.CheckpointManagerOptions(max_to_keep=max_to_keep, create=create)
  return ocp.CheckpointManager(folder.resolve(), options=options)


class Resume:
  """The states of an unfinished loop, under `folder`/resume.

  A state is any pytree of arrays; `info` is JSON (data position, best-so-far
  scores, history). A kill during a save leaves the save before it whole.
  """

  def __init__(self, folder: epath.PathLike, *, every_seconds: float = 60.0):
    self._folder = epath.Path(folder) / "resume"
    self._every_seconds = every_seconds
    self._last_save = time.monotonic()
    self._manager: ocp.CheckpointManager | None = None

  def _open(self) -> ocp.CheckpointManager:
    if self._manager is None:
      self._folder.mkdir(parents=True, exist_ok=True)
      self._manager = _manager(self._folder, max_to_keep=1)
    return self._manager

  def latest(self, template: PyTree) -> tuple[int, PyTree, dict] | None:
    """The last state as (step, state, info), or None where there is none.

    Args:
      template: a pytree of arrays, or of ShapeDtypeStructs, of the shapes,
        dtypes and placements that the state shall have.

    Raises:
      UserError: the state on disk is damaged or does not fit `template`.
    """
    if not self._folder.exists():
      return None
    with _orbax_to_ourselves():
      return self._restore(template)

  def _restore(self, template: PyTree) -> tuple[int, PyTree, dict] | None:
    manager = self._open()
    step = manager.latest_step()
    if step is None:
      return None
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, template)
    try:
      restored = manager.restore(
        step,
        args=ocp.args.Composite(
          **{
            _STATE: ocp.args.StandardRestore(abstract),
            _INFO: ocp.args.JsonRestore(),
          }
        ),
      )
      state, note = restored[_STATE], restored[_INFO]
      same = digest_params(state) == note["digest"]
    except Exception as error:
      raise UserError(
        _damaged(self._folder, self._folder.parent, error)
      ) from error
    if not same:
      raise UserError(
        _damaged(self._folder, self._folder.parent, "its digest differs")
      )
    return step, state, note["info"]

  def save(
    self,
    step: int,
    state: PyTree,
    info: Mapping[str, Any],
    *,
    force: bool = False,
  ) -> None:
    """Saves in the background, once in `every_seconds` unless forced."""
    now = time.monotonic()
    if not force and now - self._last_save < self._every_seconds:
      return
    self._last_save = now
    note = {"digest": digest_params(state), "info": dict(info)}
    items = {
      _STATE: ocp.args.StandardSave(state),
      _INFO: ocp.args.JsonSave(note),
    }
    with _orbax_to_ourselves():
      manager = self._open()
      manager.save(step, args=ocp.args.Composite(**items), force=True)
      _saving_in_background.append(manager)

  def close(self) -> None:
    """Waits for a save under way."""
    if self._manager is not None:
      with _orbax_to_ourselves():
        self._manager.close()
      self._manager = None

  def clear(self) -> None:
    """Removes the states: the loop they belong to has ended."""
    self.close()
    if self._folder.exists():
      self._folder.rmtree()
