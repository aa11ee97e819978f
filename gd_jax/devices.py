# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Devices, the mesh and placements: nothing else asks how many there are."""

import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

# Multiplications and additions a second: of a CPU core, of another device.
_RATES = {"cpu": 3e10, "gpu": 5e13, "tpu": 5e13}


def keep_compiled(folder: str) -> None:
  """Keeps compiled programs in `folder`, for the next process.

  Compiling a finetuning step takes a CPU ten times longer than reading it
  back. JAX's own JAX_COMPILATION_CACHE_DIR wins.
  """
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    jax.config.update("jax_compilation_cache_dir", folder)


def mesh() -> Mesh:
  """All devices along one axis, "data".

  The axis is `Auto`: JAX's default, `Explicit`, rejects a vmap inside a
  sharded program.
  """
  return jax.make_mesh(
    (jax.device_count(),), ("data",), axis_types=(AxisType.Auto,)
  )


def by_row(mesh: Mesh) -> NamedSharding:
  """The leading axis split over the devices."""
  return NamedSharding(mesh, PartitionSpec("data"))


def everywhere(mesh: Mesh) -> NamedSharding:
  """A whole copy on each device."""
  return NamedSharding(mesh, PartitionSpec())


def round_up(number: int, multiple: int) -> int:
  """The least multiple of `multiple` that is not below `number`."""
  return -(-number // multiple) * multiple


def place_batch(mesh: Mesh, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Puts a batch of numpy arrays [B, ...] on the devices, split by row.

  B must be a multiple of the number of devices.
  """
  return jax.device_put(dict(batch), by_row(mesh))


def local_devices() -> list[Any]:
  """This host's own devices: what the sampling loop is mapped over."""
  return jax.local_devices()


def platform() -> str:
  """The platform's name: "cpu", "gpu" or "tpu"."""
  return jax.default_backend()


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
  workers = (os.cpu_count() or 1) if kind == "cpu" else jax.device_count()
  seconds = operations / (_RATES.get(kind, _RATES["gpu"]) * workers)
  return f"about {max(1, round(seconds / 60))} min"
