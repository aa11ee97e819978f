# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The order of the phases, and when one is skipped, continued or refused.

Nothing else knows the order. A phase is skipped when its manifest proves it
done from these inputs and this config; one that was made otherwise is never
overwritten: the run ends with a line that names the field and both values.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

from etils import epath
from ml_collections import config_dict

from gd_jax import (
  artefacts,
  journal,
  signals,
  workdirs,
)
from gd_jax.data import tasks
from gd_jax.errors import UserError
from gd_jax.phases import (
  corpus,
  data,
  export,
  generator,
  report,
  soft_labels,
  students,
  teacher,
)
from gd_jax.progress import Progress

Config = config_dict.ConfigDict


@dataclasses.dataclass(frozen=True)
class Phase:
  """One phase and what its artefact depends on.

  Attributes:
    name: of the module, the config section and the folder.
    run: makes the artefact; returns counts for the manifest.
    reads: the artefacts it is made from.
    also: config fields outside its own section that it depends on.
    free: fields of its section that can't change what it makes.
    grows: fields whose change adds to the artefact instead of spoiling it,
      each with the test (was, now) -> whether it only adds.
    follows: artefacts of `reads` that may change under it: it keeps, piece by
      piece, what still fits.
    derived: holds nothing that is not computed from other artefacts in a
      moment, so it is made anew without asking.
  """

  name: str
  run: Callable[[Config, epath.Path, Progress], dict[str, Any]]
  reads: tuple[str, ...] = ()
  also: tuple[str, ...] = ()
  free: frozenset[str] = frozenset()
  grows: dict[str, Callable[[Any, Any], bool]] = dataclasses.field(
    default_factory=dict
  )
  follows: tuple[str, ...] = ()
  derived: bool = False


def _larger(was: Any, now: Any) -> bool:
  return now > was


def _anything(was: Any, now: Any) -> bool:
  del was, now
  return True


PHASES = (
  Phase(
    "data",
    data.run,
    also=("task",),
    free=frozenset({"dir", "folder", "cache_dir", "allow_download"}),
  ),
  Phase(
    "teacher",
    teacher.run,
    reads=("data",),
    also=("seed",),
    free=frozenset({"allow_download"}),
  ),
  Phase(
    "generator",
    generator.run,
    reads=("data",),
    also=("seed",),
    free=frozenset({"allow_download"}),
  ),
  Phase(
    "corpus",
    corpus.run,
    reads=("data", "generator"),
    also=("seed",),
    free=frozenset({"steps_per_call"}),
    grows={"corpus.num_texts": _larger},
  ),
  Phase(
    "soft_labels",
    soft_labels.run,
    reads=("data", "teacher", "corpus"),
    free=frozenset({"batch_size"}),
    follows=("corpus",),
  ),
  Phase(
    "students",
    students.run,
    reads=("data", "teacher", "corpus", "soft_labels"),
    also=("seed",),
    # Each students/ARM/SEED has a manifest of its own.
    grows={"students.arms": _anything, "students.num_seeds": _anything},
  ),
  Phase(
    "report",
    report.run,
    reads=(
      "data",
      "teacher",
      "generator",
      "corpus",
      "soft_labels",
      "students",
    ),
    also=("task", "seed"),
    derived=True,
  ),
  Phase(
    "export",
    export.run,
    reads=("data", "students", "report"),
    free=frozenset({"onnxruntime_web"}),
    derived=True,
  ),
)
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
  progress = progress or Progress()
  workdir = epath.Path(workdir)
  chosen = [
    phase
    for phase in PHASES
    if phase.name in checked(phases if phases is not None else NAMES)
  ]
  with workdirs.lock(workdir):
    workdirs.sweep_leftovers(workdir)
    _clear(workdir, dependents(checked(redo)), progress)
    _require_compatible(config, workdir, chosen)
    whole: set[str] = set()
    for number, phase in enumerate(chosen, start=1):
      signals.check()
      _run_phase(
        phase,
        config,
        workdir,
        reuse=[epath.Path(folder) for folder in reuse],
        whole=whole,
        progress=progress,
        title=f"[{number}/{len(chosen)}] {phase.name}",
      )
  return workdir


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
    workdirs.clear(workdir / name)


