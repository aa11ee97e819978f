# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the phases in order: each is skipped, continued, begun or refused.

The order is that of `phase_table`. A phase is skipped when its manifest proves
it done from these inputs and this config; one that was made otherwise is never
overwritten: the run ends with a line that names the field and both values.
"""

from collections.abc import Collection, Sequence

from etils import epath

from gd_jax import (
  artefacts,
  checkpoints,
  config_checks,
  hosts,
  journal,
  peaks,
  profiling,
  recipes,
  requirements,
  signals,
  workdirs,
)
from gd_jax.errors import UserError
from gd_jax.phase_table import PHASES
from gd_jax.progress import Progress
from gd_jax.recipes import Config, Phase

NAMES = tuple(phase.name for phase in PHASES)


def run(
  config: Config,
  workdir: epath.PathLike,
  *,
  phases: Collection[str] | None = None,
  redo: Collection[str] = (),
  reuse: Sequence[epath.PathLike] = (),
  progress: Progress | None = None,
) -> epath.Path:
  """Runs the phases in order, each one only where it is not done already.

  Of several hosts, host 0 alone decides; the others come to what it shares.

  Args:
    config: a config with one section per phase.
    workdir: where the artefacts lie or shall lie.
    phases: names of the only phases to run; None: all.
    redo: names of phases to clear first, with all that depends on them.
    reuse: other workdirs; a phase that is done there from the same config and
      inputs is taken over.
    progress: where lines and bars go; None: stderr.

  Returns:
    The workdir.

  Raises:
    UserError: anything the user can mend, in one line.
    Stopped: a signal asked for it; the same call continues.
  """
  config_checks.check(config)
  named = chosen_of(phases)
  others = [workdirs.place(other) for other in reuse]
  for other in others:
    if not other.is_dir():
      raise UserError(f"--reuse={other}: there is no such workdir")
    if not is_workdir(other):
      raise UserError(
        f"--reuse={other} is no workdir: it has none of {', '.join(NAMES)}"
      )
  progress = progress or Progress()
  workdir = workdirs.place(workdir)
  if not hosts.is_first():
    _help(config, workdir, progress)
    return workdir
  chosen = [phase for phase in PHASES if phase.name in named]
  with workdirs.lock(workdir), hosts.leading(workdir):
    workdirs.sweep_leftovers(workdir, NAMES)
    cleared = dependents(checked(redo))
    # All that can be refused is refused before anything is removed.
    requirements.require_phases(
      workdir, chosen, redo=checked(redo), cleared=cleared
    )
    requirements.require_apart(config, workdir, PHASES)
    requirements.require_texts(config, workdir, chosen, cleared=cleared)
    requirements.require_one_device(config, workdir, chosen, cleared=cleared)
    _require_compatible(config, workdir, chosen, cleared=cleared)
    requirements.require_sources(
      config,
      workdir,
      chosen,
      cleared,
      progress,
      may_be_taken_over=bool(others),
    )
    _clear(workdir, cleared, progress)
    whole: set[str] = set()
    for number, phase in enumerate(chosen, start=1):
      signals.check()
      _run_phase(
        phase,
        config,
        workdir,
        reuse=others,
        whole=whole,
        progress=progress,
        title=f"[{number}/{len(chosen)}] {phase.name}",
      )
  return workdir


def is_workdir(folder: epath.Path) -> bool:
  """Whether a phase has begun there."""
  return any((folder / name).is_dir() for name in NAMES)


def _help(config: Config, workdir: epath.Path, progress: Progress) -> None:
  """What another host than the first does: its part of what is shared."""
  runs = {phase.name: phase.run for phase in PHASES}
  for name in hosts.calls(workdir):
    with journal.keep(workdir / name, host=hosts.index()):
      runs[name](config, workdir, progress)


def checked(names: Collection[str]) -> set[str]:
  """`names`, all of them phases'.

  Raises:
    UserError: one is not; says which there are.
  """
  for name in names:
    if name not in NAMES:
      raise UserError(
        f"no phase is named {name!r}: choose of {', '.join(NAMES)}"
      )
  return set(names)


def chosen_of(phases: Collection[str] | None) -> set[str]:
  """The phases that were named; all where None were.

  Raises:
    UserError: as for `checked`, or the list is empty.
  """
  if phases is not None and not phases:
    raise UserError(f"--phases names none: choose of {', '.join(NAMES)}")
  return checked(NAMES if phases is None else phases)


def dependents(names: Collection[str]) -> list[str]:
  """`names` and every phase made from them, the last one first."""
  found = set(names)
  for phase in PHASES:
    if not found.isdisjoint(phase.reads):
      found.add(phase.name)
  return [name for name in reversed(NAMES) if name in found]


def _clear(
  workdir: epath.Path, names: Sequence[str], progress: Progress
) -> None:
  present = [name for name in names if (workdir / name).exists()]
  if present:
    progress.say(f"--redo removes from {workdir}: {', '.join(present)}")
  for name in present:
    _remove(workdir / name, progress)


def _remove(folder: epath.Path, progress: Progress) -> None:
  """Clears a phase's folder, but for what is not its own."""
  if recipes.is_signed(folder):
    _keep_foreign(folder, progress)
    workdirs.clear(folder)
  else:
    aside = workdirs.set_aside(folder)
    progress.warn(
      f"nothing tells that {folder} was made here: it is kept, as {aside}"
    )


def _keep_foreign(folder: epath.Path, progress: Progress) -> None:
  """Moves out of a folder that is about to change what somebody put there."""
  names = workdirs.foreign(folder)
  if names:
    aside = workdirs.set_files_aside(folder, names)
    progress.warn(
      f"{names[0]} in {folder} was not made here: it is kept, in {aside}"
    )


