# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which texts each language model of the generator phase learns.

There is one model for all classes, or one for each of them.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from etils import epath

from gd_jax import artefacts, checkpoints
from gd_jax.data import formats
from gd_jax.errors import UserError
from gd_jax.progress import Progress
from gd_jax.training import lm

# What config.generator.condition can be.
CONDITIONS = (None, "prefix", formats.PER_CLASS)
CONDITION_WORDS = " or ".join(map(repr, CONDITIONS))
SUMMARY = "summary.json"


@dataclasses.dataclass(frozen=True)
class Part:
  """The texts that one language model learns.

  Attributes:
    folder: Where the model is kept.
    train: Rows to learn from.
    heldout: Rows to stop it by; () where none is held out.
    prefixed: The classes that it is told of by name, or ().
    streams: What its randomness depends on beside the seed.
    name: What it is called on the terminal.
  """

  folder: epath.Path
  train: Sequence[dict[str, Any]]
  heldout: Sequence[dict[str, Any]]
  prefixed: tuple[str, ...]
  streams: tuple[str, ...]
  name: str

  def is_done(self) -> bool:
    """Whether an earlier run came to the end of this part."""
    names = (SUMMARY, "format.json", "params.json")
    return all((self.folder / name).exists() for name in names) and not any(
      checkpoints.params_problems(self.folder)
    )


def of(
  workdir: epath.Path, folder: epath.Path, condition: str | None
) -> list[Part]:
  """The parts of `folder`, the phase's own, by the labelled rows of `workdir`.

  Where each class has a part, its folder is made.

  Raises:
    UserError: There is no such condition, or a file is missing or damaged.
  """
  if condition not in CONDITIONS:
    raise UserError(
      f"config.generator.condition is {condition!r}; it can be"
      f" {CONDITION_WORDS}"
    )
  rows = artefacts.read_jsonl(workdir / "data/labelled.jsonl")
  labels = artefacts.read_json(workdir / "data/task.json")["labels"]

  def part(own, at, *, streams=(), name="generator"):
    return Part(
      folder=at,
      train=[row for row in own if row["split"] == "train"],
      heldout=[row for row in own if row["split"] == "heldout"],
      prefixed=tuple(labels) if condition == "prefix" else (),
      streams=streams,
      name=name,
    )

  if condition != formats.PER_CLASS:
    return [part(rows, folder)]
  parts = []
  for label, name in enumerate(labels):
    own = [row for row in rows if row["label"] == label]
    below = formats.class_folder(folder, label)
    below.mkdir(parents=True, exist_ok=True)
    parts.append(
      part(own, below, streams=(below.name,), name=f"generator of {name!r}")
    )
  return parts


def encoded(
  part: Part,
  encode: Callable[[str], list[int]],
  progress: Progress,
) -> dict[str, list[tuple[list[int], int | None]]]:
  """The (tokens, label) of each split's texts, without those that have none.

  Where no text is held out, the training texts stand for them.

  Raises:
    UserError: There is no text to learn from.
  """
  found = {
    split: [
      (ids, row.get("label")) for row in rows if (ids := encode(row["text"]))
    ]
    for split, rows in (("train", part.train), ("heldout", part.heldout))
  }
  if not found["train"]:
    of_a_class = ", or leave generator.condition away" if part.streams else ""
    raise UserError(
      f"{part.name}: there is no training text that it could learn; give more"
      f" rows{of_a_class}"
    )
  if not found["heldout"]:
    progress.warn(
      f"{part.name}: no row is held out, so nothing stops it from learning the"
      " texts by heart; raise data.heldout_fraction"
    )
    found["heldout"] = found["train"]
  return found


def summary_of(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
  """The phase's summary, of its parts' own.

  The perplexity of several is that of all their held-out tokens; a part that
  was judged on its training texts counts in it where all were.
  """
  if len(parts) == 1:
    return dict(parts[0])
  weights = np.array([part["heldout_tokens"] for part in parts], float)
  xents = [part["heldout"]["xent"] for part in parts]
  xent = float(np.average(xents, weights=weights if weights.any() else None))
  names = ("steps", "train_rows", "heldout_rows", "heldout_tokens")
  return {
    "heldout": {"xent": xent, "perplexity": lm.perplexity(xent)},
    **{name: sum(part[name] for part in parts) for name in names},
    "params_total": sum(part["params_total"] for part in parts),
    "classes": list(parts),
  }
