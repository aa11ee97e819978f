# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a phase's artefact depends on, and what of it may change under it."""

import dataclasses
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, hub
from gd_jax.data import general_text, tasks
from gd_jax.errors import UserError
from gd_jax.progress import Progress

Config = config_dict.ConfigDict

# In place of the fingerprint of files that a finished phase has read and that
# are not here: a moved workdir stays valid.
OUT_OF_REACH = "out of reach"


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
    require: require(config, workdir, cleared, progress) raises UserError, or
      PretrainedError, where what it needs is not there or no good: from
      outside of the workdir, or of phases that are not `cleared`. Asked before
      anything is removed for it; None: nothing is to be asked.
    model: the field that names the weights it begins with, if any.
    texts: the field that names files of text it reads, if any; without such
      files the section of its settings, `reading`, decides nothing.
    derived: holds nothing that is not computed from other artefacts in a
      moment, so it is made anew without asking.
    shared: all hosts work on it together; else host 0 alone.
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
  require: (
    Callable[[Config, epath.Path, Collection[str], Progress], None] | None
  ) = None
  model: str | None = None
  texts: str | None = None
  reading: str | None = None
  derived: bool = False
  shared: bool = False


def recipe_config(config: Config, phase: Phase) -> dict[str, Any]:
  """What of `config` decides about `phase`'s artefact, by dotted name."""
  fields = {name: _field(config, name) for name in phase.also}
  section: Any = _field(config, phase.name)
  for name, value in section.items():
    if name not in phase.free:
      value = value.to_dict() if isinstance(value, Config) else value
      fields[f"{phase.name}.{name}"] = value
  if phase.reading is not None and not texts_of(phase, config):
    del fields[phase.reading]
  return fields


def texts_of(phase: Phase, config: Config) -> tuple[str, ...]:
  """The files of general text that `phase` reads."""
  return () if phase.texts is None else tuple(_field(config, phase.texts))


def _field(config: Config, dotted: str) -> Any:
  value: Any = config
  for name in dotted.split("."):
    if name not in value:
      raise lacks(dotted)
    value = value[name]
  return list(value) if isinstance(value, tuple) else value


def lacks(dotted: str) -> UserError:
  """What to raise where a config, of one's own, lacks the field `dotted`."""
  return UserError(
    f"the config has no field {dotted}: begin it with get_config of"
    " configs/common.py"
  )


def changes(
  recipe: dict[str, Any],
  phase: Phase,
  *,
  config: dict[str, Any],
  inputs: dict[str, str],
) -> list[artefacts.Difference]:
  """Where the recipe that `phase`'s folder was made by differs from today's.

  No differences are: a source that is out of reach, where a workdir was moved
  to, or was before it was downloaded; the same model in another folder; and a
  field that decided for an earlier version and is free by now.
  """
  free = {f"{phase.name}.{name}" for name in phase.free}
  found = artefacts.differences(recipe, config=config, inputs=inputs)
  return [
    difference
    for difference in found
    if difference.field not in free
    and not (
      difference.field == "the artefact source"
      and None in (difference.was, difference.now)
    )
    and not (difference.now == OUT_OF_REACH and difference.was is not None)
    and not (
      difference.field == phase.model
      and recipe["inputs"].get("model") == hub.fingerprint(difference.now)
    )
  ]


