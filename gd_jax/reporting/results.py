# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""results.json: what later tools read. Keys are added, never renamed.

Accuracies and shares lie between 0 and 1. An arm's "std" is null where it has
one seed. "interval" is [low, high]. "macro_f1" is the mean over the training
classes that are a text's label or predicted for one; an evaluation text of a
label without a class counts against the one that was predicted. "num_synthetic"
is how many generated rows the students had. "latency_ms" is of one text alone,
from its string to its logits. "calibration" is as `calibration.of` returns it;
null where scores are no probabilities.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Int

from gd_jax import artefacts, devices, rngs
from gd_jax.reporting import arms, calibration, evaluate, readers, statistics
from gd_jax.training import metrics

_REPORT = "report"


def make(
  config: Any,
  workdir: epath.Path,
  *,
  measured: Mapping[str, evaluate.Measured],
  labels: Int[np.ndarray, " N"],
  label_names: Sequence[str],
  seconds: float,
) -> dict[str, Any]:
  """The results of a run.

  Args:
    config: the run's config.
    workdir: the run's folder.
    measured: what `evaluate.all_arms` returned.
    labels: the evaluation rows' class ids; -1 for a class never trained on.
    label_names: the names that the evaluation rows' labels have in their file.
    seconds: what the report has taken so far.
  """
  task = artefacts.read_json(workdir / "data" / "task.json")
  unseen = sorted(
    {name for name, label in zip(label_names, labels, strict=True) if label < 0}
  )
  return {
    "task": task["task"],
    "labels": task["labels"],
    "labels_per_class": task["labels_per_class"],
    "num_labelled": task["counts"]["labelled"],
    "num_classes": len(task["labels"]),
    "num_synthetic": _num_synthetic(workdir),
    "num_evaluated": len(labels),
    "unseen_labels": {name: label_names.count(name) for name in unseen},
    "evaluate_on": task["evaluate_on"],
    "versions": artefacts.versions(),
    "platform": _platform(),
    "config": config.to_dict(),
    "arms": {
      name: _arm(name, m, labels, config.seed) for name, m in measured.items()
    },
    "differences": _differences(measured, labels, config.seed),
    "spread": _in_words(measured, unseen, labels),
    "speed": _speed(len(labels), measured),
    "corpus_health": _corpus_health(workdir, task),
    "seconds": _seconds(workdir) | {_REPORT: round(seconds, 3)},
  }


def _arm(
  name: str,
  measured: evaluate.Measured,
  labels: Int[np.ndarray, " N"],
  seed: int,
) -> dict[str, Any]:
  right = statistics.correct(measured.logits, labels)
  rng = rngs.numpy_stream(seed, _REPORT, "bootstrap", name)
  f1 = [
    metrics.classification_scores(logits, labels)["macro_f1"]
    for logits in measured.logits
  ]
  return {
    "accuracy": {
      **statistics.over_seeds(right.mean(1)),
      "interval": statistics.bootstrap_interval(right.mean(0), rng),
    },
    "macro_f1": statistics.over_seeds(f1),
    "params_total": measured.size.total,
    "params_without_embeddings": measured.size.without_embeddings,
    "examples_per_second": measured.speed.reading,
    "examples_per_second_with_tokenizing": measured.speed.with_tokenizing,
    "latency_ms": 1000 * measured.speed.latency_seconds,
    "num_seeds": len(measured.logits),
    "heldout_accuracy": measured.heldout_accuracy,
    "calibration": None
    if name in calibration.WITHOUT_PROBABILITIES
    else calibration.of(measured.logits, labels),
  }


def _differences(
  measured: Mapping[str, evaluate.Measured],
  labels: Int[np.ndarray, " N"],
  seed: int,
) -> list[dict[str, Any]]:
  found = []
  for arm, than in arms.comparisons(measured):
    better, worse = (
      statistics.correct(measured[name].logits, labels) for name in (arm, than)
    )
    rng = rngs.numpy_stream(seed, _REPORT, "bootstrap", arm, than)
    pair = {"arm": arm, "than": than}
    found.append(pair | statistics.difference(better, worse, rng))
  return found


