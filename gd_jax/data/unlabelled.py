# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Real texts without labels, which the arm real_kd reads as gd reads generated.

They are the ceiling of a generator: text of the task itself.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gd_jax import rngs
from gd_jax.data import draws

# The training rows that the draw left over, for config.data.unlabelled.
TRAIN = "train"
# In data/, and the teacher's logits on the first of them in soft_labels/.
TEXTS, LOGITS = "unlabelled.jsonl", "unlabelled.safetensors"


def make(
  texts: Sequence[str], *, known: Iterable[str], seed: int
) -> list[dict[str, Any]]:
  """{"row_id", "text"} in random order, for a prefix is to be like all.

  Row ids are places in that order: a line's number in a file that is sorted by
  class would tell the class.

  Args:
    texts: Without their labels; of equal ones the first counts.
    known: Texts that are left out: those with labels, and evaluation texts.
    seed: Of the order.
  """
  seen = {draws.normalise(text) for text in known}
  chosen = []
  for text in texts:
    normal = draws.normalise(text)
    if normal not in seen:
      seen.add(normal)
      chosen.append(text)
  order = rngs.numpy_stream(seed, "unlabelled").permutation(len(chosen))
  return [{"row_id": i, "text": chosen[j]} for i, j in enumerate(order)]
