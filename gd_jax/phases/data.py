# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data: draws the labelled rows and sets the evaluation rows apart."""

import unicodedata
from collections import Counter
from collections.abc import Collection
from typing import Any

from etils import epath

from gd_jax import artefacts
from gd_jax.data import draws, tasks, unlabelled
from gd_jax.data.files import Row
from gd_jax.errors import UserError
from gd_jax.progress import Progress

UNSEEN = -1  # the id of a label that no training row has


def run(config: Any, workdir: epath.Path, progress: Progress) -> dict[str, Any]:
  """Writes `WORKDIR/data`: the labelled rows, held-out rows marked, and the
  evaluation texts and labels in files apart; real texts without labels, too,
  where they are asked for.

  Returns:
    Counts of rows.

  Raises:
    UserError: the data or a field of `config.data` is no good.
  """
  data, folder = config.data, workdir / "data"
  wanted = data.labels_per_class
  check(data)
  progress.say(
    f"data: {config.task}, {wanted or 'all'} labelled rows per class, "
    f"evaluated on {data.evaluate_on}; a few seconds"
  )
  splits, pool, labelled = _drawn(config, progress)
  evaluation = splits.evaluation
  dropped = len(splits.train) - len(pool)
  available = Counter(row.label for row in pool)
  held_out, repeated = draws.held_out(
    labelled, data.heldout_fraction, seed=data.seed
  )
  short = {label: n for label, n in available.items() if wanted and n < wanted}
  unseen = Counter(
    row.label for row in evaluation if row.label not in available
  )
  _tell(
    progress,
    data,
    labels=splits.labels,
    dropped=dropped,
    repeated=repeated,
    short=short,
    unseen=unseen,
  )

  ids = {label: index for index, label in enumerate(splits.labels)}
  real = _unlabelled(data, pool, labelled)
  counts = {
    "train_file": len(splits.train),
    "pool": len(pool),
    "labelled": len(labelled),
    "train": len(labelled) - len(held_out),
    "heldout": len(held_out),
    "unlabelled": len(real),
    "evaluation": len(evaluation),
    "per_class": dict(Counter(row.label for row in labelled)),
  }
  _write_evaluation(folder, evaluation, ids)
  artefacts.write_jsonl(
    folder / "labelled.jsonl",
    (
      {
        "row_id": row.line,
        "text": row.text,
        "label": ids[row.label],
        "split": "heldout" if index in held_out else "train",
      }
      for index, row in enumerate(labelled)
    ),
  )
  if real:
    artefacts.write_jsonl(folder / unlabelled.TEXTS, real)
  artefacts.write_json(
    folder / "task.json",
    {
      "task": config.task,
      "labels": list(splits.labels),
      "labels_per_class": wanted,
      "evaluate_on": data.evaluate_on,
      "counts": counts,
      "dropped_test_copies": dropped,
      "unseen_labels": dict(unseen),
      "short_classes": short,
    },
  )
  return {**counts, "dropped_test_copies": dropped}


def require(
  config: Any,
  workdir: epath.Path,
  cleared: Collection[str],
  progress: Progress,
) -> None:
  """Raises UserError where `run` would, for the rows; writes nothing."""
  del workdir, cleared
  _, pool, labelled = _drawn(config, progress)
  _unlabelled(config.data, pool, labelled)


def _drawn(
  config: Any, progress: Progress
) -> tuple[tasks.Splits, list[Row], list[Row]]:
  """(the task's rows, the training rows without copies, those drawn)."""
  data, splits = config.data, tasks.load(config, progress)
  pool, _ = draws.drop_copies(
    splits.train, (row.text for row in splits.evaluation)
  )
  available = Counter(row.label for row in pool)
  _require_every_class(splits.labels, available, data.evaluate_on)
  wanted = data.labels_per_class
  chosen = draws.per_class(
    pool, lambda n: min(n, wanted or n), seed=data.seed, purpose="draw"
  )
  return splits, pool, [pool[index] for index in chosen]