def _in_words(
  measured: Mapping[str, evaluate.Measured],
  unseen: Sequence[str],
  labels: Int[np.ndarray, " N"],
) -> dict[str, str]:
  """What the spreads are over, for the table's and the page's notes."""
  seeds = sorted({len(m.logits) for m in measured.values()} - {1})
  spread = "There is one seed of each arm, hence no spread over seeds."
  if seeds:
    spread = (
      f"± is the std (n − 1) over {' or '.join(map(str, seeds))} seeds of the "
      "student; data, teacher and generated texts are the same."
    )
  level = f"{100 * statistics.LEVEL:g}%"
  resamples = f"{statistics.BOOTSTRAP_SAMPLES:,}"
  of_what = "bootstrap resamples of the evaluation texts."
  return {
    "std": spread,
    "interval": f"Intervals hold {level} of {resamples} {of_what}",
    "difference": f"Intervals: {level} of {resamples} paired {of_what}",
    "unseen": (
      f"{int((labels < 0).sum())} evaluation texts have labels that no "
      f"training text has ({', '.join(unseen)}); they count as wrong, and "
      "macro F1 has no class of theirs."
      if unseen
      else ""
    ),
  }


def _speed(num_rows: int, names: Iterable[str]) -> dict[str, Any]:
  remark = " (tfidf: counted, it has no other step)" * ("tfidf" in names)
  rows = min(readers.SPEED_ROWS, num_rows)
  return {
    "batch_size": readers.BATCH_SIZE,
    "rows": rows,
    "words": (
      f"Texts per second: {rows} evaluation texts in batches of "
      f"{readers.BATCH_SIZE}, the fastest of several rounds on "
      f"{_platform()}, tokenizing not counted{remark}."
    ),
    "latency_words": (
      "Latency: the evaluation text of median length alone, from its string to "
      f"its logits in JAX, the fastest of several rounds on {_platform()}."
    ),
  }


def _platform() -> str:
  """Such as "AMD EPYC, 2 cores" or "4 × NVIDIA H200"."""
  if devices.platform() == "cpu":
    return devices.cpu_kind()
  return devices.name_all()


def _num_synthetic(workdir: epath.Path) -> int:
  """How many generated rows the students had, of those that were kept.

  config.students.num_texts, min_confidence and balance may leave some out.
  """
  manifest = artefacts.read_json(workdir / "students" / artefacts.MANIFEST)
  return manifest["counts"]["generated_rows"]


def _corpus_health(
  workdir: epath.Path, task: Mapping[str, Any]
) -> dict[str, Any]:
  """health.json, and what the teacher makes of the corpus."""
  health = artefacts.read_json(workdir / "corpus" / "health.json")
  agreement = artefacts.read_json(workdir / "soft_labels" / "agreement.json")
  labels = task["labels"]
  # Where no text was kept, the teacher had nothing to read.
  by_teacher = agreement.get("corpus") or {
    "class_share": [0.0] * len(labels),
    "mean_confidence": None,
  }
  health["class_share"] = dict(
    zip(labels, by_teacher["class_share"], strict=True)
  )
  health["mean_confidence"] = by_teacher["mean_confidence"]
  drawn = task["counts"]["per_class"]
  total = sum(drawn.values())
  health["labelled_class_share"] = {
    name: drawn.get(name, 0) / total for name in labels
  }
  return health


def _seconds(workdir: epath.Path) -> dict[str, float]:
  """What each finished phase took."""
  manifests = {
    path.parent.name: artefacts.read_json(path)
    for path in sorted(workdir.glob(f"*/{artefacts.MANIFEST}"))
  }
  return {
    name: manifest["seconds"]
    for name, manifest in manifests.items()
    # A web site's manifest.json, say, has none.
    if name != _REPORT and "seconds" in manifest
  }
