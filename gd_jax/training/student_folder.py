# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""students/ARM/SEED/: what a trained student leaves, and whether it is done.

Each has a manifest of its own, so that a new arm or seed trains alone.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

from etils import epath
from flax import serialization

from gd_jax import artefacts, checkpoints, workdirs
from gd_jax.models import families
from gd_jax.training import distill_loop, metrics


@dataclasses.dataclass(frozen=True)
class Recipe:
  """All that one student depends on.

  Attributes:
    arm: Its arm.
    seed: Its number, 0 ..
    config: Fields, JSON.
    inputs: Digests of what it reads.
  """

  arm: str
  seed: int
  config: dict[str, Any]
  inputs: dict[str, str]

  @property
  def name(self) -> str:
    """ARM/SEED."""
    return f"{self.arm}/{self.seed}"

  def folder(self, students: epath.Path) -> epath.Path:
    """Where it lies under the phase's folder."""
    return students / self.arm / str(self.seed)

  def is_done(self, students: epath.Path) -> bool:
    """Whether it lies there, finished and whole.

    Raises:
      UserError: A file of it is missing or altered.
    """
    return artefacts.is_done(self.folder(students), self.config, self.inputs)

  def write(
    self,
    students: epath.Path,
    fill: Callable[[epath.Path], dict[str, Any]],
    *,
    seconds: float,
  ) -> None:
    """Makes its folder anew: the files of `fill`, its summary, the manifest.

    Args:
      students: The phase's folder.
      fill: fill(folder) -> what stands in summary.json.
      seconds: That its training took.
    """
    folder = self.folder(students)
    workdirs.clear(folder)
    artefacts.begin(folder, config=self.config, inputs=self.inputs)
    summary = {"arm": self.arm, "seed": self.seed, **fill(folder)}
    artefacts.write_json(folder / "summary.json", summary)
    artefacts.finish(
      folder,
      config=self.config,
      inputs=self.inputs,
      counts={},
      seconds=seconds,
    )


@dataclasses.dataclass(frozen=True)
class Trial:
  """A student at one of the learning rates that are tried."""

  recipe: Recipe
  learning_rate: float
  student: distill_loop.Student

  @property
  def name(self) -> str:
    """ARM/SEED at its learning rate."""
    return f"{self.recipe.name} at {self.learning_rate}"


Ended = tuple[Trial, distill_loop.Outcome]


def best_of(ended: Sequence[Ended]) -> Ended | None:
  """The trial that did best on held-out rows; of equal ones the first.

  None where all have diverged before the first evaluation that may select.
  """
  usable = [x for x in ended if x[1].record["best"]]
  if not usable:
    return None
  return max(
    usable, key=lambda x: distill_loop.rank(x[1].record["best"]["scores"])
  )


def hand_over(
  path: epath.Path, ended: Sequence[Ended], *, seconds: float
) -> None:
  """Another host's trials of one student, for host 0 to write the best."""
  found = [
    {
      "learning_rate": trial.learning_rate,
      "params": outcome.params,
      "notes": json.dumps([outcome.record, outcome.history]),
    }
    for trial, outcome in ended
  ]
  path.parent.mkdir(parents=True, exist_ok=True)
  artefacts.write_atomic(
    path, serialization.msgpack_serialize({"seconds": seconds, "ended": found})
  )


def take_over(
  path: epath.Path, trials: Sequence[Trial]
) -> tuple[list[Ended], float]:
  """(the trials that `hand_over` was given, their seconds)."""
  found: Any = serialization.msgpack_restore(path.read_bytes())
  by_rate = {trial.learning_rate: trial for trial in trials}
  ended = [
    (
      by_rate[each["learning_rate"]],
      distill_loop.Outcome(each["params"], *json.loads(each["notes"])),
    )
    for each in found["ended"]
  ]
  return ended, found["seconds"]


def fill(
  folder: epath.Path,
  best: Ended,
  ended: Sequence[Ended],
  *,
  spec: dict[str, Any],
) -> dict[str, Any]:
  """Writes params/, model.json and metrics.jsonl of the best trial.

  Returns:
    The summary: how it was chosen, and of what.
  """
  trial, outcome = best
  checkpoints.save_params(folder, outcome.params)
  model = families.spec_of(families.build(spec))
  artefacts.write_json(folder / "model.json", model)
  writer = metrics.MetricsWriter(folder)
  for row in outcome.history:
    values = {name: value for name, value in row.items() if name != "step"}
    writer.write(int(row["step"]), values)
  writer.close()
  return {
    "learning_rate": trial.learning_rate,
    "step": outcome.record["best"]["step"],
    "heldout": outcome.record["best"]["scores"],
    "tried": [
      {"learning_rate": each.learning_rate, **other.record}
      for each, other in ended
    ],
    "train_rows": trial.student.mixture.num_labelled,
    "generated_rows": trial.student.mixture.num_generated,
    "params_total": families.count_params(outcome.params),
    "params_without_embeddings": families.count_params(
      outcome.params, embeddings=False
    ),
  }
