# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is looked at before a run begins, and before --redo removes anything."""

import os
from collections.abc import Collection, Sequence

from etils import epath

from gd_jax import artefacts, devices, recipes
from gd_jax.data import general_text
from gd_jax.errors import UserError
from gd_jax.progress import Progress
from gd_jax.recipes import Config, Phase

# Phases by `linear.matmul` with a dtype.
_ROUNDED = ("teacher", "generator", "soft_labels")


def require_phases(
  workdir: epath.Path,
  phases: Sequence[Phase],
  *,
  redo: Collection[str],
  cleared: Collection[str],
) -> None:
  """Raises UserError where --redo clears what --phases does not make anew."""
  chosen = {phase.name for phase in phases}
  for phase in phases:
    for name in phase.reads:
      if name in cleared and name not in chosen:
        raise UserError(
          f"--redo clears {name}, which {phase.name} needs and --phases leaves "
          f"out: add {name} to --phases"
        )
  idle = set(redo) - chosen
  if idle := [name for name in idle if (workdir / name).exists()]:
    raise UserError(
      f"--redo={min(idle)} is not among --phases: nothing would make it anew"
    )


def require_one_device(
  config: Config,
  workdir: epath.Path,
  phases: Sequence[Phase],
  *,
  cleared: Collection[str],
) -> None:
  """Raises UserError where `matmul_dtype` is asked of several CPU devices.

  XLA would gather all rows on each of them, see `models/linear.py`. What is
  done already was made elsewhere.
  """
  if devices.platform() != "cpu" or devices.number() == 1:
    return
  for phase in phases:
    if phase.name not in _ROUNDED:
      continue
    wanted = config[phase.name].matmul_dtype
    if wanted is not None and _is_to_be_made(phase, workdir, cleared):
      raise UserError(
        f"config.{phase.name}.matmul_dtype is {wanted!r}, which is for one CPU"
        f" device, and there are {devices.number()}: leave it None"
      )


def require_sources(
  config: Config,
  workdir: epath.Path,
  phases: Sequence[Phase],
  cleared: Collection[str],
  progress: Progress,
  *,
  may_be_taken_over: bool,
) -> None:
  """Looks for what phases will be made of.

  Those that are there and cleared and, where no other workdir may have them,
  those that come after the first one that is not there: hours after it.

  Raises:
    UserError: It is not there, or no good.
    PretrainedError: The same, of a model's folder.
  """
  going = [
    phase
    for phase in phases
    if phase.name in cleared and (workdir / phase.name).exists()
  ]
  if going:
    progress.say("--redo looks first for what it will need")
  for phase in going:
    if recipes.is_gone(phase, config, workdir):
      raise UserError(
        f"--redo clears {phase.name}, whose model is not there any more: put"
        f" it back, or name another with --config.{phase.model}"
      )
  later: list[Phase] = []
  if not may_be_taken_over:
    later = [
      phase
      for phase in phases
      if phase not in going and _is_to_be_made(phase, workdir, cleared)
    ][1:]
  for phase in phases:
    if phase.require is not None and (phase in going or phase in later):
      phase.require(config, workdir, cleared, progress)


def require_apart(
  config: Config, workdir: epath.Path, phases: Sequence[Phase]
) -> None:
  """Raises UserError where the user's rows lie where a phase is kept."""
  rows = config.get("data", {}).get("folder")
  if not rows:
    return
  for phase in phases:
    if os.path.realpath(rows) == os.path.realpath(workdir / phase.name):
      raise UserError(
        f"{rows} holds your rows, and with --workdir={workdir} it is where the"
        f" phase {phase.name} would be kept: choose another --workdir"
      )


def require_texts(
  config: Config,
  workdir: epath.Path,
  phases: Sequence[Phase],
  *,
  cleared: Collection[str],
) -> None:
  """Looks for the files of general text before the phases that come earlier.

  Raises:
    UserError: One that is still to be read can't be, or two have one name.
  """
  for phase in phases:
    files = recipes.texts_of(phase, config)
    if files and _is_to_be_made(phase, workdir, cleared):
      general_text.require_files(files)


def _is_to_be_made(
  phase: Phase, workdir: epath.Path, cleared: Collection[str]
) -> bool:
  manifest = artefacts.read_manifest(workdir / phase.name)
  return manifest is None or phase.name in cleared
