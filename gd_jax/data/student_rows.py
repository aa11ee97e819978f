# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the students learn from: texts, labels and the teacher's logits, joined.

Legend: N rows, M generated rows, C classes.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Float

from gd_jax import artefacts
from gd_jax.data import batches, logits, texts
from gd_jax.errors import UserError

Encode = Callable[[Sequence[str]], list[list[int]]]
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class StudentRows:
  """The rows of one run, in text.

  Attributes:
    num_classes: C.
    train: Labelled rows {"row_id", "text", "label"} to train on.
    train_logits: The teacher's, of those.
    heldout: Labelled rows that only select.
    generated: Texts, in the order of their ids.
    generated_logits: The teacher's, of those.
  """

  num_classes: int
  train: list[dict[str, Any]]
  train_logits: Float[np.ndarray, "N C"]
  heldout: list[dict[str, Any]]
  generated: list[str]
  generated_logits: Float[np.ndarray, "M C"]

  @property
  def texts(self) -> list[str]:
    """All of them."""
    return [row["text"] for row in (*self.train, *self.heldout)] + [
      *self.generated
    ]

  def encoded(self, encode: Encode) -> tuple[Arrays, Arrays]:
    """(store, heldout) as `distill_loop.fit` reads them.

    In the store a generated row's label is the teacher's choice.
    """
    rows = encode(self.texts)
    n, h = len(self.train), len(self.heldout)
    label = [row["label"] for row in self.train]
    store = batches.from_rows(
      rows[:n] + rows[n + h :],
      label=np.concatenate(
        [np.array(label), self.generated_logits.argmax(axis=1)]
      ).astype(np.int32),
      teacher_logits=np.concatenate([self.train_logits, self.generated_logits]),
      labelled=np.arange(n + len(self.generated)) < n,
    )
    heldout = batches.from_rows(
      rows[n : n + h],
      label=np.array([row["label"] for row in self.heldout], np.int32),
    )
    return store, heldout


def read(workdir: epath.Path, *, num_texts: int | None) -> StudentRows:
  """Joins data/, corpus/ and soft_labels/ by row id.

  Args:
    workdir: Where they lie.
    num_texts: Take generated rows with ids below this alone; None: all.

  Raises:
    UserError: A file is missing or damaged, or a row has no soft label.
  """
  num_classes = len(artefacts.read_json(workdir / "data/task.json")["labels"])
  labelled = artefacts.read_jsonl(workdir / "data/labelled.jsonl")
  train = [row for row in labelled if row["split"] == "train"]
  kept = [
    row
    for row in texts.read_kept(workdir / "corpus")
    if num_texts is None or row["row_id"] < num_texts
  ]
  folder = workdir / "soft_labels"
  train_logits = _joined(
    train, *logits.load_logits(folder / logits.LABELLED), kind="labelled"
  )
  generated_logits = np.zeros((0, num_classes), np.float32)
  if kept:
    generated_logits = _joined(
      kept, *logits.load_corpus_logits(folder), kind="generated"
    )
  return StudentRows(
    num_classes=num_classes,
    train=train,
    train_logits=train_logits,
    heldout=[row for row in labelled if row["split"] == "heldout"],
    generated=[row["text"] for row in kept],
    generated_logits=generated_logits,
  )


def _joined(rows, row_id, values, *, kind: str) -> Float[np.ndarray, "N C"]:
  """The logits of `rows`, in their order."""
  position = {int(number): i for i, number in enumerate(row_id)}
  try:
    return values[[position[row["row_id"]] for row in rows]]
  except KeyError as error:
    raise UserError(
      f"the {kind} row {error} has no soft label: run again with "
      "--redo=soft_labels"
    ) from error
