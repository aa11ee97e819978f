# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Takes from a sweep what the tables need: numbers, no text.

Run: python -m experiments.paper.collect --sweep=runs/paper/tier1/TASK \
  --out=experiments/paper/results/tier1/TASK
"gd_pretrained" is the arm gd of a sweep whose generator first read general
text: --take=gd:gd_pretrained adds it to what is in --out.
"""

import argparse
import json
import pathlib
from typing import Any

import numpy as np
from safetensors.numpy import load_file

DRAW = ("data.seed", "seed")


def collect(
  sweep: pathlib.Path, take: dict[str, str] | None = None
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
  """(each run's facts, {"RUN/ARM": how many seeds got each row right}).

  Args:
    sweep: A folder that `gd-jax --sweep` filled.
    take: {arm: name it gets}; None: all, as they are.
  """
  runs, rows = [], {}
  for entry in json.loads((sweep / "sweep.json").read_text()):
    point, results = entry["point"], entry["results"]
    (folder,) = (
      path.parent.parent
      for path in sweep.glob("*/report/results.json")
      if json.loads(path.read_text()) == results
    )
    label_file = folder / "data" / "evaluation_labels.json"
    labels = json.loads(label_file.read_text())
    by_id = dict(zip(labels["row_id"], labels["label"], strict=True))
    arms = {}
    for arm in results["arms"]:
      name = arm if take is None else take.get(arm)
      if name is None:
        continue
      found = load_file(folder / "report" / "logits" / f"{arm}.safetensors")
      label = np.array([by_id[int(i)] for i in found["row_id"]])
      right = found["logits"].argmax(-1) == label[None]
      # In the order of ids, so that rows of several draws are the same.
      order = np.argsort(found["row_id"])
      rows[f"{len(runs)}/{name}"] = right.sum(axis=0)[order].astype(np.uint8)
      arms[name] = len(right)
    runs.append(
      {
        "change": {k: v for k, v in point.items() if k not in DRAW},
        "draw": point.get("data.seed", 0),
        "seeds": arms,
        "model": results["config"]["students"]["model"],
        "params": {a: results["arms"][a]["params_total"] for a in arms}
        if take is None
        else {},
      }
      | {
        key: results.get(key)
        for key in (
          "task",
          "evaluate_on",
          "num_labelled",
          "num_synthetic",
          "platform",
          "versions",
        )
      }
    )
  return runs, rows


def save(out: pathlib.Path, runs, rows: dict[str, np.ndarray]) -> None:
  """Writes OUT.json and OUT.npz; runs that are there already stay."""
  if out.with_suffix(".json").exists():
    old = json.loads(out.with_suffix(".json").read_text())
    with np.load(out.with_suffix(".npz")) as arrays:
      kept = dict(arrays)
    rows = kept | {
      f"{len(old) + int(run)}/{arm}": values
      for (run, arm), values in (
        (name.split("/"), values) for name, values in rows.items()
      )
    }
    runs = [*old, *runs]
  out.parent.mkdir(parents=True, exist_ok=True)
  np.savez_compressed(out.with_suffix(".npz"), allow_pickle=False, **rows)
  text = json.dumps(runs, indent=1, sort_keys=True) + "\n"
  out.with_suffix(".json").write_text(text)


if __name__ == "__main__":
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--sweep", type=pathlib.Path, required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--take", default=None)
  args = parser.parse_args()
  pairs = (
    [pair.split(":") for pair in args.take.split(",")] if args.take else []
  )
  save(args.out, *collect(args.sweep, dict(pairs) or None))
