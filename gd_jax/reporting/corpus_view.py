# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page says of the generated texts: health, classes, examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from gd_jax.reporting import plots, svgs, words

_REASONS = {
  "empty": "empty",
  "copy_of_test": "copies of evaluation texts",
  "exact_duplicate": "the same as an earlier one",
  "near_duplicate": "nearly the same as an earlier one",
}
_MEASURES = {
  "distinct_1": "distinct words",
  "distinct_2": "distinct pairs of words",
  "distinct_3": "distinct triples of words",
  "self_bleu": "self-BLEU",
}


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
    "diversity": _diversity(found),
    "balance": _balance(found),
    "balance_note": (
      "Share of kept texts to which the teacher gives each class (bar), and "
      "the class's share of the labelled texts (dot)."
    ),
  }


def _counts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
  axis = svgs.from_zero([found["drawn"]])
  removed = found["removed"]
  reasons = [reason for reason in _REASONS if reason in removed]
  reasons += [reason for reason in removed if reason not in _REASONS]
  counts = [
    ("drawn", found["drawn"], "teacher"),
    *(
      (_REASONS.get(reason, reason), removed[reason], "gold")
      for reason in reasons
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
  copies, tokens = found["copies_of_labelled"], found["tokens"]
  low, high = tokens["percentile_5"], tokens["percentile_95"]
  ended, sure = found["finished_share"], found["mean_confidence"]
  facts = {
    "exact copies of labelled texts": words.count(copies["exact"]),
    "near copies of labelled texts": words.count(copies["near"]),
    "texts that ended by themselves": f"{words.percent(ended)}%",
    "tokens a text, mean": words.short(tokens["mean"]),
    "tokens of nine in ten texts": f"{words.short(low)}–{words.short(high)}",
    "perplexity a token, by the generator": words.short(found["perplexity"]),
    "mean probability of the teacher’s label": (
      "–" if sure is None else f"{words.percent(sure)}%"
    ),
  }
  return [{"name": name, "value": value} for name, value in facts.items()]


def _diversity(found: Mapping[str, Any]) -> dict[str, Any]:
  measured = found["diversity"]
  return {
    "note": (
      f"Measured alike on {words.count(measured['texts'])} generated and as "
      "many labelled texts. Distinct: different ones as a share of all, more "
      "is more varied. Self-BLEU: how much a text repeats of the others, less "
      "is more varied."
    ),
    "rows": [
      {
        "name": name,
        "generated": f"{measured['generated'][measure]:.3f}",
        "labelled": f"{measured['labelled'][measure]:.3f}",
      }
      for measure, name in _MEASURES.items()
    ],
  }


def _balance(found: Mapping[str, Any]) -> list[dict[str, Any]]:
  shares = found["class_share"]
  labelled = found["labelled_class_share"]
  axis = svgs.from_zero([*shares.values(), *labelled.values()])
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
