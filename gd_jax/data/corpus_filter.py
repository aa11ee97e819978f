# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which drawn texts count, and how healthy the corpus is.

Decided row by row in the order of their ids, from earlier rows alone: a
corpus that grows never changes its mind about a row.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from gd_jax import artefacts, rngs
from gd_jax.data import diversity, duplicates, texts
from gd_jax.progress import Progress

_REASONS = ("empty", "copy_of_test", "exact_duplicate", "near_duplicate")
# Diversity depends on the number of texts, so it is taken over this many.
_DIVERSITY_SAMPLE = 500

Row = Mapping[str, Any]


def write(
  folder: epath.Path,
  *,
  labelled: Sequence[Row],
  evaluation: Sequence[Row],
  near_duplicate: float,
  seed: int,
  progress: Progress,
) -> dict[str, Any]:
  """Filters the drawn shards in `folder`; writes what is removed, and why.

  Args:
    folder: the corpus folder.
    labelled: {"row_id", "text"} of the labelled rows; copies are counted.
    evaluation: {"row_id", "text"} of the evaluation texts; copies are removed.
    near_duplicate: the least Jaccard similarity of a near duplicate.
    seed: of the sample that diversity is measured on.
    progress: gets a bar.

  Returns:
    What it wrote to health.json.
  """
  drawn = texts.read_drawn(folder)
  everything = [*evaluation, *labelled, *drawn]
  sets = iter(duplicates.shingle([row["text"] for row in everything]))
  test = _index("evaluation", evaluation, sets, near_duplicate)
  training = _index("labelled", labelled, sets, near_duplicate)
  kept = duplicates.Index(near_duplicate)
  removed, copies, kept_rows = [], [], []
  with progress.bar("corpus: filter", len(drawn), unit="texts") as bar:
    for row, shingles in zip(drawn, sets, strict=True):
      bar.advance()
      text = row["text"]
      reason, match = _judge(text, shingles, test=test, kept=kept)
      if reason:
        removed.append(_removal(row, reason, match))
        continue
      kept.add(f"corpus:{row['row_id']}", text, shingles)
      kept_rows.append(row)
      if copied := training.find(text, shingles):
        copies.append(_copy(row, copied))
  artefacts.write_jsonl(folder / texts.REMOVED, removed)
  artefacts.write_jsonl(folder / "copies_of_labelled.jsonl", copies)
  health = _health(drawn, kept_rows, removed, copies)
  health |= _diversity(kept_rows, labelled, seed)
  artefacts.write_json(folder / "health.json", health)
  return health


def _index(kind, rows, sets, threshold) -> duplicates.Index:
  index = duplicates.Index(threshold)
  for row in rows:
    index.add(f"{kind}:{row['row_id']}", row["text"], next(sets))
  return index


def _judge(
  text: str,
  shingles: duplicates.Shingles,
  *,
  test: duplicates.Index,
  kept: duplicates.Index,
) -> tuple[str | None, duplicates.Match | None]:
  """Why a text does not count, and which other one is the reason."""
  if not duplicates.words(text):
    return "empty", None
  if match := test.find(text, shingles):
    return "copy_of_test", match
  if match := kept.find(text, shingles):
    kind = "exact" if match.exact else "near"
    return f"{kind}_duplicate", match
  return None, None


def _removal(
  row: Row, reason: str, match: duplicates.Match | None
) -> dict[str, Any]:
  return {
    "row_id": row["row_id"],
    "reason": reason,
    "twin": match.name if match else None,
    "similarity": round(match.similarity, 4) if match else 0.0,
  }


def _copy(row: Row, match: duplicates.Match) -> dict[str, Any]:
  return {
    "row_id": row["row_id"],
    "twin": match.name,
    "kind": "exact" if match.exact else "near",
    "similarity": round(match.similarity, 4),
  }


def _health(drawn, kept, removed, copies) -> dict[str, Any]:
  """Counts over all drawn rows; shares and lengths over those that count."""
  reasons = Counter(row["reason"] for row in removed)
  kinds = Counter(row["kind"] for row in copies)
  num_kept = max(len(kept), 1)
  tokens = [row["num_tokens"] for row in kept] or [0]
  log_prob = sum(row["log_prob"] for row in kept)
  # The end is predicted as well where it came.
  predicted = sum(row["num_tokens"] + row["finished"] for row in kept)
  return {
    "drawn": len(drawn),
    "kept": len(kept),
    "removed": {reason: reasons[reason] for reason in _REASONS},
    "copies_of_labelled": {kind: kinds[kind] for kind in ("exact", "near")},
    "copies_of_labelled_share": round(len(copies) / num_kept, 4),
    "finished_share": round(sum(r["finished"] for r in kept) / num_kept, 4),
    "tokens": {
      "mean": round(statistics.fmean(tokens), 2),
      **{
        f"percentile_{q}": round(float(np.percentile(tokens, q)), 1)
        for q in (5, 50, 95)
      },
    },
    "perplexity": round(float(np.exp(-log_prob / max(predicted, 1))), 2),
  }


def _diversity(
  kept: Sequence[Row], labelled: Sequence[Row], seed: int
) -> dict[str, Any]:
  """The same measures over equally many generated and labelled texts."""
  size = min(len(kept), len(labelled), _DIVERSITY_SAMPLE)
  measured: dict[str, Any] = {"texts": size}
  for name, rows in (("generated", kept), ("labelled", labelled)):
    rng = rngs.numpy_stream(seed, "corpus", "diversity", name)
    chosen = sorted(rng.choice(len(rows), size, replace=False)) if size else []
    sample = [duplicates.words(rows[index]["text"]) for index in chosen]
    measured[name] = {
      **{
        f"distinct_{order}": round(diversity.distinct(sample, order), 4)
        for order in (1, 2, 3)
      },
      "self_bleu": round(diversity.self_bleu(sample), 4),
    }
  return {"diversity": measured}
