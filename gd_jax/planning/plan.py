# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A plan before the bill: bytes, operations and time of each phase.

Time is a guess from the operations (6 a parameter and token in training, 2
otherwise: Kaplan et al. 2020, section 2.1) and from a share of the machine's
best that such programs reach. Time and bytes are compared with what the phases
took that the workdir has finished from the same config on devices of the same
kind and number.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, config_checks, pipeline, recipes
from gd_jax.errors import UserError
from gd_jax.planning import footprints, machines, shapes, tpu_compiler

# Shares of the peak. CPU: as `devices.about` has it, measured.
_ARITHMETIC = {"cpu": 0.375, "gpu": 0.35, "tpu": 0.35}
_MEMORY = 0.6
# What a runtime and its fragments leave of a device's memory.
_USABLE = 0.9
# The devices of a phase that tells of none.
_UNKNOWN = ("", None, 0)


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
    before: Bytes in use when it began, from `peaks`; None: not known.
    peak: Bytes in use at most, from `peaks`; None: not known.
    elsewhere: The devices it ran on, in words, where the plan is for others,
      or where they are not known; else None.
  """

  seconds: float
  before: float | None
  peak: float | None
  elsewhere: str | None


def make(
  config: config_dict.ConfigDict, workdir: epath.Path, machine: machines.Machine
) -> tuple[list[Line], shapes.Texts]:
  """The plan of all phases that take long, and what it assumes of the texts.

  Raises:
    UserError: A field makes no sense, the config or the task tells too little,
      texts are longer than a model reads, or a manifest of the workdir is
      damaged.
  """
  config_checks.check(config)
  texts = shapes.texts(config, workdir)
  _require_positions(config, texts)
  lines = [judge(config, texts, machine, name) for name in footprints.PHASES]
  measured = _measured(config, workdir, machine)
  return [
    dataclasses.replace(line, measured=measured.get(line.footprint.phase))
    for line in lines
  ], texts


def _require_positions(
  config: config_dict.ConfigDict, texts: shapes.Texts
) -> None:
  """As the phases do, which know the length of a prefix as well."""
  reads = shapes.teacher(config, texts.num_classes).config.max_length
  draws = shapes.generator(config).config.max_length
  for field, longest, most in (
    ("data.max_tokens", config.data.max_tokens, reads),
    ("generator.max_tokens", config.generator.max_tokens + 2, draws),
  ):
    if longest > most:
      raise UserError(
        f"config.{field} asks for {longest} positions, and the model has"
        f" {most}: lower it"
      )


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
    total = _total(line)
    yield (
      f"{f.phase:<12}{f.num_params / 1e6:>8.1f}M{f.weights / gib:>10.2f}"
      f"{f.optimizer / gib:>11.2f}{f.cache / gib:>8.2f}"
      f"{f.activations / gib:>10.2f}{total / gib:>10.2f}{f.flops:>10.1e}"
      f"{_time(line.seconds):>9}  {'yes' if line.fits else 'NO'}"
    )
  for line in lines:
    yield f"{line.footprint.phase}: {line.footprint.what}"
    yield from _off(line, machine)
  yield from _ran_elsewhere(lines)
  if machine.platform == "cpu":
    yield from _process_beside(lines)
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
  config: config_dict.ConfigDict, workdir: epath.Path, machine: machines.Machine
) -> dict[str, Measured]:
  """By phase, of those made as planned."""
  manifests = _made_as_planned(config, workdir)
  memories = {
    name: found["counts"].get("memory") for name, found in manifests.items()
  }
  places = {_place(memory) for memory in memories.values() if memory}
  # Of a phase that tells of none, what all the others tell.
  common = places.pop() if len(places) == 1 else _UNKNOWN
  found = {}
  for name, memory in memories.items():
    platform, kind, number = _place(memory) if memory else common
    elsewhere = None
    if not machine.is_made_of(kind, number):
      elsewhere = f"{number} × {kind}"
      if kind is None:
        elsewhere = f"{platform} devices of an unknown kind".strip()
    found[name] = Measured(
      manifests[name]["seconds"],
      memory["before"] if memory else None,
      memory["peak"] if memory else None,
      elsewhere,
    )
  return found


def _place(memory: Mapping[str, Any]) -> tuple[str, str | None, int]:
  """(platform, kind of device, how many); early manifests tell of no kind."""
  number = memory.get("num_devices", 0)
  return memory["platform"], memory.get("kind"), number


def _made_as_planned(
  config: config_dict.ConfigDict, workdir: epath.Path
) -> Mapping[str, Mapping[str, Any]]:
  """Manifests of the phases that are done from this config, and all above."""
  found: dict[str, Mapping[str, Any]] = {}
  for phase in pipeline.PHASES:
    manifest = artefacts.read_manifest(workdir / phase.name)
    if manifest is None:
      continue
    inputs = manifest["inputs"] | {
      name: found[name]["fingerprint"] if name in found else ""
      for name in phase.reads
    }
    fields = recipes.recipe_config(config, phase)
    if not recipes.changes(manifest, phase, config=fields, inputs=inputs):
      found[phase.name] = manifest
  return found


def _off(line: Line, machine: machines.Machine) -> Iterator[str]:
  """How far the plan was off."""
  if (found := line.measured) is None or found.elsewhere or not line.seconds:
    return
  phase = line.footprint.phase
  yield (
    f"{phase}: measured {_time(found.seconds)} in this workdir, planned"
    f" {_time(line.seconds)}: off by a factor of"
    f" {found.seconds / line.seconds:.2f}"
  )
  if found.peak is None or found.before is None or machine.platform == "cpu":
    return
  taken, total = found.peak - found.before, _total(line)
  yield (
    f"{phase}: measured {taken / machines.GIB:.2f} GiB in this workdir, planned"
    f" {total / machines.GIB:.2f} GiB: off by a factor of {taken / total:.2f}"
  )


def _ran_elsewhere(lines: list[Line]) -> Iterator[str]:
  """Which phases the workdir has finished that say nothing of this plan."""
  phases: dict[str, list[str]] = {}
  for line in lines:
    if line.measured and line.measured.elsewhere:
      names = phases.setdefault(line.measured.elsewhere, [])
      names.append(line.footprint.phase)
  for devices, names in phases.items():
    yield (
      f"{', '.join(names)}: finished in this workdir on {devices}: not compared"
      " with this plan"
    )


def _process_beside(lines: list[Line]) -> Iterator[str]:
  """The bytes of a CPU's process, which can't be told apart by phases.

  It holds libraries and compiled programs, too, and reuses what an earlier
  phase has left.
  """
  known = [
    (line.measured.peak, _total(line))
    for line in lines
    if line.measured
    and not line.measured.elsewhere
    and line.measured.peak is not None
  ]
  if known:
    peak, planned = (
      max(each) / machines.GIB for each in zip(*known, strict=True)
    )
    yield (
      f"all phases: measured {peak:.2f} GiB at most in this workdir, of the"
      " whole process, libraries and compiler included; the largest of these"
      f" phases is planned at {planned:.2f} GiB"
    )


def _total(line: Line) -> float:
  """Planned bytes on a device."""
  return line.footprint.total if line.compiled is None else line.compiled


def _time(seconds: float) -> str:
  if seconds < 90:
    return f"{seconds:.0f} s"
  if seconds < 5400:
    return f"{seconds / 60:.0f} min"
  return f"{seconds / 3600:.1f} h"
