# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A tiny workdir up to the data phase, and how to stop a phase in its loop."""

import pytest
from etils import epath

from configs import common
from gd_jax import artefacts, signals

# Two classes that one word tells apart.
_TEXTS = {
  0: ["where is the {}", "where did the {} go", "where can I see a {}"],
  1: ["who made the {}", "who is the first {}", "who saw a {} there"],
}
_THINGS = ["moon", "tower", "river", "queen", "violin", "harbour"]


def labelled_rows() -> list[dict]:
  rows = []
  for label, templates in _TEXTS.items():
    for number, thing in enumerate(_THINGS):
      for template in templates:
        split = "heldout" if number == 0 else "train"
        text = template.format(thing)
        rows.append({"text": text, "label": label, "split": split})
  # Ids with gaps, as a draw has them.
  return [{"row_id": 3 * i + 1, **row} for i, row in enumerate(rows)]


@pytest.fixture
def drawn(tmp_path) -> epath.Path:
  """A workdir whose data phase is done."""
  workdir = epath.Path(tmp_path) / "run"
  (workdir / "data").mkdir(parents=True)
  artefacts.write_json(
    workdir / "data/task.json", {"task": "toy", "labels": ["place", "person"]}
  )
  artefacts.write_jsonl(workdir / "data/labelled.jsonl", labelled_rows())
  for phase in ("teacher", "generator", "corpus", "soft_labels"):
    (workdir / phase).mkdir()
  return workdir


@pytest.fixture
def config(tiny_bert):
  """The common config, made tiny for `tiny_bert`."""
  config = common.get_config("toy")
  config.data.max_tokens = 16
  config.teacher.update(
    init=str(tiny_bert),
    learning_rate=3e-3,
    layerwise_decay=1.0,
    batch_size=8,
    total_epochs=1,
    min_steps=8,
    evals=4,
    restarts=2,
  )
  config.generator.update(
    init=str(tiny_bert),
    learning_rate=3e-3,
    batch_size=8,
    max_steps=8,
    eval_every_steps=2,
    max_tokens=12,
    scratch={
      "vocab_size": 300,
      "width": 16,
      "num_layers": 2,
      "num_heads": 2,
    },
  )
  config.soft_labels.batch_size = 8
  return config.lock()


@pytest.fixture
def stop_after(monkeypatch):
  """stop_after(n): the n-th look for a signal finds one, once."""

  def arm(calls):
    left = [calls]

    def requested():
      left[0] -= 1
      return left[0] == 0

    monkeypatch.setattr(signals, "requested", requested)

  return arm
