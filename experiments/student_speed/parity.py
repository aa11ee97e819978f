# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Does each exported form say what the trained student says, on all test rows?

Run: python experiments/student_speed/parity.py WORKDIR ...
Every seed's student is exported anew, in memory, and reads all evaluation rows
of its workdir as the trained parameters in JAX, as ONNX, as StableHLO and as
int8. Writes results/parity/TASK.json, which holds numbers alone.
"""

import argparse
import json
import os
import pathlib
from collections.abc import Callable

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
import onnxruntime
from etils import epath

from gd_jax import artefacts, checkpoints
from gd_jax.data import batches, tokenizers, vocabulary
from gd_jax.export import onnx_students, stablehlo
from gd_jax.models import families

_RESULTS = pathlib.Path(__file__).parent / "results" / "parity"
_ROWS = 128
Logits = Callable[[np.ndarray], np.ndarray]


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("workdirs", nargs="+", type=_finished)
  parser.add_argument("--arm", default="gd")
  flags = parser.parse_args()
  _RESULTS.mkdir(parents=True, exist_ok=True)
  for workdir in flags.workdirs:
    found = compare(workdir, flags.arm)
    text = json.dumps(found, indent=1)
    (_RESULTS / f"{found['task']}.json").write_text(text + "\n")
    print(text, flush=True)


def _finished(text: str) -> epath.Path:
  workdir = epath.Path(text)
  if not (workdir / "students" / artefacts.MANIFEST).exists():
    raise argparse.ArgumentTypeError(f"{text} has no finished students")
  return workdir


def compare(workdir: epath.Path, arm: str) -> dict:
  """What one workdir's students say in every form, seed by seed."""
  made = {
    phase: artefacts.read_json(workdir / phase / artefacts.MANIFEST)["config"]
    for phase in ("data", "students")
  }
  texts = artefacts.read_jsonl(workdir / "data" / "evaluation_texts.jsonl")
  rows = vocabulary.encode(
    tokenizers.load(workdir / "students"),
    [row["text"] for row in texts],
    max_tokens=made["students"]["students.max_tokens"],
  )
  labels = artefacts.read_json(workdir / "data" / "evaluation_labels.json")
  truth = np.array(labels["label"])
  seeds = range(made["students"]["students.num_seeds"])
  return {
    "task": made["data"]["task"],
    "arm": arm,
    "evaluate_on": made["data"]["data.evaluate_on"],
    "rows": len(rows),
    "seeds": [
      of_student(workdir / "students" / arm / str(seed), rows, truth)
      for seed in seeds
    ],
  }


def of_student(
  folder: epath.Path, rows: list[list[int]], truth: np.ndarray
) -> dict:
  """Differences to the trained student, and accuracies."""
  spec = artefacts.read_json(folder / "model.json")
  params = checkpoints.load_params(folder)
  arrays = batches.from_rows(rows)

  def read(logits: Logits) -> np.ndarray:
    found = np.zeros((len(rows), spec["num_classes"]), np.float32)
    for places, batch in batches.by_length(arrays, _ROWS):
      answers = logits(np.asarray(batch["tokens"], np.int32))
      found[places] = answers[: len(places)]
    return found

  trained = read(_trained(spec, params))
  found = {"rows": len(rows), "accuracy": _mean(trained.argmax(1) == truth)}
  for name, logits in (
    ("onnx", _onnx(spec, params, int8=False)),
    ("stablehlo", _stablehlo(spec, params)),
    ("int8", _onnx(spec, params, int8=True)),
  ):
    said = read(logits)
    found[name] = {
      "largest_difference": float(f"{np.abs(said - trained).max():.2g}"),
      "same_argmax": int((said.argmax(1) == trained.argmax(1)).sum()),
      "accuracy": _mean(said.argmax(1) == truth),
    }
  return found


def _mean(right: np.ndarray) -> float:
  return round(float(right.mean()), 6)


def _trained(spec: dict, params: dict) -> Logits:
  module = families.build(spec)

  @jax.jit
  def apply(tokens):
    mask = (tokens != 0).astype(tokens.dtype)
    return module.apply({"params": params}, tokens, mask)

  return lambda tokens: np.asarray(apply(tokens))


def _onnx(spec: dict, params: dict, *, int8: bool) -> Logits:
  session = onnxruntime.InferenceSession(
    onnx_students.build(spec, params, int8=int8)
  )
  return lambda tokens: session.run(["logits"], {"tokens": tokens})[0]


def _stablehlo(spec: dict, params: dict) -> Logits:
  made = jax.export.deserialize(bytearray(stablehlo.build(spec, params)))
  call = jax.jit(made.call)
  return lambda tokens: np.asarray(call(tokens)[0])


if __name__ == "__main__":
  main()