def inputs_of(
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
  found |= sources_of(phase, config)
  if is_gone(phase, config, workdir):
    found["model"] = OUT_OF_REACH
  if files := texts_of(phase, config):
    is_done = artefacts.read_manifest(workdir / phase.name) is not None
    found["texts"] = (
      OUT_OF_REACH
      if is_done and not all(map(general_text.is_at_hand, files))
      else artefacts.digest(sorted(map(general_text.fingerprint, files)))
    )
  return found


def is_gone(phase: Phase, config: Config, workdir: epath.Path) -> bool:
  """Whether the finished phase began with a folder that is not here now."""
  if phase.model is None:
    return False
  name, manifest = _field(config, phase.model), None
  # Of what is no folder the name is the fingerprint.
  if hub.fingerprint(name) == name:
    manifest = artefacts.read_manifest(workdir / phase.name)
  return (
    manifest is not None
    and manifest["config"].get(phase.model) == name
    and manifest["inputs"].get("model") != name
  )


def sources_of(phase: Phase, config: Config) -> dict[str, str]:
  """Fingerprints of what `phase` reads from outside of the workdir.

  Files of general text are not among it: they are not needed once read. Nor
  are labelled rows that are not there.
  """
  found = {}
  if phase.name == "data":
    source = tasks.source_fingerprint(config)
    if source is not None:
      found["source"] = source
  if phase.model is not None:
    found["model"] = hub.fingerprint(_field(config, phase.model))
  return found


def unseen(
  phase: Phase, manifest: dict[str, Any], config: Config
) -> str | None:
  """Why the files that a finished phase was made from can't be compared.

  None where they can, and where nothing tells of what they held.
  """
  if phase.name != "data" or "source" not in manifest["inputs"]:
    return None
  return tasks.why_unseen(config)


def told(difference: artefacts.Difference, phase: Phase, config: Config) -> str:
  """A difference in words; digests of files would tell a reader nothing."""
  # The settings by which text is read are there where there is any.
  appears = None in (difference.was, difference.now) and (
    difference.field.startswith(f"{phase.reading}.")
  )
  if appears or difference.field == "the artefact texts":
    files = ", ".join(texts_of(phase, config)) or "none"
    return (
      f"of other general text than config.{phase.texts} names now ({files})"
    )
  if difference.field == "the artefact source":
    return f"it is not of the rows that {tasks.place(config)} has now"
  if difference.field == "the artefact model":
    assert phase.model is not None, "only such a phase begins with one"
    name = _field(config, phase.model)
    if hub.fingerprint(name) == name:
      return f"its model was a folder, and {name} is none now: put it back"
    return f"its model, config.{phase.model}={name}, has other files now"
  return str(difference)


def hindrances(
  recipe: dict[str, Any], phase: Phase, differences: Sequence
) -> list[artefacts.Difference]:
  """The differences under which `phase`'s folder may not be continued."""
  found = []
  for difference in differences:
    grows = phase.grows.get(difference.field)
    follows = {f"the artefact {name}" for name in phase.follows}
    if difference.field in follows:
      continue
    if grows is not None and grows(difference.was, difference.now):
      continue
    found.append(difference)
  return found


def is_signed(folder: epath.Path) -> bool:
  """Whether `folder` is empty, or a file in it tells that a phase made it."""
  names = [name for name, _ in artefacts.files_below(folder)]
  return not names or any(map(artefacts.is_proof, names))


def recipe_of(folder: epath.Path) -> dict[str, Any] | None:
  """What `folder` was made by, or is being made by; None if it's not begun.

  One that was begun and holds nothing yet, because a value or a file was
  refused, binds nobody.

  Raises:
    UserError: it was begun, but what said so is gone or damaged; or it is no
      folder.
  """
  _require_folder(folder)
  manifest = artefacts.read_manifest(folder)
  recipe = manifest or artefacts.read_started(folder)
  if recipe is None:  # Another process may have ended between the two looks.
    recipe = manifest = artefacts.read_manifest(folder)
  if manifest is None and folder.exists():
    names = [name for name, _ in artefacts.files_below(folder)]
    if all(map(artefacts.is_proof, names)):
      return None
    if recipe is None:
      name = names[0]
      raise UserError(
        f"{folder / artefacts.MANIFEST} is missing, and {name} lies there: "
        f"put it back, or run again with --redo={folder.name} to make all of "
        "it anew"
      )
  return recipe


def _require_folder(folder: epath.Path) -> None:
  if folder.exists():
    if not folder.is_dir():
      raise UserError(
        f"{folder} is a file where a folder has to be: move it away or choose "
        "another --workdir"
      )
  elif os.path.islink(os.fspath(folder)):
    raise UserError(
      f"{folder} is a link that leads nowhere: mount what it leads to, or "
      "remove it"
    )
