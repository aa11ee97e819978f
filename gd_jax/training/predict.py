# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Models read rows: logits or loss sums over all of them, none dropped."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh
from jaxtyping import Array, Float

from gd_jax import devices
from gd_jax.data import batches
from gd_jax.progress import Bar
from gd_jax.training import losses
from gd_jax.training import metrics as metrics_lib
from gd_jax.training import step as step_lib

Step = Callable[[step_lib.Params, step_lib.Batch], Array]


def count_working(params: step_lib.Params) -> int:
  """Parameters that work on each token: all but looked-up embeddings."""
  leaves = jax.tree_util.tree_flatten_with_path(params)[0]
  return sum(
    leaf.size
    for path, leaf in leaves
    if not jax.tree_util.keystr(path).endswith("['embedding']")
  )


def make_label_step(module, mesh: Mesh) -> Step:
  """label_step(params, batch) -> logits [B C], compiled; params are lent."""

  def label_step(params, batch):
    return module.apply({"params": params}, batch["tokens"], batch["mask"])

  compiled = jax.jit(label_step, out_shardings=devices.everywhere(mesh))
  return devices.compile_together(compiled, mesh)


def make_lm_eval_step(module, mesh: Mesh, *, given: int = 0) -> Step:
  """eval_step(params, batch) -> {"xent": (sum, tokens)}, compiled.

  Args:
    module: A language model.
    mesh: Where batches lie.
    given: Tokens of each row after BOS that are told, not foretold: they are
      read, but neither judged nor counted.
  """

  def eval_step(params, batch):
    tokens, mask = batch["tokens"], batch["mask"]
    mask = mask * batch["valid"][:, None].astype(mask.dtype)
    judged = mask.at[:, 1 : 1 + given].set(0)
    logits = module.apply({"params": params}, tokens, batch["mask"])
    loss, weight = losses.lm_xent(logits, tokens, judged)
    return {"xent": (loss.sum(), weight.sum())}

  compiled = jax.jit(eval_step, out_shardings=devices.everywhere(mesh))
  return devices.compile_together(compiled, mesh)


def predict_logits(
  label_step: Step,
  params: step_lib.Params,
  arrays: batches.Arrays,
  *,
  num_classes: int,
  batch_size: int,
  mesh: Mesh,
  bar: Bar | None = None,
) -> Float[np.ndarray, "N C"]:
  """The logits of every row, in row order.

  Args:
    label_step: From `make_label_step`.
    params: The model's parameters.
    arrays: {"tokens" [N L], "mask" [N L]}.
    num_classes: C.
    batch_size: Rows a step; made smaller for few rows, and a multiple of the
      number of devices.
    mesh: Where batches go.
    bar: Moved on by the rows done.
  """
  num_rows = len(arrays["tokens"])
  logits = np.zeros((num_rows, num_classes), np.float32)
  pending = None
  size = devices.round_up(min(batch_size, max(num_rows, 1)), mesh.size)
  columns = {name: arrays[name] for name in ("tokens", "mask")}
  for rows, batch in batches.by_length(columns, size):
    placed = devices.place_batch(mesh, batch)
    # One batch is being computed while the one before is copied out.
    previous, pending = pending, (rows, label_step(params, placed))
    _copy_out(previous, logits, bar)
  _copy_out(pending, logits, bar)
  return logits


def mean_logits(
  label_step: Step,
  models: Sequence[step_lib.Params],
  arrays: batches.Arrays,
  *,
  bar: Bar | None = None,
  **options: Any,
) -> Float[np.ndarray, "N C"]:
  """The mean of the models' logits; `predict_logits` of each.

  The bar counts rows, not readings.
  """
  found = [
    predict_logits(
      label_step, params, arrays, bar=None if i else bar, **options
    )
    for i, params in enumerate(models)
  ]
  return np.mean(found, axis=0)


def members(folder: epath.Path) -> list[epath.Path]:
  """Where the parameters lie of all models in a folder that answer together.

  A teacher of several restarts that are kept answers by their mean, all others
  by their own.
  """
  kept = [path.parent for path in folder.glob("restarts/*/params.json")]
  return sorted(kept, key=lambda path: int(path.name)) or [folder]


def _copy_out(pending, logits, bar: Bar | None) -> None:
  if pending is None:
    return
  rows, values = pending
  logits[rows] = jax.device_get(values)[: len(rows)]
  if bar is not None:
    bar.advance(len(rows))


def total_metrics(
  eval_step: Callable,
  params: step_lib.Params,
  arrays: batches.Arrays,
  *,
  batch_size: int,
  mesh: Mesh,
) -> metrics_lib.Totals:
  """Eval_step's (sum, count) metrics, added up over every row."""
  totals = metrics_lib.Totals()
  num_rows = len(arrays["tokens"])
  size = devices.round_up(min(batch_size, max(num_rows, 1)), mesh.size)
  for _, batch in batches.by_length(arrays, size):
    placed = devices.place_batch(mesh, batch)
    totals.add(jax.device_get(eval_step(params, placed)))
  return totals
