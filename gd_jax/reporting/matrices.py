# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices as tables whose cells are coloured by row share."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from gd_jax.reporting import arms, view, words

# A larger matrix can't be read; its largest confusions are listed instead.
MOST_CLASSES = 20
_LISTED = 20


def of(
  confusions: Mapping[str, Int[np.ndarray, "C C"]], labels: Sequence[str]
) -> dict[str, Any] | None:
  """The page's matrices, one per arm in `confusions`; None without any."""
  if not confusions:
    return None
  shown = [words.visible(label) for label in labels]
  if len(labels) > MOST_CLASSES:
    return {
      "note": (
        f"The {_LISTED} most frequent confusions of {len(labels)} classes. "
        "A student's counts are means over its seeds."
      ),
      "least_rem": 20,
      "tables": [],
      "lists": [
        {"name": words.visible(name), "rows": _listed(confusions[name], shown)}
        for name in arms.in_order(confusions)
      ],
    }
  tables = [
    {
      "kind": view.kind(name),
      "name": words.visible(name),
      "labels": shown,
      "rows": _rows(confusions[name], shown),
    }
    for name in arms.in_order(confusions)
  ]
  return {
    "note": (
      "Rows are true classes, columns predictions; a row's shades are shares "
      "of that class. A student's counts are means over its seeds."
    ),
    "least_rem": 11 + 2.5 * len(labels),
    "tables": tables,
    "lists": [],
  }


def _listed(counts, labels: Sequence[str]) -> list[dict[str, str]]:
  wrong = np.array(counts, np.float64)
  np.fill_diagonal(wrong, 0)
  largest = np.argsort(-wrong, axis=None, kind="stable")[:_LISTED]
  pairs = [divmod(int(at), len(labels)) for at in largest]
  return [
    {"true": labels[i], "given": labels[j], "count": _shown(wrong[i, j])}
    for i, j in pairs
    if wrong[i, j]
  ]


def _rows(counts, labels: Sequence[str]) -> list[dict[str, Any]]:
  rows = []
  for label, row in zip(labels, counts, strict=True):
    total = max(float(row.sum()), 1.0)
    cells = [
      {"share": f"{value / total:.3f}", "shown": _shown(float(value))}
      for value in row
    ]
    rows.append({"label": label, "cells": cells})
  return rows


def _shown(value: float) -> str:
  """Whole numbers plain, means over seeds to one decimal, zero as nothing."""
  if value == 0:
    return ""
  return (
    f"{value:,.0f}" if value == round(value) or value >= 10 else f"{value:.1f}"
  )