def _unlabelled(
  data: Any, pool: list[Row], labelled: list[Row]
) -> list[dict[str, Any]]:
  """The texts of the rows that were not drawn; their labels stay behind.

  Raises:
    UserError: they are asked for and there are none.
  """
  if data.unlabelled is None:
    return []
  rows = unlabelled.make(
    [row.text for row in pool],
    known=(row.text for row in labelled),
    seed=data.seed,
  )
  if not rows:
    raise UserError(
      "config.data.unlabelled is 'train', but the draw leaves no training row "
      "over: lower config.data.labels_per_class or leave the field out"
    )
  return rows


def _write_evaluation(
  folder: epath.Path, rows: list[Row], ids: dict[str, int]
) -> None:
  """Texts and labels in two files, for only the report may read the labels."""
  artefacts.write_jsonl(
    folder / "evaluation_texts.jsonl",
    ({"row_id": row.line, "text": row.text} for row in rows),
  )
  artefacts.write_json(
    folder / "evaluation_labels.json",
    {
      "row_id": [row.line for row in rows],
      "label": [ids.get(row.label, UNSEEN) for row in rows],
      "name": [row.label for row in rows],
    },
  )


def check(data: Any) -> None:
  """Raises UserError for the first field of its section that is no good."""
  if data.evaluate_on not in ("test", "validation"):
    raise UserError(
      f"config.data.evaluate_on is {data.evaluate_on!r}; it can be 'test' or "
      "'validation'"
    )
  if data.labels_per_class is not None and data.labels_per_class < 1:
    raise UserError(
      f"config.data.labels_per_class is {data.labels_per_class}; it can be 1 "
      "or more, or None for all rows"
    )
  if data.unlabelled not in (None, unlabelled.TRAIN):
    raise UserError(
      f"config.data.unlabelled is {data.unlabelled!r}; it can be "
      f"{unlabelled.TRAIN!r} or None"
    )
  if not 0 < data.heldout_fraction < 1:
    raise UserError(
      f"config.data.heldout_fraction is {data.heldout_fraction}; it lies "
      "between 0 and 1"
    )


def _require_every_class(
  labels: tuple[str, ...], available: Counter[str], evaluate_on: str
) -> None:
  gone = [label for label in labels if not available[label]]
  if gone:
    raise UserError(
      f"every training row of {', '.join(map(repr, gone))} also stands in the "
      f"{evaluate_on} rows and was dropped; add training rows of that class"
    )


def _spelt_alike(labels: tuple[str, ...]) -> list[list[str]]:
  """Labels that differ by case, or by how their accents are stored, alone."""
  found: dict[str, list[str]] = {}
  for label in labels:
    plain = unicodedata.normalize("NFC", label).casefold()
    found.setdefault(plain, []).append(label)
  return [names for names in found.values() if len(names) > 1]


def _tell(
  progress: Progress,
  data: Any,
  *,
  labels: tuple[str, ...],
  dropped: int,
  repeated: int,
  short: dict[str, int],
  unseen: Counter[str],
) -> None:
  if dropped:
    progress.say(
      f"data: dropped {dropped} training rows that also stand in the "
      f"{data.evaluate_on} rows"
    )
  if repeated:
    progress.warn(
      f"{repeated} rows to be held out stand among the others, too, and are "
      "trained on: drop what is repeated from the training rows"
    )
  if short:
    named = ", ".join(f"{label!r} ({n})" for label, n in short.items())
    progress.warn(
      f"classes with fewer rows than labels_per_class={data.labels_per_class} "
      f"give what they have: {named}"
    )
  for names in _spelt_alike(labels):
    progress.warn(
      f"{' and '.join(map(repr, names))} are classes of their own, spelt alike:"
      " write them in one way if they are one"
    )
  if unseen:
    named = ", ".join(f"{label!r} ({n})" for label, n in unseen.items())
    progress.warn(
      f"{data.evaluate_on} rows have labels that training never saw, which "
      f"count as wrong: {named}"
    )
