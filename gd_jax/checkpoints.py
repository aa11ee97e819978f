# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parameters and training states on disk: the only importer of Orbax.

Orbax casts dtypes silently and has no checksum of its own over a whole tree,
so a digest of every array stands beside each checkpoint and is checked when
it is read.

Arrays that several hosts have parts of are saved by all of these together, each
its own parts, and restored to whatever placement is asked for, by as many hosts
as there are then. Whatever lies on one host alone, host 0 saves by itself.
"""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from gd_jax import (
  artefacts,
  atomic,
  devices,
  environment,
  hosts,
  journal,
  workdirs,
)
from gd_jax.errors import UserError, first_line

PyTree = Any

# An environment variable: seconds between saves, in place of each loop's own.
SAVE_SECONDS = "GD_JAX_SAVE_SECONDS"
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
  return devices.whole(leaf)


def save_params(folder: epath.PathLike, params: PyTree) -> None:
  """Saves a params dict under `folder`/params and its digest beside it.

  What stood there before is replaced. If the params are shared by several
  hosts, all of them call.
  """
  folder = epath.Path(folder)
  target = folder / _PARAMS
  together = devices.is_shared(params)
  digest = digest_params(params)
  if target.exists() and devices.is_first():
    target.rmtree()
  if together:
    hosts.barrier("room for the params")
  elif hosts.count() > 1:
    # Orbax takes what is no numpy array to be other hosts' as well.
    params = jax.tree.map(np.asarray, params)
  with _orbax_to_ourselves(), _manager(target, together=together) as manager:
    manager.save(
      0, args=ocp.args.Composite(params=ocp.args.StandardSave(params))
    )
    manager.wait_until_finished()
  if not devices.is_first():
    return
  flat: dict[str, Any] = traverse_util.flatten_dict(params, sep="/")
  arrays = {
    name: {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}
    for name, leaf in flat.items()
  }
  artefacts.write_json(
    folder / f"{_PARAMS}.json",
    {"digest": digest, "arrays": arrays},
  )


def load_params(folder: epath.PathLike) -> dict[str, Any]:
  """The params dict saved under `folder`, on the default device.

  Raises:
    UserError: the checkpoint is missing, damaged, or not what was saved.
  """
  folder = epath.Path(folder)
  note = artefacts.read_json(folder / f"{_PARAMS}.json")
  template = traverse_util.unflatten_dict(
    {
      name: np.empty(tuple(entry["shape"]), np.dtype(entry["dtype"]))
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
  return jax.device_put(params, devices.local_devices()[0])


def params_problems(folder: epath.PathLike) -> Iterator[str]:
  """What is wrong with the params saved in or below `folder`."""
  for name, note in artefacts.files_below(epath.Path(folder)):
    if f"/{name}".endswith(f"/{_PARAMS}.json"):
      try:
        load_params(note.parent)
      except UserError as error:
        yield str(error)


def _damaged(target: epath.Path, folder: epath.Path, why: object) -> str:
  return (
    f"the checkpoint {target} can't be read ({first_line(why)}): "
    f"{artefacts.mend(folder / _PARAMS)}"
  )


def _manager(
  folder: epath.Path,
  *,
  max_to_keep: int | None = None,
  create: bool = True,
  together: bool = False,
) -> ocp.CheckpointManager:
  """Orbax's manager, of this host alone or of all `together`."""
  processes = ocp.options.MultiprocessingOptions()
  if hosts.count() > 1 and not together:
    own = hosts.index()
    processes = ocp.options.MultiprocessingOptions(
      primary_host=own,
      active_processes={own},
      barrier_sync_key_prefix=f"host{own}",
    )
    if create:  # Orbax does not for one host of many.
      folder.mkdir(parents=True, exist_ok=True)
      create = False
  options = ocp.CheckpointManagerOptions(
    max_to_keep=max_to_keep, create=create, multiprocessing_options=processes
  )
  # A bucket's paths are whole; `resolve` would make local ones of them.
  place = folder if atomic.in_bucket(folder) else folder.resolve()
  return ocp.CheckpointManager(place, options=options)


