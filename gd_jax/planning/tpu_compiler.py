# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The phases' own programs by the real TPU compiler, on a machine without TPU.

libtpu (`pip install libtpu`, the extra `tpu`) compiles for a slice that it is
told of. So what a program needs of a TPU's memory is known before one is
rented. Compiled for, not run on, TPU.
"""

import contextlib
import importlib.util
import math
import os
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache
from jax.sharding import AxisType, Mesh
from ml_collections import config_dict

from gd_jax import devices
from gd_jax.errors import UserError
from gd_jax.planning import programs, shapes
from gd_jax.planning.footprints import PHASES
from gd_jax.planning.machines import Machine

# The programs that a plan waits for, one of each phase and stage. The others
# hold no more: a training's lack the gradients.
LARGEST = ("step", "block of steps", "labels")


def is_installed() -> bool:
  """Whether libtpu is there."""
  return importlib.util.find_spec("libtpu") is not None


def mesh(config: config_dict.ConfigDict, machine: Machine) -> Mesh:
  """The devices of a TPU slice that is not there, as `config.mesh` has them.

  Raises:
    UserError: The compiler knows no such slice, or it can't be laid out so.
  """
  # Read by libtpu when it is loaded: nobody is to be asked where this runs.
  os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
  os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
  os.environ.setdefault(
    "TPU_ACCELERATOR_TYPE", machine.name.replace("v5e", "v5litepod")
  )
  from jax.experimental import topologies

  try:
    slice_ = topologies.get_topology_desc(machine.topology, "tpu")
  except Exception as error:  # the compiler's own
    raise UserError(
      f"--devices={machine.name}: the TPU compiler knows no slice"
      f" {machine.topology}: {str(error).splitlines()[0]}"
    ) from error
  sizes = devices.mesh_shape(config.mesh, len(slice_.devices))
  return Mesh(
    np.array(slice_.devices).reshape(tuple(sizes.values())),
    tuple(sizes),
    axis_types=(AxisType.Auto,) * len(sizes),
  )


def compiled(program: programs.Program) -> jax.stages.Compiled:
  """The program, whose arguments say for which devices."""
  with contextlib.redirect_stdout(None), _nothing_kept():
    lowered = program.function.lower(*program.args, **program.static)
    return lowered.compile()


@contextlib.contextmanager
def _nothing_kept() -> Iterator[None]:
  """Without the cache of programs: those of no device can't be read back."""
  name = "jax_enable_compilation_cache"
  before = getattr(jax.config, name)
  jax.config.update(name, False)
  compilation_cache.reset_cache()
  try:
    yield
  finally:
    jax.config.update(name, before)
    compilation_cache.reset_cache()


def bytes_per_device(
  phase: str,
  config: config_dict.ConfigDict,
  texts: shapes.Texts,
  machine: Machine,
) -> float | None:
  """What the phase's most demanding program needs of one device.

  Infinite where the compiler gives up, for no device of the slice holds it;
  None where it can't tell.

  Raises:
    UserError: As for `mesh` and `programs.of_phase`.
  """
  if phase not in PHASES or not machine.topology or not is_installed():
    return None
  found = programs.of_phase(phase, config, texts, mesh(config, machine))
  largest = (
    bytes_of(program)
    for name, program in found.items()
    if name.endswith(LARGEST)
  )
  return max(largest, default=0.0)


def bytes_of(program: programs.Program) -> float:
  """Of one device, with what lies there beside; infinite: it does not fit."""
  try:
    needed: Any = compiled(program).memory_analysis()
  except jax.errors.JaxRuntimeError as error:
    if "RESOURCE_EXHAUSTED" not in str(error):
      raise
    return math.inf
  return (
    needed.argument_size_in_bytes
    + needed.output_size_in_bytes
    - needed.alias_size_in_bytes
    + needed.temp_size_in_bytes
    + sum(map(_bytes_on_device, jax.tree.leaves(program.beside)))
  )


def _bytes_on_device(leaf: Any) -> float:
  here = leaf.sharding.shard_shape(leaf.shape)
  return math.prod(here) * leaf.dtype.itemsize