def _require_compatible(
  config: Config,
  workdir: epath.Path,
  phases: Sequence[Phase],
  *,
  cleared: Collection[str],
) -> None:
  """Refuses a changed config before any work is done.

  Raises:
    UserError: names the field and both values, or the phase that a growing
      one would leave behind.
  """
  changing: set[str] = set()
  # What is read is of this config too, or a report would tell of another one.
  needed = {phase.name for phase in phases}
  for phase in reversed(PHASES):
    if phase.name in needed:
      needed.update(phase.reads)
  for phase in PHASES:
    if phase.name not in needed or phase.derived or phase.name in cleared:
      continue
    recipe = recipes.recipe_of(workdir / phase.name)
    if recipe is None:
      continue
    fields = recipes.recipe_config(config, phase)
    changes = recipes.changes(
      recipe, phase, config=fields, inputs=recipe["inputs"]
    )
    refused = recipes.hindrances(recipe, phase, changes)
    if refused:
      raise _refusal(phase, workdir, recipes.told(refused[0], phase, config))
    if phase not in phases:
      continue
    left_behind = changing.intersection(phase.reads) - {*phase.follows}
    if left_behind:
      raise _refusal(
        phase, workdir, f"{min(left_behind)} is about to grow under it"
      )
    if changes or changing.intersection(phase.reads):
      changing.add(phase.name)


def _refusal(phase: Phase, workdir: epath.Path, why: str) -> UserError:
  goes = ", ".join(reversed(dependents([phase.name])))
  return UserError(
    f"{workdir / phase.name} was made otherwise: {why}. Go on with "
    f"--redo={phase.name} (clears {goes}) or with another --workdir"
  )


def _is_done_in(
  other: epath.Path,
  phase: Phase,
  config: Config,
  inputs: dict[str, str],
) -> bool:
  """Whether `phase` can be taken over from the workdir `other`.

  Raises:
    UserError: It could, but for a file that is damaged, or but that it was
      made from files that are not here: they may be other ones.
  """
  try:
    manifest = artefacts.read_manifest(other / phase.name)
    if manifest is None:
      return False
    if recipes.is_gone(phase, config, other):
      inputs = inputs | {"model": recipes.OUT_OF_REACH}
    fields = recipes.recipe_config(config, phase)
    if recipes.changes(manifest, phase, config=fields, inputs=inputs):
      return False
    artefacts.require_whole(other / phase.name)
  except UserError as error:
    # A --redo of this run would not mend that workdir.
    raise UserError(
      f"{phase.name} can't be taken over from {other}, where it has to be "
      f"mended or moved out of the way: {error}"
    ) from error
  if why := recipes.unseen(phase, manifest, config):
    raise UserError(
      f"data is not taken over from {other} without looking at the same files:"
      f" {why}"
    )
  return True


def _run_phase(
  phase: Phase,
  config: Config,
  workdir: epath.Path,
  *,
  reuse: Sequence[epath.Path],
  whole: set[str],
  progress: Progress,
  title: str,
) -> None:
  """Skips, takes over, refuses, continues or begins `phase`.

  Args:
    phase: Which.
    config: The whole config.
    workdir: Where it lies.
    reuse: Other workdirs.
    whole: Names of phases whose every file was checked; added to.
    progress: Where lines go.
    title: What they begin with.
  """
  folder = workdir / phase.name
  fields = recipes.recipe_config(config, phase)
  inputs = recipes.inputs_of(phase, config, workdir)
  recipe = recipes.recipe_of(folder)
  if recipe is None:
    workdirs.empty(folder)
    for other in reuse:
      if other != workdir and _is_done_in(other, phase, config, inputs):
        workdirs.take_over(other / phase.name, folder)
        progress.say(f"{title}: taken over from {other}")
        whole.add(phase.name)
        return
  else:
    changes = recipes.changes(recipe, phase, config=fields, inputs=inputs)
    refused = (
      [] if phase.derived else recipes.hindrances(recipe, phase, changes)
    )
    if refused:
      raise _refusal(phase, workdir, recipes.told(refused[0], phase, config))
    manifest = artefacts.read_manifest(folder)
    if manifest is not None:
      artefacts.require_whole(folder)
      if not changes:
        if why := recipes.unseen(phase, manifest, config):
          progress.warn(f"{why}; {folder} is taken as it is")
        checkpoints.clear_resume(folder)  # A kill may have been faster.
        progress.say(f"{title}: done already")
        whole.add(phase.name)
        return
    _keep_foreign(folder, progress)
    if phase.derived and changes:
      if phase.require is not None:
        phase.require(config, workdir, (), progress)
      # Of an unfinished one, too: its files are of the earlier config.
      workdirs.clear(folder)
    elif manifest is not None:
      journal.seed(folder, manifest)
  for name in set(phase.reads) - whole:
    artefacts.require_whole(workdir / name)
    whole.add(name)
  artefacts.begin(folder, config=fields, inputs=inputs)
  for problem in workdirs.drop_unproven(folder):
    progress.warn(f"{title}: {problem}: it is made anew")
  progress.say(f"{title}")
  shared = phase.name if phase.shared else None
  work = peaks.counted(phase.run) if shared else phase.run  # They compute.
  with (
    journal.keep(folder) as kept,
    hosts.together(shared),
    profiling.span(phase.name),
  ):
    found = work(config, workdir, progress)
  manifest = artefacts.finish(
    folder, config=fields, inputs=inputs, counts=found, seconds=kept.seconds
  )
  checkpoints.clear_resume(folder)
  whole.add(phase.name)
  progress.say(f"{title}: done in {manifest['seconds']:.0f} s")
