# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a row's columns are called, to learn from and to answer alike."""

from collections.abc import Sequence
from typing import Any

# The first that a row has is taken.
LABEL_COLUMNS = ("label", "class", "category")
TEXT_COLUMNS = ("text", "sentence")


def object_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
  """The `object_pairs_hook` of a line of JSON.

  Of a text or a label given twice `json.loads` would lose one. A label's second
  is refused where none is read as well: such a line is not to be guessed at.

  Raises:
    ValueError: There are two.
  """
  names = [name for name, _ in pairs]
  for name in (*LABEL_COLUMNS, *TEXT_COLUMNS):
    if names.count(name) > 1:
      raise ValueError(f"{name!r} stands in it twice")
  return dict(pairs)
