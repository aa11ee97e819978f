# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A plan before the bill: bytes, operations and time of each phase.

Time is a guess from the operations (6 a parameter and token in training, 2
otherwise: Kaplan et al. 2020, section 2.1) and from a share of the machine's
best that such programs reach. Time and bytes are compared with what the phases
took that the workdir has finished on such a machine.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts
from gd_jax.planning import footprints, machines, shapes, tpu_compiler

# Shares of the peak. CPU: as `devices.about` has it, measured.
_ARITHMETIC = {"cpu": 0.375, "gpu": 0.35, "tpu": 0.35}
_MEMORY = 0.6
# What a runtime and its fragments leave of a device's memory.
_USABLE = 0.9


@dataclasses.dataclass(frozen=True)
class Line:
  """One phase of the plan.

  Attributes:
    footprint: What it holds and computes.
    seconds: The guess of its time.
    compiled: Bytes on a device by the TPU compiler, or None.
    measured: What the workdir's own run of it took, or None.
    fits: Whether a device's memory holds it.
  """

  footprint: footprints.Footprint
  seconds: float
  compiled: float | None
  measured: "Measured | None"
  fits: bool


@dataclasses.dataclass(frozen=True)
class Measured:
  """What a phase took.

  Attributes:
    seconds: Of all its runs, as its manifest has it.
    taken: Bytes beyond those in use when it began, from `peaks`; None where
      they are not known.
  """

  seconds: float
  taken: float | None


def make(
  config: config_dict.ConfigDict, workdir: epath.Path, machine: machines.Machine
) -> tuple[list[Line], shapes.Texts]:
  """The plan of all phases that take long, and what it assumes of the texts.

  Raises:
    UserError: The config or the task tells too little.
  """
  texts = shapes.texts(config, workdir)
  lines = [judge(config, texts, machine, name) for name in footprints.PHASES]
  measured = [_measured(workdir, name, machine) for name in footprints.PHASES]
  return [
    dataclasses.replace(line, measured=found)
    for line, found in zip(lines, measured, strict=True)
  ], texts


def judge(
  config: config_dict.ConfigDict,
  texts: shapes.Texts,
  machine: machines.Machine,
  phase: str,
) -> Line:
  """One phase's line."""
  footprint = footprints.PHASES[phase](config, texts, machine)
  compiled = tpu_compiler.bytes_per_device(phase, config, texts, machine)
  total = footprint.total if compiled is None else compiled
  return Line(
    footprint,
    _seconds(footprint, machine),
    compiled,
    measured=None,
    fits=total <= _USABLE * machine.memory,
  )


def describe(
  lines: list[Line], texts: shapes.Texts, machine: machines.Machine
) -> Iterator[str]:
  """The plan as lines of text, with what it assumes."""
  gib = machines.GIB
  known = (
    "of the real TPU compiler"
    if any(line.compiled is not None for line in lines)
    else "estimated from shapes"
  )
  yield (
    f"plan for {machine.name}: {machine.num_devices} {machine.platform}"
    f" device(s) of {machine.memory / gib:.0f} GiB; nothing is allocated"
  )
  yield (
    f"{'phase':<12}{'params':>9}{'weights':>10}{'optimizer':>11}{'cache':>8}"
    f"{'activat.':>10}{'all, GiB':>10}{'FLOPs':>10}{'time':>9}  fits"
  )
  for line in lines:
    f = line.footprint
    total = f.total if line.compiled is None else line.compiled
    yield (
      f"{f.phase:<12}{f.num_params / 1e6:>8.1f}M{f.weights / gib:>10.2f}"
      f"{f.optimizer / gib:>11.2f}{f.cache / gib:>8.2f}"
      f"{f.activations / gib:>10.2f}{total / gib:>10.2f}{f.flops:>10.1e}"
      f"{_time(line.seconds):>9}  {'yes' if line.fits else 'NO'}"
    )
  for line in lines:
    yield f"{line.footprint.phase}: {line.footprint.what}"
    yield from _off(line)
  mean = texts.mean_tokens
  yield (
    f"GiB on one device, {known}. Time assumes"
    f" {_ARITHMETIC[machine.platform]:.0%} of {machine.flops:.2g} FLOP/s and"
    f" {_MEMORY:.0%} of {machine.bandwidth:.2g} B/s, texts of"
    + (" half the most tokens" if mean is None else f" {mean:.0f} tokens")
    + f", {texts.num_labelled:,} labelled rows of {texts.num_classes} classes,"
    " no early stop; compiling, reading and writing are not counted"
  )


def _seconds(
  footprint: footprints.Footprint, machine: machines.Machine
) -> float:
  rate = _ARITHMETIC[machine.platform] * machine.flops * machine.num_devices
  by_memory = footprint.traffic / (_MEMORY * machine.bandwidth)
  return max(footprint.flops / rate, by_memory)


def _measured(
  workdir: epath.Path, phase: str, machine: machines.Machine
) -> Measured | None:
  path = workdir / phase / artefacts.MANIFEST
  if not path.exists():
    return None
  found: Any = artefacts.read_json(path)
  memory = found["counts"].get("memory")
  # Where no memory is told of, nothing tells on what it ran either.
  if (memory["platform"] if memory else "cpu") != machine.platform:
    return None
  taken = memory["peak"] - memory["before"] if memory else None
  return Measured(found["seconds"], taken)


def _off(line: Line) -> Iterator[str]:
  """How far the plan was off."""
  if (found := line.measured) is None:
    return
  yield (
    f"{line.footprint.phase}: measured {_time(found.seconds)} here, planned"
    f" {_time(line.seconds)}: off by a factor of"
    f" {found.seconds / line.seconds:.2f}"
  )
  if found.taken is not None:
    total = line.footprint.total if line.compiled is None else line.compiled
    yield (
      f"{line.footprint.phase}: measured {found.taken / machines.GIB:.2f} GiB"
      f" here, planned {total / machines.GIB:.2f} GiB: off by a factor of"
      f" {found.taken / total:.2f}"
    )


def _time(seconds: float) -> str:
  if seconds < 90:
    return f"{seconds:.0f} s"
  if seconds < 5400:
    return f"{seconds / 60:.0f} min"
  return f"{seconds / 3600:.1f} h"
