# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the students learn from: texts, labels and the teacher's logits, joined.

Legend: N rows, M generated rows, R rows made by word rules, U real ones without
labels, C classes.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Float, Int

from gd_jax import artefacts
from gd_jax.data import (
  batches,
  logits,
  rules,
  texts,
  unlabelled,
  vocabulary,
)
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
    made: Texts made by word rules; none unless asked for.
    made_logits: The teacher's, of those.
    real: Texts of the task whose labels are not known; none unless asked for.
    real_logits: The teacher's, of those.
  """

  num_classes: int
  train: list[dict[str, Any]]
  train_logits: Float[np.ndarray, "N C"]
  heldout: list[dict[str, Any]]
  generated: list[str]
  generated_logits: Float[np.ndarray, "M C"]
  made: list[str]
  made_logits: Float[np.ndarray, "R C"]
  real: list[str]
  real_logits: Float[np.ndarray, "U C"]

  @property
  def unlabelled(self) -> dict[str, list[str]]:
    """{kind, as `arms.Arm.texts` has it: texts} in the order of the store."""
    return {"generated": self.generated, "rules": self.made, "real": self.real}

  def with_generated(
    self, pool: "StudentRows", chosen: Sequence[int] | Int[np.ndarray, " K"]
  ) -> "StudentRows":
    """These rows with the `chosen` ones of `pool`'s generated ones instead."""
    return dataclasses.replace(
      self,
      generated=[pool.generated[i] for i in chosen],
      generated_logits=pool.generated_logits[np.asarray(chosen, int)],
    )

  @property
  def texts(self) -> list[str]:
    """All that the vocabulary is of.

    Not texts made by rules, whose words are the labelled texts', nor real ones
    without labels: gd could not have known their words.
    """
    return [row["text"] for row in (*self.train, *self.heldout)] + [
      *self.generated
    ]

  def encoded(self, encode: Encode) -> tuple[Arrays, Arrays]:
    """(store, heldout) as `distill_loop.fit` reads them.

    The store holds labelled rows, then generated ones, then those made by
    rules, then real ones; a row without a label has the teacher's choice. A
    rules' or a real row that is longer than all others is cut: their arrays are
    the same with it or without.
    """
    rows = encode(self.texts)
    beside = rules.encode(self.made, encode, mask_id=vocabulary.UNK_ID)
    beside += encode(self.real) if self.real else []
    n, h = len(self.train), len(self.heldout)
    width = max(map(len, rows[:n] + rows[n + h :]))
    others = np.concatenate(
      [self.generated_logits, self.made_logits, self.real_logits]
    )
    label = np.array([row["label"] for row in self.train])
    store = batches.from_rows(
      rows[:n] + rows[n + h :] + [row[:width] for row in beside],
      label=np.concatenate([label, others.argmax(axis=1)]).astype(np.int32),
      teacher_logits=np.concatenate([self.train_logits, others]),
      labelled=np.arange(n + len(others)) < n,
    )
    heldout = batches.from_rows(
      rows[n : n + h],
      label=np.array([row["label"] for row in self.heldout], np.int32),
    )
    return store, heldout


def read(
  workdir: epath.Path,
  *,
  num_texts: int | None,
  min_confidence: float | None = None,
  balance: float | None = None,
  kinds: Collection[str] = ("generated",),
) -> StudentRows:
  """Joins data/, corpus/ and soft_labels/ by row id.

  Args:
    workdir: Where they lie.
    num_texts: Take generated rows with ids below this alone; None: all.
    min_confidence: As for `select`.
    balance: As for `select`.
    kinds: Read texts made by word "rules" or "real" ones, too: as many as there
      are generated ones before any selection, and selected like them. Of real
      ones, where `num_texts` is None, all that the teacher has read.

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
  made, made_logits = [], generated_logits[:0]
  if "rules" in kinds:
    made, made_logits = _read_made(folder, num_texts=len(kept))
  real, real_logits = [], generated_logits[:0]
  if "real" in kinds:
    most = None if num_texts is None else len(kept)
    # The teacher read as many as were generated: none, where none were.
    if kept or (folder / unlabelled.LOGITS).exists():
      real, real_logits = _read_real(workdir, num_texts=most)

  def selected(rows, values):
    chosen = select(values, min_confidence=min_confidence, balance=balance)
    return [rows[i]["text"] for i in chosen], values[chosen]

  generated, generated_logits = selected(kept, generated_logits)
  made, made_logits = selected(made, made_logits)
  real, real_logits = selected(real, real_logits)
  return StudentRows(
    num_classes=num_classes,
    train=train,
    train_logits=train_logits,
    heldout=[row for row in labelled if row["split"] == "heldout"],
    generated=generated,
    generated_logits=generated_logits,
    made=made,
    made_logits=made_logits,
    real=real,
    real_logits=real_logits,
  )


def select(
  values: Float[np.ndarray, "M C"],
  *,
  min_confidence: float | None,
  balance: float | None,
) -> Int[np.ndarray, " K"]:
  """Which unlabelled rows the students see, by what the teacher says of them.

  Args:
    values: The teacher's logits.
    min_confidence: The least probability of its most likely class; None: any.
    balance: The most rows of one class, as a multiple of an equal share of
      those left by then; the first ones stay. None: as they come.
  """
  shifted = np.exp(values - values.max(axis=1, keepdims=True))
  probability = 1 / shifted.sum(axis=1)
  keep = np.ones(len(values), bool)
  if min_confidence is not None:
    keep = probability >= min_confidence
  if balance is not None:
    num_classes = values.shape[1]
    most = math.ceil(balance * keep.sum() / num_classes)
    chosen = values.argmax(axis=1)
    for c in range(num_classes):
      keep[np.flatnonzero(keep & (chosen == c))[most:]] = False
  return np.flatnonzero(keep)


def _read_made(folder: epath.Path, *, num_texts: int):
  """(rows, logits) of the first texts made by word rules."""
  if not (folder / rules.TEXTS).exists():
    raise UserError(
      "the arm rules_kd needs texts made by word rules: run again with "
      "--config.soft_labels.rules=1 --redo=soft_labels"
    )
  made = artefacts.read_jsonl(folder / rules.TEXTS)[:num_texts]
  found = logits.load_logits(folder / rules.LOGITS)
  return made, _joined(made, *found, kind="rule-made")


def _read_real(workdir: epath.Path, *, num_texts: int | None):
  """(rows, logits) of the first real texts that the teacher has read."""
  source = workdir / "data" / unlabelled.TEXTS
  if not source.exists():
    raise UserError(
      "the arm real_kd needs real texts without labels: run again with "
      "--config.data.unlabelled=train --redo=data"
    )
  if not (workdir / "soft_labels" / unlabelled.LOGITS).exists():
    raise UserError(
      "the teacher has read no real text for the arm real_kd: run again with "
      "--config.soft_labels.real_texts=None --redo=soft_labels"
    )
  found = logits.load_logits(workdir / "soft_labels" / unlabelled.LOGITS)
  chosen = artefacts.read_jsonl(source)[: len(found[0])][:num_texts]
  return chosen, _joined(chosen, *found, kind="unlabelled")


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
