# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The machines that a run can be planned for, by the names people use."""

import contextlib
import dataclasses
import math
import os
import pathlib
import re

from gd_jax import devices
from gd_jax.errors import UserError

GIB = 2**30
# What a container's process may use, of the two versions of control groups.
_MEMORY_LIMITS = (
  pathlib.Path("/sys/fs/cgroup/memory.max"),
  pathlib.Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclasses.dataclass(frozen=True)
class Machine:
  """Devices of one kind.

  Attributes:
    name: As it was asked for.
    platform: "cpu", "gpu" or "tpu".
    num_devices: What JAX counts: TPU chips, GPUs, one CPU.
    memory: Bytes of one device.
    flops: Operations a second of one device at its best: of matrix products in
      bfloat16, on a CPU in float32.
    bandwidth: Bytes a second between one device and its memory.
    kind: A pattern of what JAX calls such a device; see `devices.kind`.
    topology: What the TPU compiler calls it; "" where there is none.
  """

  name: str
  platform: str
  num_devices: int
  memory: float
  flops: float
  bandwidth: float
  kind: str
  topology: str = ""

  def is_made_of(self, kind: str | None, num_devices: int) -> bool:
    """Whether so many devices of that kind are such a machine."""
    same = kind is not None and re.fullmatch(self.kind, kind) is not None
    return same and num_devices == self.num_devices


@dataclasses.dataclass(frozen=True)
class _Kind:
  platform: str
  memory: float
  flops: float
  bandwidth: float
  kind: str
  # Names of TPUs up to v5p count cores, of which a chip has two.
  cores: int = 1


# Peaks as the makers publish them (cloud.google.com/tpu/docs, nvidia.com).
_KINDS = {
  "v4": _Kind("tpu", 32 * GIB, 275e12, 1.2e12, "TPU v4", cores=2),
  "v5e": _Kind("tpu", 16 * GIB, 197e12, 0.82e12, "TPU v5 lite|TPU v5e"),
  "v5p": _Kind("tpu", 95 * GIB, 459e12, 2.77e12, "TPU v5p?", cores=2),
  "v6e": _Kind("tpu", 32 * GIB, 918e12, 1.64e12, "TPU v6 lite|TPU v6e"),
  "a100": _Kind("gpu", 80 * GIB, 312e12, 2.0e12, "NVIDIA A100.*80GB.*"),
  "h100": _Kind("gpu", 80 * GIB, 989e12, 3.35e12, "NVIDIA H100.*"),
  "h200": _Kind("gpu", 141 * GIB, 989e12, 4.8e12, "NVIDIA H200.*"),
}
_OTHER_NAMES = {"v5litepod": "v5e"}
# A core of a server: 8 float32 lanes, two fused operations each, at 2.5 GHz.
_CORE_FLOPS, _CPU_BANDWIDTH = 8e10, 2e10


def parse(name: str) -> Machine:
  """The machine of a name such as "v5e-8", "v4-8", "h200", "h200x4", "cpu".

  Raises:
    UserError: Nothing known has that name.
  """
  if name == "cpu":
    return _this_cpu()
  found = re.fullmatch(r"(\w+?)(?:(-|x)(\d+))?", name.lower())
  kind_name = _OTHER_NAMES.get(found[1], found[1]) if found else ""
  kind = _KINDS.get(kind_name)
  separator = {"tpu": "-", "gpu": "x"}.get(kind.platform if kind else "")
  chips = int(found[3] or 1) // (kind.cores if kind else 1) if found else 0
  if (
    found is None
    or kind is None
    or found[2] not in (None, separator)
    or chips < 1
    or (kind.platform == "tpu" and chips & (chips - 1))
  ):
    raise UserError(
      f"--devices={name} is not known: name a TPU slice (v4-8, v5e-8, v5p-8,"
      " v6e-8), GPUs (h200, h200x4, h100, a100), or cpu"
    )
  return Machine(
    name,
    kind.platform,
    chips,
    kind.memory,
    kind.flops,
    kind.bandwidth,
    kind.kind,
    topology=_topology(kind_name, chips) if kind.platform == "tpu" else "",
  )


def _topology(kind: str, chips: int) -> str:
  """v5e:2x4, v4:2x2x1: as near to a square or cube as doubling gets."""
  shape = [1] * (2 if kind in ("v5e", "v6e") else 3)
  while math.prod(shape) < chips:
    shape[shape.index(min(shape))] *= 2
  flat = len(shape) == 2
  return f"{kind}:" + "x".join(map(str, sorted(shape, reverse=not flat)))


def _memory() -> int:
  """Bytes of this machine, or fewer that its container may use."""
  found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
  for file in _MEMORY_LIMITS:
    with contextlib.suppress(OSError, ValueError):  # Absent, or "max".
      found.append(int(file.read_text()))
  return min(found)


def _this_cpu() -> Machine:
  return Machine(
    "cpu",
    "cpu",
    1,
    _memory(),
    devices.num_cores() * _CORE_FLOPS,
    _CPU_BANDWIDTH,
    re.escape(devices.cpu_kind()),
  )
