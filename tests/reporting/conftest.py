# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results of a run that never was."""

import pytest

from gd_jax.reporting import statistics

_ACCURACY = {
  "teacher": [0.91],
  "tfidf": [0.74],
  "gold": [0.77, 0.79, 0.78],
  "gd": [0.86, 0.88, 0.87],
}


_BINS = [
  {
    "low": m / 15,
    "high": (m + 1) / 15,
    "share": share,
    "confidence": (m + 0.5) / 15,
    "accuracy": m / 15,
  }
  for m, share in ((9, 0.2), (14, 0.8))
]


def _arm(name, values):
  score = statistics.over_seeds(values)
  mean = score["mean"]
  return {
    "accuracy": {**score, "interval": [mean - 0.03, mean + 0.03]},
    "macro_f1": statistics.over_seeds([value - 0.02 for value in values]),
    "params_total": 22_000_000 if mean > 0.9 else 1_000_000,
    "params_without_embeddings": 300_000,
    "examples_per_second": 100.0 if mean > 0.9 else 3200.0,
    "examples_per_second_with_tokenizing": 90.0,
    "latency_ms": 12.5 if mean > 0.9 else 0.8,
    "num_seeds": len(values),
    "calibration": None
    if name == "tfidf"
    else {"ece": statistics.over_seeds([0.05, 0.04, 0.03]), "bins": _BINS},
    "heldout_accuracy": None if mean < 0.75 else mean,
  }


@pytest.fixture
def make_results():
  """make_results(arms, **fields): as in results.json."""

  def make(arms=tuple(_ACCURACY), *, labels=("pay", "ship"), **fields):
    share = dict.fromkeys(labels, 1 / len(labels))
    variety = dict.fromkeys(
      ("distinct_1", "distinct_2", "distinct_3", "self_bleu"), 0.25
    )
    return {
      "task": "shop",
      "labels": list(labels),
      "labels_per_class": 100,
      "num_labelled": 200,
      "num_classes": len(labels),
      "num_synthetic": 900,
      "num_evaluated": 500,
      "unseen_labels": {},
      "evaluate_on": "test",
      "versions": {"gd_jax": "0.1.0"},
      "platform": "cpu (2 cores)",
      "config": {"task": "shop", "data": {"dir": None, "seed": 0}},
      "arms": {
        name: _arm(name, _ACCURACY.get(name, [0.85, 0.83])) for name in arms
      },
      "differences": [
        {"arm": "gd", "than": "gold", "mean": 0.09, "interval": [0.05, 0.13]}
      ]
      if {"gd", "gold"} <= set(arms)
      else [],
      "spread": {
        "std": "± is the std over 3 seeds.",
        "interval": "Intervals hold 95%.",
        "difference": "Paired.",
        "unseen": "2 evaluation texts have labels that no training text has.",
      },
      "speed": {
        "words": "Texts per second: of batches.",
        "latency_words": "Latency: of one text.",
      },
      "corpus_health": {
        "drawn": 1000,
        "kept": 900,
        "removed": {"empty": 10, "near_duplicate": 90},
        "copies_of_labelled": {"exact": 3, "near": 4},
        "finished_share": 0.99,
        "tokens": {"mean": 9.5, "percentile_5": 3.0, "percentile_95": 21.0},
        "perplexity": 14.0,
        "diversity": {
          "texts": 200,
          "generated": variety,
          "labelled": variety,
        },
        "class_share": share,
        "labelled_class_share": share,
        "mean_confidence": 0.9,
      },
      "seconds": {"data": 1.0, "teacher": 75.0},
    } | fields

  return make