def resume_problems(folder: epath.PathLike) -> Iterator[str]:
  """What is wrong with the states of unfinished loops below `folder`."""
  folder = epath.Path(folder)
  found = {
    folder / name[: name.index("resume/") + len("resume")]
    for name, _ in artefacts.files_below(folder)
    if "resume/" in name
  }
  for resume in sorted(found):
    try:
      with _orbax_to_ourselves(), _manager(resume, create=False) as manager:
        _restore(manager, ocp.args.StandardRestore())
    except Exception as error:
      yield _damaged_resume(resume, error)


def _damaged_resume(target: epath.Path, why: object) -> str:
  return (
    f"the checkpoint {target} can't be read ({first_line(why)}): delete it, "
    "and the same command trains again from the beginning"
  )


def _restore(
  manager: ocp.CheckpointManager, how: Any
) -> tuple[int, PyTree, dict] | None:
  """(step, state, info) of the last save.

  Raises:
    Exception: many kinds, of damage.
  """
  step = manager.latest_step()
  if step is None:
    return None
  items = {_STATE: how, _INFO: ocp.args.JsonRestore()}
  restored = manager.restore(step, args=ocp.args.Composite(**items))
  state, note = restored[_STATE], restored[_INFO]
  if _digest_state(step, state, note["info"]) != note["digest"]:
    raise ValueError("its digest differs")
  return step, state, note["info"]


def _digest_state(step: int, state: PyTree, info: Mapping[str, Any]) -> str:
  """As `digest_params`, of containers of any type: Orbax knows only dicts."""
  leaves = sorted(digest_params(leaf) for leaf in jax.tree.leaves(state))
  return artefacts.digest([step, leaves, info])


class Resume:
  """The states of an unfinished loop, under `folder`/resume.

  A state is any pytree of arrays; `info` is JSON (data position, best-so-far
  scores, history). A kill during a save leaves the save before it whole. Where
  there are several hosts, the loop is one of all: every method is called by
  each of them, at the same step. See `own_resume` for one host's own loop.
  """

  def __init__(self, folder: epath.PathLike, *, every_seconds: float = 60.0):
    self._folder = epath.Path(folder) / artefacts.RESUME
    self._every_seconds = environment.seconds(SAVE_SECONDS, every_seconds)
    self._last_save = time.monotonic()
    self._manager: ocp.CheckpointManager | None = None

  def _open(self) -> ocp.CheckpointManager:
    if self._manager is None:
      self._folder.mkdir(parents=True, exist_ok=True)
      self._manager = _manager(self._folder, max_to_keep=1, together=True)
    return self._manager

  def latest(self, template: PyTree) -> tuple[int, PyTree, dict] | None:
    """The last state as (step, state, info), or None where there is none.

    Args:
      template: a pytree of arrays, or of ShapeDtypeStructs, of the shapes,
        dtypes and placements that the state shall have.

    Raises:
      UserError: the state on disk is damaged or does not fit `template`.
    """
    # A shared disk may show it to one host sooner than to another.
    if hosts.agree("resume", str(self._folder.exists())) != "True":
      return None
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, template)
    try:
      with _orbax_to_ourselves():
        return _restore(self._open(), ocp.args.StandardRestore(abstract))
    except Exception as error:
      raise UserError(_damaged_resume(self._folder, error)) from error

  def is_due(self) -> bool:
    """Whether the seconds between two saves have passed."""
    return time.monotonic() - self._last_save >= self._every_seconds

  def save(
    self,
    step: int,
    state: PyTree,
    info: Mapping[str, Any],
    *,
    force: bool = False,
  ) -> None:
    """Saves in the background, once in `every_seconds` unless forced."""
    if not force and not self.is_due():
      return
    self._last_save = time.monotonic()
    # A copy of all of it: it is written later, and the caller's may change.
    info = json.loads(json.dumps(dict(info)))
    note = {"digest": _digest_state(step, state, info), "info": info}
    journal.tick()
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
    workdirs.clear(self._folder)


def clear_resume(folder: epath.Path) -> None:
  """Removes the states of all loops below `folder`, whose manifest is written.

  Not before it is: without either, all steps would be done again.
  """
  found = set()
  for name, _ in artefacts.files_below(folder):
    if artefacts.is_resume(name):
      folders = name.split("/")
      found.add("/".join(folders[: folders.index(artefacts.RESUME) + 1]))
  for name in found:
    workdirs.clear(folder / name)
