# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Devices, the mesh, placements, and what is this host's to do.

Nothing else asks how many devices or hosts there are; `hosts` is the part that
knows how hosts meet.
"""

import contextlib
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from platform import machine
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from gd_jax import hosts
from gd_jax.errors import UserError

PyTree = Any
Item = TypeVar("Item")

_ROWS = PartitionSpec(("data", "fsdp"))
# Smaller arrays lie whole on each device: to fetch the parts costs more than
# it saves.
_LEAST_SPLIT = 2**14

# Multiplications and additions a second: of a CPU core, of another device.
_RATES = {"cpu": 3e10, "gpu": 5e13, "tpu": 5e13}


def keep_compiled(folder: str) -> None:
  """Keeps compiled programs in `folder`, for the next process.

  Compiling a finetuning step takes a CPU ten times longer than reading it
  back. JAX's own JAX_COMPILATION_CACHE_DIR wins.
  """
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    jax.config.update("jax_compilation_cache_dir", folder)


def mesh(spec: Mapping[str, int] | None = None) -> Mesh:
  """All devices of all hosts, along the axes "data" and "fsdp".

  The axes are `Auto`: JAX's default, `Explicit`, rejects a vmap inside a
  sharded program.

  Args:
    spec: `config.mesh`, the number of devices along each axis; -1 is all that
      the other leaves.

  Raises:
    UserError: The devices can't be laid out like that.
  """
  shape = mesh_shape(spec, jax.device_count())
  return jax.make_mesh(
    tuple(shape.values()), tuple(shape), axis_types=(AxisType.Auto,) * 2
  )


def mesh_shape(spec: Mapping[str, int] | None, total: int) -> dict[str, int]:
  """How many of `total` devices lie along each axis; as for `mesh`."""
  wanted = {"data": -1, "fsdp": 1} | dict(spec or {})
  known = [size for size in wanted.values() if size != -1]
  rest = total // max(1, int(np.prod(known)))
  shape = {name: rest if size == -1 else size for name, size in wanted.items()}
  if set(wanted) != {"data", "fsdp"} or np.prod([*shape.values()]) != total:
    raise UserError(
      f"config.mesh is {wanted}, and there are {total} devices: data x fsdp is"
      " to be their number; -1 for one of the two means what is left"
    )
  return shape


def local_mesh() -> Mesh:
  """This host's own devices, for work that it does alone."""
  own = np.array(jax.local_devices()).reshape(-1, 1)
  return Mesh(own, ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)


def by_row(mesh: Mesh) -> NamedSharding:
  """The leading axis split over the devices."""
  return NamedSharding(mesh, _ROWS)


def everywhere(mesh: Mesh) -> NamedSharding:
  """A whole copy on each device."""
  return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, tree: PyTree) -> PyTree:
  """Where the leaves of a training state go: whole, or fully sharded (FSDP).

  Along the axis "fsdp" each large leaf is split in its largest dimension that
  the axis divides. The optimizer's moments have their parameters' shapes, and
  so the same places. XLA fetches the parts of a layer when it is due.

  Args:
    mesh: From `mesh`.
    tree: Arrays, or their shapes.

  Returns:
    A sharding for each leaf.
  """
  parts = mesh.shape["fsdp"]

  def one(leaf):
    spec: list[str | None] = [None] * leaf.ndim
    fitting = [size for size in leaf.shape if size % parts == 0]
    if parts > 1 and fitting and leaf.size >= _LEAST_SPLIT:
      spec[leaf.shape.index(max(fitting))] = "fsdp"
    return NamedSharding(mesh, PartitionSpec(*spec))

  return jax.tree.map(one, tree)


def place(tree: PyTree, where: PyTree) -> PyTree:
  """Arrays that every host has whole, put where they belong.

  Args:
    tree: Arrays, the same on every host.
    where: A sharding for each, or one for all.
  """
  if hosts.count() == 1:
    return jax.device_put(tree, where)
  if isinstance(where, Sharding):
    where = jax.tree.map(lambda _: where, tree)
  return jax.tree.map(_placed, tree, where)


def _placed(leaf: Any, where: Sharding) -> jax.Array:
  if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    return jax.random.wrap_key_data(_placed(jax.random.key_data(leaf), where))
  array = np.asarray(leaf)
  return jax.make_array_from_callback(array.shape, where, lambda at: array[at])


def whole(array: Any) -> np.ndarray:
  """All of an array, on every host; all hosts that have a part of it call."""
  if isinstance(array, jax.Array) and not (
    array.is_fully_addressable or array.is_fully_replicated
  ):
    assert isinstance(array.sharding, NamedSharding), "as `split` places it"
    copies = everywhere(array.sharding.mesh)  # pyright: ignore
    array = jax.jit(lambda x: x, out_shardings=copies)(array)
  return np.asarray(array)


