# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics: (sum, count) pairs, classification scores, and where they go."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Float, Int

from gd_jax import artefacts, errors


class Totals:
  """Adds (sum, count) pairs; divides once."""

  def __init__(self):
    self._pairs: dict[str, tuple[float, float]] = {}

  def add(self, metrics: Mapping[str, tuple[Any, Any]]) -> None:
    """Adds the pairs of one step (host or device scalars)."""
    for name, (total, count) in metrics.items():
      old_total, old_count = self._pairs.get(name, (0.0, 0.0))
      self._pairs[name] = (old_total + float(total), old_count + float(count))

  def merge(self, other: "Totals") -> None:
    """Adds all that `other` has added up."""
    self.add(other._pairs)

  def means(self) -> dict[str, float]:
    """sum / count of every name; NaN where nothing was counted."""
    return {
      name: total / count if count else math.nan
      for name, (total, count) in self._pairs.items()
    }


def require_finite(metrics: Mapping[str, tuple], step: int, name: str) -> None:
  """Raises UserError when the loss of `step` is NaN or infinite.

  Training on is never right then: the parameters are lost already.
  """
  loss = float(metrics["loss"][0])
  if not math.isfinite(loss):
    raise errors.UserError(
      f"{name}: the loss at step {step} is {loss}. The run has diverged; lower"
      f" config.{name}.learning_rate, or look for broken input rows."
    )


def classification_scores(
  logits: Float[np.ndarray, "N C"], label: Int[np.ndarray, " N"]
) -> dict[str, float]:
  """Accuracy, macro F1 and mean cross-entropy (nats) of N >= 1 rows.

  Macro F1 is the mean over the classes that occur among `label` or among the
  predictions, as scikit-learn's f1_score(average="macro") has it; a class that
  is only predicted counts 0. A negative label is no class: its row is wrong
  whatever is predicted, a false positive of that class. (xent is then no use.)
  """
  predicted = logits.argmax(axis=-1)
  f1 = []
  for c in np.union1d(label[label >= 0], predicted):
    hits = np.sum((predicted == c) & (label == c))
    f1.append(2 * hits / (np.sum(predicted == c) + np.sum(label == c)))
  logits = logits.astype(np.float64)
  top = logits.max(axis=-1)
  log_z = top + np.log(np.exp(logits - top[:, None]).sum(axis=-1))
  xent = log_z - logits[np.arange(len(label)), label]
  return {
    "accuracy": float(np.mean(predicted == label)),
    "macro_f1": float(np.mean(f1)),
    "xent": float(np.mean(xent)),
  }


class MetricsWriter:
  """Writes metrics.jsonl and TensorBoard events into `folder`."""

  def __init__(
    self, folder: epath.Path, *, start_step: int = 0, silent: bool = False
  ):
    """Opens both; what an interrupted run wrote after `start_step` is dropped.

    Args:
      folder: Gets metrics.jsonl and tensorboard/.
      start_step: The step to go on from; 0 starts afresh.
      silent: Writes nothing, because another host does.
    """
    self._events: Any = None
    if silent:
      return
    # Late: tensorboardX costs 0.6 s to import.
    import tensorboardX

    self._path = folder / "metrics.jsonl"
    self._text = ""
    if start_step and self._path.exists():
      self._text = _lines_until(self._path.read_text(), start_step)
    artefacts.write_atomic(self._path, self._text)
    if not start_step:
      (folder / "tensorboard").rmtree(missing_ok=True)
    self._events = tensorboardX.SummaryWriter(
      str(folder / "tensorboard"),
      purge_step=start_step + 1 if start_step else None,
    )

  def write(self, step: int, values: Mapping[str, float]) -> None:
    """One line, one event each. `step` counts from 1."""
    if self._events is None:
      return
    self._text += json.dumps({"step": step, **values}) + "\n"
    # Not appended: buckets can't, and a file that is whole has a checksum.
    artefacts.write_atomic(self._path, self._text)
    for name, value in values.items():
      self._events.add_scalar(name, value, step)

  def close(self) -> None:
    if self._events is not None:
      self._events.close()


def _lines_until(text: str, step: int) -> str:
  """The whole lines of `text` whose step is at most `step`."""
  kept = []
  for line in text.splitlines():
    try:
      row = json.loads(line)
    except ValueError:
      break  # A line that was cut when the process died.
    if row["step"] <= step:
      kept.append(line + "\n")
  return "".join(kept)
