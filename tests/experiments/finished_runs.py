# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Workdirs as finished runs of the paper's sweeps leave them."""

import importlib
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

from gd_jax import sweeps

ROOT = pathlib.Path(__file__).parents[2]
N = 400
ACCURACY = {"teacher": 0.9, "tfidf": 0.6, "kd": 0.7, "gd": 0.8}
TIER1 = str(ROOT / "experiments/paper/tier1.py")
CARRIES = str(ROOT / "experiments/what_carries/sweep.py")
# What all points of that sweep have besides tier1's.
AS_IN_CARRIES = {
  "data.evaluate_on": "validation",
  "students.total_steps": 800,
}


def paper(name):
  return importlib.import_module(f"experiments.paper.{name}")


def write_runs(
  folder,
  *,
  draws=4,
  seeds=2,
  accuracy=ACCURACY,
  general_text="a1",
  teacher="t1",
  **fields,
):
  """Workdirs in which each arm is right that often, as a sweep leaves them.

  `general_text` is the digest of what the generator read first, if anything;
  `teacher` that of the teacher, but for the draw.
  """
  labels = np.random.default_rng(9).integers(0, 3, N)
  for draw in range(draws):
    run = folder / f"seed={draw}"
    (run / "data").mkdir(parents=True)
    (run / "generator").mkdir()
    (run / "teacher").mkdir()
    (run / "report/logits").mkdir(parents=True)
    row_id = np.random.default_rng(draw).permutation(N)
    (run / "data/evaluation_labels.json").write_text(
      json.dumps({"row_id": row_id.tolist(), "label": labels[row_id].tolist()})
    )
    arms = {}
    for i, (arm, share) in enumerate(accuracy.items()):
      rng = np.random.default_rng([draw, i])
      count = 1 if arm == "teacher" else seeds
      # Nobody ever gets the row with the id 0.
      right = (rng.random((count, N)) < share) & (row_id != 0)[None]
      chosen = (labels[row_id] + ~right) % 3
      save_file(
        {"row_id": row_id, "logits": np.eye(3, dtype=np.float32)[chosen]},
        run / f"report/logits/{arm}.safetensors",
      )
      arms[arm] = {"params_total": 1_080_000}
      if arm != "teacher":
        texts = 11_000 + draw if arm == "gd" else 0
        student = run / f"students/{arm}/0"
        student.mkdir(parents=True)
        summary = json.dumps({"generated_rows": texts})
        (student / "summary.json").write_text(summary)
    config = paper("tier1").get_config("trec")
    point = {"data.seed": draw, "seed": draw} | fields
    results = {
      "arms": arms,
      "config": sweeps.apply(config, point).to_dict(),
      "task": "trec",
      "evaluate_on": "test",
      "num_labelled": 578,
      "platform": "cpu (2 cores)",
      "versions": {},
      "seconds": {},
    }
    (run / "report/results.json").write_text(json.dumps(results))
    (run / "report/manifest.json").write_text("{}")
    counts = {"heldout_perplexity": 30.0 + draw}
    reads = fields.get("generator.pretrain_on")
    inputs = {"texts": general_text} if reads else {}
    manifest = json.dumps({"counts": counts, "inputs": inputs})
    (run / "generator/manifest.json").write_text(manifest)
    counts = {"memory": {"kind": "A CPU, 2 cores"}}
    manifest = json.dumps(
      {
        "counts": counts,
        "fingerprint": f"{teacher}/{draw}",
        # Of the seconds as well: that of no two is alike.
        "digest": str(run),
      }
    )
    (run / "teacher/manifest.json").write_text(manifest)
  return folder


def taken(folders, *, take=None, config=f"{TIER1}:trec"):
  collect = paper("collect")
  return collect.collect(paper("points").Sweep(config), folders, take)


def stacked(scores):
  """{arm: [D N]} of scores by draw."""
  return {
    arm: np.stack([by_draw[draw] for draw in sorted(by_draw)])
    for arm, by_draw in scores.items()
  }
