# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Is a workdir still what its manifests say? What `--verify` answers."""

from collections.abc import Collection, Iterator
from typing import Any

from etils import epath

from gd_jax import (
  artefacts,
  checkpoints,
  counts,
  pipeline,
  recipes,
  workdirs,
)
from gd_jax.errors import UserError
from gd_jax.progress import Progress


def verify(
  workdir: epath.PathLike,
  *,
  phases: Collection[str] | None = None,
  progress: Progress | None = None,
) -> list[str]:
  """Checks every artefact of `workdir` and says what is wrong with each.

  Args:
    workdir: where the artefacts lie.
    phases: names of the only phases to look at; None: all.
    progress: where it is said what could not be looked at; None: stderr.

  Returns:
    One line per problem, each with the mend.
  """
  workdir = epath.Path(workdir)
  if not workdir.exists():
    raise UserError(f"there is no workdir {workdir}: check --workdir")
  if not any((workdir / name).is_dir() for name in pipeline.NAMES):
    raise UserError(f"{workdir} holds no artefact: check --workdir")
  names = pipeline.chosen_of(phases)
  # Read first: a phase that ends meanwhile is looked at, not passed over.
  writer = workdirs.holder(workdir)
  found = []
  for phase in (phase for phase in pipeline.PHASES if phase.name in names):
    folder = workdir / phase.name
    try:
      recipe = recipes.recipe_of(folder)
      manifest = artefacts.read_manifest(folder)
      if recipe is None:
        continue
      if manifest is None and writer is not None:
        # Half of it may be a step further than the other half.
        (progress or Progress()).say(
          f"{folder} is not looked at: process {writer} is at work in {workdir}"
        )
      elif manifest is None:
        found += _wrong_with_unfinished(folder)
      else:
        found += _wrong_with_finished(phase, workdir, manifest)
        if writer is None:  # Else the others may be about to follow.
          found += _wrong_with_inputs(phase, workdir, manifest)
    except UserError as error:
      found.append(str(error))
  return found


def _wrong_with_unfinished(folder: epath.Path) -> list[str]:
  return [
    *checkpoints.resume_problems(folder),
    *(
      f"{problem}: the same command makes it anew"
      for _, problem in workdirs.unproven(folder)
    ),
  ]


def _wrong_with_finished(
  phase: recipes.Phase, workdir: epath.Path, manifest: dict[str, Any]
) -> list[str]:
  folder = workdir / phase.name
  mend = f"mend it with --redo={phase.name}"
  found = [f"{problem}: {mend}" for problem in artefacts.problems(folder)]
  if not found:
    # Only of whole files does it make sense to ask what they hold.
    found += [
      f"{problem}: {mend}"
      for problem in counts.problems(phase.name, folder, manifest)
    ]
    found += checkpoints.params_problems(folder)
  return found


def _wrong_with_inputs(
  phase: recipes.Phase, workdir: epath.Path, manifest: dict[str, Any]
) -> Iterator[str]:
  for name in phase.reads:
    other = artefacts.read_manifest(workdir / name)
    if other is None or other["fingerprint"] != manifest["inputs"][name]:
      yield (
        f"{workdir / phase.name} was made from another {name} than the one "
        f"that lies beside it: mend it with --redo={phase.name}"
      )
