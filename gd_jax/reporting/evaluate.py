# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Each arm reads the evaluation texts: logits, parameters, speed.

Legend: S seeds, N evaluation rows, C classes.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from jaxtyping import Float, Int
from safetensors.numpy import load_file, save

from gd_jax import artefacts, checkpoints, devices, rngs, signals
from gd_jax.data import batches, logits, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.progress import Bar
from gd_jax.training import predict

BATCH_SIZE = 256
SPEED_ROWS = 512
_SPEED_SECONDS = 1.0

Encode = Callable[[Sequence[str]], list[list[int]]]


@dataclasses.dataclass(frozen=True)
class Arm:
  """One arm of a run on disk: a folder per seed and how it reads a text."""

  name: str
  folders: tuple[epath.Path, ...]


@dataclasses.dataclass(frozen=True)
class Measured:
  """What the evaluation texts say of an arm.

  Attributes:
    logits: [S N C], rows as in evaluation_texts.jsonl.
    params_total: of one model, embeddings counted.
    params_without_embeddings: without its embedding tables.
    examples_per_second: texts, tokenizing not counted where it can be split
      off.
    examples_per_second_with_tokenizing: from strings to logits.
    heldout_accuracy: mean over seeds, on the rows that selected; None if the
      arm selects nothing.
  """

  logits: Float[np.ndarray, "S N C"]
  params_total: int
  params_without_embeddings: int
  examples_per_second: float
  examples_per_second_with_tokenizing: float
  heldout_accuracy: float | None