def is_shared(tree: PyTree) -> bool:
  """Whether other hosts have parts or copies of these arrays, too.

  Args:
    tree: Arrays, or ShapeDtypeStructs with shardings.
  """
  shardings = (
    getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(tree)
  )
  return any(s is not None and not s.is_fully_addressable for s in shardings)


def is_first() -> bool:
  """Whether this host writes what is written once."""
  return hosts.is_first()


def owner(number: int) -> int:
  """The host whose the piece of work `number`, 0 .., is."""
  return number % hosts.count()


def owns(number: int) -> bool:
  """Whether the piece of work `number`, 0 .., is this host's."""
  return owner(number) == hosts.index()


def owned(pieces: Sequence[Item]) -> list[Item]:
  """This host's share: piece k is that of host k modulo hosts."""
  return list(pieces[hosts.index() :: hosts.count()])


def barrier(name: str) -> None:
  """Waits for all hosts; see `hosts.barrier`."""
  hosts.barrier(name)


def compile_together(function: Any, mesh: Mesh) -> Callable:
  """As `function`, a jitted one; no host runs it before all have compiled it.

  Hosts compile at different speeds, and gloo waits for 30 s and no longer.

  Args:
    function: From `jax.jit`, called by every host that `mesh` is on.
    mesh: One of a single host needs nothing.
  """
  own = {device.process_index for device in mesh.devices.flat}
  if hosts.count() == 1 or len(own) == 1:
    return function
  programs: dict[Any, Any] = {}

  def call(*args):
    key = tuple((x.shape, x.dtype) for x in jax.tree.leaves(args))
    if key not in programs:
      programs[key] = function.lower(*args).compile()
      hosts.barrier("a program is compiled")
    return programs[key](*args)

  return call


class Ballot:
  """Wishes of single hosts, known to all of them at the same step.

  Hosts that train together have to save and to stop together. A wish is sent
  along with one step and acted upon in the next, so no host waits for it.
  """

  def __init__(self, mesh: Mesh):
    self._where, self._size = by_row(mesh), mesh.size
    self._largest = jax.jit(jax.numpy.max, out_shardings=everywhere(mesh))
    self._pending: jax.Array | None = None

  def result(self, wish: int) -> int:
    """The largest wish of all hosts, one call late; alone, the own, at once."""
    if hosts.count() == 1:
      return wish
    before = self._pending
    votes = place(np.full(self._size, wish, np.int32), self._where)
    self._pending = self._largest(votes)
    result = 0 if before is None else int(before)
    if result:
      self._pending = None  # Most likely the same wish, which is granted now.
    return result


def round_up(number: int, multiple: int) -> int:
  """The least multiple of `multiple` that is not below `number`."""
  return -(-number // multiple) * multiple


def place_batch(mesh: Mesh, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Puts a batch of numpy arrays [B, ...] on the devices, split by row.

  B must be a multiple of the number of devices. Every host has the whole batch
  and keeps its own rows.
  """
  return place(dict(batch), by_row(mesh))


def local_devices() -> list[Any]:
  """This host's own devices: what the sampling loop is mapped over."""
  return jax.local_devices()


def platform() -> str:
  """The platform's name: "cpu", "gpu" or "tpu"."""
  return jax.default_backend()


def name_all() -> str:
  """All devices of all hosts, such as "4 × NVIDIA H200"."""
  return f"{number()} × {kind()}"


def number() -> int:
  """How many devices all hosts have."""
  return jax.device_count()


def kind() -> str:
  """The kind of all devices, such as "NVIDIA H200"; of a CPU `cpu_kind`."""
  if platform() == "cpu":
    return cpu_kind()
  return jax.devices()[0].device_kind


def num_cores() -> int:
  """How many of this host's cores the process may use; 1 if nobody knows."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def cpu_kind() -> str:
  """The processor and how many cores we may use; JAX calls all CPUs "cpu"."""
  name = machine()
  with contextlib.suppress(OSError, StopIteration):
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    line = next(line for line in lines if line.startswith("model name"))
    name = line.partition(":")[2].strip()
  cores = num_cores()
  return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"


def about(operations: float) -> str:
  """A guess, within a factor of two or so, of how long a computation takes.

  Args:
    operations: Multiplications and additions, of all devices together. A
      forward pass takes about 2 for each token and parameter that works on it,
      a training step 6.

  Returns:
    "about 3 min", never less than a minute.
  """
  kind = platform()
  workers = num_cores() if kind == "cpu" else jax.device_count()
  seconds = operations / (_RATES.get(kind, _RATES["gpu"]) * workers)
  return f"about {max(1, round(seconds / 60))} min"