def recipe_config(config: Config, phase: Phase) -> dict[str, Any]:
  """What of `config` decides about `phase`'s artefact, by dotted name."""
  fields = {name: config[name] for name in phase.also}
  section: Any = config[phase.name]
  for name, value in section.items():
    if name not in phase.free:
      value = value.to_dict() if isinstance(value, Config) else value
      fields[f"{phase.name}.{name}"] = value
  return fields


def _inputs(
  phase: Phase, config: Config, workdir: epath.Path
) -> dict[str, str]:
  """Fingerprints of what `phase` reads, as it is now on disk."""
  found = {}
  for name in phase.reads:
    manifest = artefacts.read_manifest(workdir / name)
    if manifest is None:
      raise UserError(
        f"{phase.name} needs {name}, which is not done in {workdir}: "
        f"run it first, with --phases={name},{phase.name}"
      )
    found[name] = manifest["fingerprint"]
  if phase.name == "data":
    source = tasks.source_fingerprint(config)
    if source is not None:
      found["source"] = source
  return found


def _hindrances(
  recipe: dict[str, Any], phase: Phase, differences: Sequence
) -> list[artefacts.Difference]:
  """The differences under which `phase`'s folder may not be continued."""
  found = []
  for difference in differences:
    grows = phase.grows.get(difference.field)
    follows = {f"the artefact {name}" for name in phase.follows}
    if difference.field in follows:
      continue
    # The source may be out of reach where a workdir was moved to.
    if difference.field == "the artefact source" and None in (
      difference.was,
      difference.now,
    ):
      continue
    if grows is not None and grows(difference.was, difference.now):
      continue
    found.append(difference)
  return found


def recipe_of(folder: epath.Path) -> dict[str, Any] | None:
  """What `folder` was made by, or is being made by; None if it's not begun.

  Raises:
    UserError: it was begun, but what said so is gone or damaged.
  """
  recipe = artefacts.read_manifest(folder) or artefacts.read_started(folder)
  if recipe is None and folder.exists():
    for name, _ in artefacts.files_below(folder):
      raise UserError(
        f"{folder / artefacts.MANIFEST} is missing, and {name} lies there: "
        f"put it back, or run again with --redo={folder.name} to make all of "
        "it anew"
      )
  return recipe


def _require_compatible(
  config: Config, workdir: epath.Path, phases: Sequence[Phase]
) -> None:
  """Refuses a changed config before any work is done.

  Raises:
    UserError: names the field and both values, or the phase that a growing
      one would leave behind.
  """
  changing: set[str] = set()
  for phase in phases:
    recipe = recipe_of(workdir / phase.name)
    if recipe is None or phase.derived:
      continue
    fields = recipe_config(config, phase)
    changes = artefacts.differences(
      recipe, config=fields, inputs=recipe["inputs"]
    )
    refused = _hindrances(recipe, phase, changes)
    if refused:
      raise _refusal(phase, workdir, str(refused[0]))
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
  fields = recipe_config(config, phase)
  inputs = _inputs(phase, config, workdir)
  recipe = recipe_of(folder)
  if recipe is None:
    workdirs.clear(folder)
    for other in reuse:
      if other != workdir and artefacts.is_done(
        other / phase.name, fields, inputs
      ):
        workdirs.take_over(other / phase.name, folder)
        progress.say(f"{title}: taken over from {other}")
        whole.add(phase.name)
        return
  else:
    changes = artefacts.differences(recipe, config=fields, inputs=inputs)
    refused = [] if phase.derived else _hindrances(recipe, phase, changes)
    if refused:
      raise _refusal(phase, workdir, str(refused[0]))
    manifest = artefacts.read_manifest(folder)
    if manifest is not None:
      artefacts.require_whole(folder)
      if not changes:
        progress.say(f"{title}: done already")
        whole.add(phase.name)
        return
      if phase.derived:
        workdirs.clear(folder)
      else:
        journal.seed(folder, manifest)
  for name in set(phase.reads) - whole:
    artefacts.require_whole(workdir / name)
    whole.add(name)
  artefacts.begin(folder, config=fields, inputs=inputs)
  for problem in workdirs.drop_unproven(folder):
    progress.warn(f"{title}: {problem}: it is made anew")
  progress.say(f"{title}")
  with journal.keep(folder) as kept:
    found = phase.run(config, workdir, progress)
  manifest = artefacts.finish(
    folder, config=fields, inputs=inputs, counts=found, seconds=kept.seconds
  )
  whole.add(phase.name)
  progress.say(f"{title}: done in {manifest['seconds']:.0f} s")
