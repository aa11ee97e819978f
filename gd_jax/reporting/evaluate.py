# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The arms of a run, and what each says of the evaluation texts.

Legend: S seeds, N evaluation rows, C classes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.numpy import save

from gd_jax import artefacts, signals
from gd_jax.data import tensors, tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.progress import Bar, Progress
from gd_jax.reporting import arms, readers
from gd_jax.training import predict

_SUMMARY = "summary.json"  # written last into a trained model's folder


@dataclasses.dataclass(frozen=True)
class Measured:
  """What the evaluation texts say of an arm.

  Attributes:
    logits: rows as in evaluation_texts.jsonl.
    size: of one seed's model.
    speed: of one seed's model.
    heldout_accuracy: mean over seeds on the labelled rows that only select;
      None if a seed does not tell it of what answers.
  """

  logits: Float[np.ndarray, "S N C"]
  size: readers.Size
  speed: readers.Speed
  heldout_accuracy: float | None


def find(config: Any, workdir: epath.Path) -> dict[str, list[epath.Path]]:
  """The config's arms that are there, each with its seeds' folders in order.

  Others that an earlier config left there are no part of the run.
  """
  c, folders = config.students, {"teacher": [workdir / "teacher"]}
  for arm in c.arms:
    seeds = range(1 if arm == "tfidf" else c.num_seeds)
    of_arm = [workdir / "students" / arm / str(seed) for seed in seeds]
    there = [folder for folder in of_arm if (folder / _SUMMARY).exists()]
    if there:
      folders[arm] = there
  return {name: folders[name] for name in arms.in_order(folders)}


def all_arms(
  config: Any,
  workdir: epath.Path,
  *,
  rows: Sequence[Mapping[str, Any]],
  num_classes: int,
  progress: Progress,
) -> dict[str, Measured]:
  """Every arm of the run reads the evaluation rows.

  The logits are left in WORKDIR/report/logits, and taken from there where they
  are these very ones: a report that was stopped goes on.

  Args:
    config: the run's config.
    workdir: the run's folder.
    rows: {"row_id", "text"} to read.
    num_classes: C.
    progress: shows a bar.

  Raises:
    UserError: a file is missing or damaged, or logits are not finite.
    signals.Stopped: a signal came.
  """
  found = find(config, workdir)
  texts = [row["text"] for row in rows]
  row_id = np.array([row["row_id"] for row in rows], np.int64)
  reader_of = _readers(config, workdir, found, texts, num_classes)
  folder = workdir / "report" / "logits"
  folder.mkdir(parents=True, exist_ok=True)
  measured = {}
  total = len(texts) * sum(map(len, found.values()))
  with progress.bar("report", total, unit="texts") as bar:
    for name, folders in found.items():
      signals.check()
      reader = reader_of[name]
      measured[name] = Measured(
        logits=_logits(
          reader, folders, row_id, cache=folder / f"{name}.safetensors", bar=bar
        ),
        size=reader.size(folders[0]),
        speed=reader.speed(folders[0]),
        heldout_accuracy=_heldout_accuracy(folders),
      )
  return measured


def _readers(
  config: Any,
  workdir: epath.Path,
  found: Mapping[str, Any],
  texts: Sequence[str],
  num_classes: int,
) -> dict[str, readers.Reader]:
  """The reader of each arm; student arms share theirs."""
  teacher = tokenizers.load(workdir / "teacher")
  by_arm: dict[str, readers.Reader] = {
    "teacher": readers.FlaxReader(
      lambda texts: tokenizers.encode_for_teacher(
        teacher, texts, max_tokens=config.data.max_tokens
      ),
      texts,
      num_classes=num_classes,
    )
  }
  if "tfidf" in found:
    by_arm["tfidf"] = readers.TfidfReader(texts)
  students = [name for name in found if name not in by_arm]
  if students:
    student = tokenizers.load(workdir / "students")
    shared = readers.FlaxReader(
      lambda texts: vocabulary.encode(
        student, texts, max_tokens=config.students.max_tokens
      ),
      texts,
      num_classes=num_classes,
    )
    by_arm |= dict.fromkeys(students, shared)
  return by_arm


def _logits(
  reader: readers.Reader,
  folders: Sequence[epath.Path],
  row_id: Int[np.ndarray, " N"],
  *,
  cache: epath.Path,
  bar: Bar,
) -> Float[np.ndarray, "S N C"]:
  source = artefacts.digest([reader.identity(folder) for folder in folders])
  logits = load_logits(cache, source)
  if logits is not None:
    bar.advance(len(folders) * len(row_id))
    return logits
  found = []
  for folder in folders:
    signals.check()
    found.append(reader.logits(folder, bar))
    if not np.isfinite(found[-1]).all():
      phase = folder.relative_to(cache.parents[2]).parts[0]
      raise UserError(
        f"the model in {folder} gives logits that are not finite: train it "
        f"again with --redo={phase}"
      )
  logits = np.stack(found).astype(np.float32)
  arrays = {"row_id": row_id, "logits": logits}
  artefacts.write_atomic(cache, save(arrays, metadata={"source": source}))
  return logits


def load_logits(
  path: epath.Path, source: str
) -> Float[np.ndarray, "S N C"] | None:
  """The logits in `path`, if it is whole and was made from `source`."""
  try:
    arrays, meta = tensors.read(path)
    return arrays["logits"] if meta.get("source") == source else None
  except (OSError, SafetensorError):
    return None


def _heldout_accuracy(folders: Sequence[epath.Path]) -> float | None:
  values = []
  for folder in folders:
    if predict.members(folder) != [folder]:
      return None  # It tells of one of several that answer together.
    scores = artefacts.read_json(folder / _SUMMARY).get("heldout") or {}
    values.append(scores.get("accuracy"))
  return None if None in values else float(np.mean(values))
