# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices as tables whose cells are coloured by row share."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Num

from gd_jax.reporting import arms, words

# A larger matrix can't be read; its largest confusions are listed instead.
MOST_CLASSES = 20
_LISTED = 20
# From this share on a cell is so dark that its number is light.
DEEP = 0.6


def of(
  confusions: Mapping[str, Num[np.ndarray, "C C"]], labels: Sequence[str]
) -> dict[str, Any] | None:
  """The page's matrices, one per arm in `confusions`; None without any.

  "first" holds those of the teacher and of the arm the report is about,
  "others" the rest.
  """
  if not confusions:
    return None
  shown = [words.visible(label) for label in labels]
  first = dict.fromkeys(["teacher", arms.headline(confusions)])
  names = arms.in_order(confusions)
  many = len(labels) > MOST_CLASSES
  make = _lists if many else _tables
  note = (
    f"The {_LISTED} most frequent confusions of {len(labels)} classes. "
    if many
    else "Rows are true classes, columns predictions; a row's shades are "
    "shares of that class. "
  )
  return {
    "note": note + "A student's counts are means over its seeds.",
    "least_rem": 20 if many else 9.5 + 2.25 * len(labels),
    "first": make(confusions, [n for n in names if n in first], shown),
    "others": make(confusions, [n for n in names if n not in first], shown),
  }


def _tables(
  confusions: Mapping[str, Any], names: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
  tables = [
    {
      "name": words.visible(name),
      "labels": labels,
      "rows": _rows(confusions[name], labels),
    }
    for name in names
  ]
  return {"tables": tables, "lists": []}


def _lists(
  confusions: Mapping[str, Any], names: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
  lists = [
    {"name": words.visible(name), "rows": _listed(confusions[name], labels)}
    for name in names
  ]
  return {"tables": [], "lists": lists}


def _listed(counts, labels: Sequence[str]) -> list[dict[str, str]]:
  wrong = np.array(counts, np.float64)
  np.fill_diagonal(wrong, 0)
  largest = np.argsort(-wrong, axis=None, kind="stable")[:_LISTED]
  pairs = [divmod(int(at), len(labels)) for at in largest]
  return [
    {"true": labels[i], "given": labels[j], "count": cell_text(wrong[i, j])}
    for i, j in pairs
    if wrong[i, j]
  ]


def _rows(counts, labels: Sequence[str]) -> list[dict[str, Any]]:
  rows = []
  for label, row in zip(labels, counts, strict=True):
    total = max(float(row.sum()), 1.0)
    cells = [
      {
        "share": f"{value / total:.3f}",
        "shown": cell_text(float(value)),
        "is_deep": bool(value / total > DEEP),
      }
      for value in row
    ]
    rows.append({"label": label, "cells": cells})
  return rows


def cell_text(value: float) -> str:
  """Whole numbers plain, means over seeds to one decimal, zero as nothing."""
  if value == 0:
    return ""
  return (
    f"{value:,.0f}" if value == round(value) or value >= 10 else f"{value:.1f}"
  )
