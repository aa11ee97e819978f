# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page says of the generated texts: health, classes, examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from gd_jax.reporting import plots, svgs, words

_REASONS = {
  "empty": "empty",
  "exact_duplicate": "the same as an earlier one",
  "near_duplicate": "nearly the same as an earlier one",
  "copy_of_test": "copies of evaluation texts",
}
# Shown as charts, or said in the note; the rest of the health is a table.
_CHARTED = frozenset(
  {"drawn", "kept", "removed", "class_share", "labelled_class_share"}
)


def health(results: Mapping[str, Any]) -> dict[str, Any] | None:
  """Counts, diversity and class balance; None where there is no corpus."""
  found = results["corpus_health"]
  if not found:
    return None
  used = results["num_synthetic"]
  return {
    "note": (
      f"Of {words.count(found['drawn'])} texts drawn from the generator, "
      f"{words.count(found['kept'])} were kept and {words.count(used)} used "
      "for training. Copies of labelled texts are counted, not removed."
    ),
    "counts": _counts(found),
    "facts": _facts(found),
    "balance": _balance(found),
    "balance_note": (
      "Share of kept texts to which the teacher gives each class (bar), and "
      "the class's share of the labelled texts (dot)."
    ),
  }


def _counts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
  axis = svgs.Scale(0.0, max(found["drawn"], 1), (0.0,))
  counts = [
    ("drawn", found["drawn"], "teacher"),
    *(
      (_REASONS.get(reason, reason.replace("_", " ")), n, "gold")
      for reason, n in found["removed"].items()
    ),
    ("kept", found["kept"], "gd"),
  ]
  return [
    {
      "name": words.visible(name),
      "svg": plots.bar(n, axis, kind=kind, title=f"{name}: {words.count(n)}"),
      "value": words.count(n),
      "note": f"{words.percent(n / max(found['drawn'], 1))}%",
      "strong": name == "kept",
    }
    for name, n, kind in counts
  ]


def _facts(found: Mapping[str, Any]) -> list[dict[str, str]]:
  facts = []
  for name, value in found.items():
    if name not in _CHARTED:
      facts += _fact(name, value)
  return facts


def _fact(name: str, value: Any) -> list[dict[str, str]]:
  if isinstance(value, Mapping):
    return [
      fact
      for key, inner in value.items()
      for fact in _fact(f"{name}: {key}", inner)
    ]
  if isinstance(value, bool) or not isinstance(value, int | float):
    return []
  shown = words.count(value) if isinstance(value, int) else f"{value:.3g}"
  return [{"name": words.visible(name.replace("_", " ")), "value": shown}]


def _balance(found: Mapping[str, Any]) -> list[dict[str, Any]]:
  shares = found["class_share"]
  labelled = found["labelled_class_share"]
  axis = svgs.scale(
    [*shares.values(), *labelled.values()], from_zero=True, num_ticks=4
  )
  return [
    {
      "name": words.visible(label),
      "svg": plots.bar(
        share,
        axis,
        kind="gd",
        title=f"{label}: {words.percent(share)}% of the generated, "
        f"{words.percent(labelled[label])}% of the labelled texts",
        dots=[labelled[label]],
      ),
      "value": f"{words.percent(share)}%",
      "note": "",
      "strong": False,
    }
    for label, share in shares.items()
  ]


def examples(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
  """Texts with the teacher's label; None where there are none."""
  if not rows:
    return None
  return {
    "note": (
      "Drawn at random from the kept texts, not chosen by hand, "
      "with the teacher's most likely class and its probability."
    ),
    "rows": [
      {
        "text": words.visible(row["text"]),
        "label": words.visible(row["label"]),
        "probability": f"{words.percent(row['probability'])}%",
      }
      for row in rows
    ],
  }
