# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json
import math

import numpy as np
import pytest
from etils import epath

from gd_jax.errors import UserError
from gd_jax.training import metrics


def test_totals_weigh_batches_by_their_count():
  # Dies if: batch means are averaged.
  totals = metrics.Totals()
  totals.add({"xent": (6.0, 3), "empty": (0.0, 0)})
  totals.add({"xent": (1.0, 1)})
  means = totals.means()
  assert means["xent"] == 7 / 4
  assert math.isnan(means["empty"])


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run(loss):
  with pytest.raises(UserError, match="teacher: the loss at step 7"):
    metrics.require_finite({"loss": (loss, 1)}, step=7, name="teacher")


def test_scores_agree_with_scikit_learn():
  sklearn_metrics = pytest.importorskip("sklearn.metrics")
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(40, 5)).astype(np.float32)
  label = rng.integers(0, 4, size=40)  # class 4 is only ever predicted
  scores = metrics.classification_scores(logits, label)
  predicted = logits.argmax(-1)
  assert scores["accuracy"] == sklearn_metrics.accuracy_score(label, predicted)
  assert scores["macro_f1"] == pytest.approx(
    sklearn_metrics.f1_score(label, predicted, average="macro")
  )
  probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  assert scores["xent"] == pytest.approx(
    sklearn_metrics.log_loss(label, probs, labels=range(5)), rel=1e-5
  )


def test_labels_without_a_class_are_no_class_of_their_own():
  # Dies if: -1 is averaged as a class of F1 0, or its rows are left out.
  logits = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1]]
  scores = metrics.classification_scores(logits, np.array([0, 0, 1, -1, -1]))
  assert scores["accuracy"] == 3 / 5
  assert scores["macro_f1"] == pytest.approx((1 + 2 * 1 / (3 + 1)) / 2)


def _lines(folder):
  text = (folder / "metrics.jsonl").read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_writer_goes_on_where_the_run_goes_on(tmp_path):
  # Dies if: what was written after the last checkpoint is kept twice.
  folder = epath.Path(tmp_path)
  writer = metrics.MetricsWriter(folder)
  for step in (1, 2, 3):
    writer.write(step, {"teacher/train/xent": step / 2})
  writer.close()
  with (folder / "metrics.jsonl").open("a") as file:
    file.write('{"step": 4, "teach')  # killed in the middle of a line

  writer = metrics.MetricsWriter(folder, start_step=2)
  writer.write(3, {"teacher/train/xent": 9.0})
  writer.close()
  assert [row["step"] for row in _lines(folder)] == [1, 2, 3]
  assert _lines(folder)[-1]["teacher/train/xent"] == 9.0


def test_writer_starts_afresh_at_step_0(tmp_path):
  folder = epath.Path(tmp_path)
  for _ in range(2):
    writer = metrics.MetricsWriter(folder)
    writer.write(1, {"teacher/train/xent": 1.0})
    writer.close()
  assert len(_lines(folder)) == 1
  assert len(list((folder / "tensorboard").iterdir())) == 1
