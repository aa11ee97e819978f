# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which point of a sweep a finished run is, and what decided about it."""

import importlib.util
import json
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from gd_jax import artefacts, pipeline, recipes, sweeps
from gd_jax.errors import UserError

DRAW = ("data.seed", "seed")
# They add to what lies there, or say how fast it is made, and how rounded.
_NEUTRAL = {
  *("students.arms", "students.num_seeds", "students.mode"),
  *("corpus.slots", "corpus.shard_rows"),
  *(
    f"{section}.matmul_dtype"
    for section in ("teacher", "generator", "corpus", "soft_labels")
  ),
}
PRETRAINED = "generator.pretrain_on"
# Decides nothing without the former.
_PRETRAIN = "generator.pretrain"
# Sections that decide what teacher, generated texts and students are. Of two
# runs in one table, those of teacher and students are alike, and for one arm
# those of the texts.
RECIPES = {
  "teacher": ("data", "teacher"),
  "texts": ("generator", "corpus"),
  "students": ("students",),
}


class Sweep:
  """A sweep file at a task: which of its points a run is."""

  def __init__(self, config: str):
    """`config` is FILE.py:TASK."""
    file, _, task = config.partition(":")
    self.name = config
    points = sweeps.points_of(file)
    spec = importlib.util.spec_from_file_location("_collected", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    base = module.get_config(task)
    self._points = [(point, sweeps.apply(base, point)) for point in points]
    self._swept = sorted({name for point in points for name in point} - {*DRAW})

  def place(
    self, config: dict[str, Any]
  ) -> tuple[dict[str, Any], list[str], str]:
    """(what the run's point changes, other fields that differ, its command).

    Any draw will do, of those that the sweep has or of others. The fields are
    such as decide what is made; the command names all that do, and no folder.

    Raises:
      UserError: The run is no point of this sweep.
    """
    for point, made in self._points:
      decides = {PRETRAINED: made.generator.pretrain_on}
      for phase in pipeline.PHASES:
        if not phase.derived:
          decides |= recipes.recipe_config(made, phase)
      differing = {
        name
        for name, value in decides.items()
        if _plain(field(config, name)) != _plain(value)
      }
      if differing.isdisjoint([*self._swept, "task", "data.evaluate_on"]):
        change = {k: v for k, v in point.items() if k not in DRAW}
        others = sorted(differing - {*DRAW} - _NEUTRAL)
        named = [*DRAW, *change, *sorted(differing - {*DRAW, *change})]
        return change, others, self._command(config, named)
    names = ["task", "data.evaluate_on", *self._swept]
    has = ", ".join(f"{name}={field(config, name)}" for name in names)
    raise UserError(f"no point of {self.name} has {has}")

  def _command(self, config: dict[str, Any], names: Sequence[str]) -> str:
    """How the run is given anew, in a shell; of files the names alone."""
    fields: dict[str, Any] = {}
    for name in [*names, *[_PRETRAIN] * (PRETRAINED in names)]:
      value = field(config, name)
      if isinstance(value, dict):
        fields |= {f"{name}.{inner}": each for inner, each in value.items()}
      else:
        fields[name] = value
    if files := fields.get(PRETRAINED):
      fields[PRETRAINED] = [pathlib.PurePath(file).name for file in files]
    words = ["gd-jax", f"--config={self.name}"]
    for name, value in fields.items():
      value = tuple(value) if isinstance(value, list) else value
      words.append(f"--config.{name}={value}")
    return shlex.join(words)

  def recipe(
    self, config: dict[str, Any], general_text: str | None
  ) -> dict[str, str]:
    """{"teacher", "texts", "students": digest of what decides it}.

    Without what the sweep varies. A field that an older version did not know is
    as one that is None.

    Args:
      config: The run's.
      general_text: A digest of what its generator read first, wherever the
        files lay.
    """
    # Some fields are free where they stand, but read by another phase.
    free = {
      f"{phase.name}.{name}" for phase in pipeline.PHASES for name in phase.free
    } - {name for phase in pipeline.PHASES for name in phase.also}
    free |= {*self._swept, *DRAW, *_NEUTRAL, "data.evaluate_on"}
    if not field(config, PRETRAINED):
      free.add(_PRETRAIN)
    decides = {
      name: {
        dotted: _plain(value)
        for section in sections
        for inner, value in config[section].items()
        if (dotted := f"{section}.{inner}") not in free
        and _plain(value) is not None
      }
      for name, sections in RECIPES.items()
    }
    if general_text is not None:
      decides["texts"]["general text"] = general_text
    return {name: artefacts.digest(found) for name, found in decides.items()}


def field(config: dict[str, Any], dotted: str) -> Any:
  """A field that the run's version did not know yet is None."""
  value: Any = config
  for name in dotted.split("."):
    value = value.get(name) if isinstance(value, dict) else None
  return value


def _plain(value: Any) -> Any:
  """As JSON has it; nothing is nothing."""
  made = json.loads(json.dumps(value))
  return None if made == [] else made
