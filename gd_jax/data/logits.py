# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Soft labels on disk: the teacher's logits, so that the temperature stays the
student's choice.
"""

import numpy as np
from etils import epath
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.numpy import save

from gd_jax import artefacts
from gd_jax.data import tensors
from gd_jax.errors import UserError

LABELLED = "labelled.safetensors"


def shard_name(index: int) -> str:
  """The file of the kept rows of drawn shard `index`."""
  return f"corpus-{index:05d}.safetensors"


def save_logits(
  path: epath.Path,
  row_id: Int[np.ndarray, " N"],
  logits: Float[np.ndarray, "N C"],
  **meta: str,
) -> None:
  """Writes one file, atomically; `meta` goes into its header."""
  arrays = {
    "row_id": np.ascontiguousarray(row_id, np.int64),
    "logits": np.ascontiguousarray(logits, np.float32),
  }
  artefacts.write_atomic(path, save(arrays, metadata=meta))


def load_logits(
  path: epath.Path,
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, "N C"]]:
  """(row_id, logits) of one file.

  Raises:
    UserError: It is missing or damaged.
  """
  try:
    arrays, _ = tensors.read(path)
    return arrays["row_id"], arrays["logits"]
  except (OSError, SafetensorError, KeyError) as error:
    raise UserError(
      f"{path} can't be read ({error}): run again with --redo=soft_labels"
    ) from error


def load_meta(path: epath.Path) -> dict[str, str] | None:
  """What `save_logits` was given as `meta`; None if there is no whole file."""
  try:
    return tensors.read(path)[1]
  except (OSError, SafetensorError):
    return None


def load_corpus_logits(
  folder: epath.Path,
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, "N C"]]:
  """(row_id, logits) of all corpus shards in `folder`, in row order.

  Raises:
    UserError: A shard is damaged, or there is none.
  """
  paths = sorted(folder.glob("corpus-*.safetensors"))
  if not paths:
    raise UserError(f"{folder} holds no soft labels of a corpus")
  shards = [load_logits(path) for path in paths]
  row_id = np.concatenate([ids for ids, _ in shards])
  return row_id, np.concatenate([logits for _, logits in shards])
