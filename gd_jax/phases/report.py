# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/, teacher/, ..., students/ -> report/: scores, table, page, pictures.

The only phase that reads the evaluation rows' labels.
"""

import math
import time
from typing import Any

import numpy as np
from etils import epath

from gd_jax import artefacts, devices, rngs
from gd_jax.data import logits, texts
from gd_jax.errors import UserError
from gd_jax.progress import Progress
from gd_jax.reporting import (
  arms,
  curves,
  evaluate,
  figures,
  page,
  results,
  statistics,
  table,
  words,
)

NAME = "report"


def run(config: Any, workdir: epath.Path, progress: Progress) -> dict[str, Any]:
  """Writes results.json, index.html, figures/ and the logits of every arm.

  Returns:
    Counts.

  Raises:
    UserError: an artefact is missing or damaged, or a model's logits are not
      finite.
    signals.Stopped: a signal came; the logits of finished arms are kept.
  """
  start = time.monotonic()
  folder = workdir / NAME
  rows = artefacts.read_jsonl(workdir / "data" / "evaluation_texts.jsonl")
  labels, names = _labels(workdir, [row["row_id"] for row in rows])
  found = evaluate.find(config, workdir)
  num_models = sum(map(len, found.values()))
  progress.say(
    f"report: {', '.join(found)} read {len(rows):,} texts"
    f" ({num_models} models); {devices.about(_operations(found, rows))}"
  )
  classes = artefacts.read_json(workdir / "data" / "task.json")["labels"]
  measured = evaluate.all_arms(
    config, workdir, rows=rows, num_classes=len(classes), progress=progress
  )
  made = results.make(
    config,
    workdir,
    measured=measured,
    labels=labels,
    label_names=names,
    seconds=time.monotonic() - start,
  )
  artefacts.write_json(folder / "results.json", made)
  confusions = _confusions(measured, labels, len(classes))
  figures.write(folder / "figures", made, confusions)
  html = page.render(
    made,
    examples=_examples(config, workdir, classes),
    confusions=confusions,
    curves=curves.groups(workdir, found),
  )
  artefacts.write_atomic(folder / "index.html", html)
  if not progress.quiet:
    table.print_results(made)
  headline = arms.headline(made["arms"])
  accuracy = made["arms"][headline]["accuracy"]
  progress.say(
    f"report: {headline} {words.spread(accuracy)} ({words.over(accuracy)});"
    f" the page is {folder / 'index.html'}"
  )
  return {"evaluated": len(rows), "models": num_models}


def _operations(
  found: dict[str, list[epath.Path]], rows: list[dict[str, Any]]
) -> float:
  """From the number of parameters that work on each token; embeddings don't."""
  tokens = sum(1.3 * len(row["text"].split()) + 2 for row in rows)
  working = 0
  for path in (folder for folders in found.values() for folder in folders):
    note = path / "params.json"
    arrays = artefacts.read_json(note)["arrays"] if note.exists() else {}
    working += sum(
      math.prod(array["shape"])
      for name, array in arrays.items()
      if not name.endswith("/embedding")
    )
  return 2 * tokens * working


def _labels(
  workdir: epath.Path, row_ids: list[int]
) -> tuple[np.ndarray, list[str]]:
  """(class ids, names) of the evaluation rows in the order of `row_ids`."""
  path = workdir / "data" / "evaluation_labels.json"
  found = artefacts.read_json(path)
  by_row = dict(
    zip(
      found["row_id"],
      zip(found["label"], found["name"], strict=True),
      strict=True,
    )
  )
  if sorted(by_row) != sorted(row_ids):
    raise UserError(
      f"{path} labels other rows than evaluation_texts.jsonl holds: run again"
      " with --redo=data"
    )
  pairs = [by_row[row_id] for row_id in row_ids]
  return np.array([label for label, _ in pairs]), [name for _, name in pairs]


def _examples(
  config: Any, workdir: epath.Path, classes: list[str]
) -> list[dict[str, Any]]:
  """Kept texts drawn at random, with what the teacher says of them."""
  kept = {
    row["row_id"]: row["text"] for row in texts.read_kept(workdir / "corpus")
  }
  row_ids, values = logits.load_corpus_logits(workdir / "soft_labels")
  rng = rngs.numpy_stream(config.seed, NAME, "examples")
  size = min(config.report.examples, len(row_ids))
  rows = []
  for at in sorted(rng.choice(len(row_ids), size, replace=False)):
    shifted = np.exp(values[at] - values[at].max())
    probabilities = shifted / shifted.sum()
    rows.append(
      {
        "text": kept[int(row_ids[at])],
        "label": classes[int(probabilities.argmax())],
        "probability": float(probabilities.max()),
      }
    )
  return rows


def _confusions(
  measured: dict[str, evaluate.Measured], labels: np.ndarray, num_classes: int
) -> dict[str, np.ndarray]:
  """Counts of (true, predicted) of each arm, as means over its seeds."""
  return {
    name: np.mean(
      [
        statistics.confusion(seed.argmax(-1), labels, num_classes)
        for seed in measured[name].logits
      ],
      axis=0,
    )
    for name in measured
  }
