# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What each phase's manifest counts, counted again on disk."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from etils import epath

from gd_jax import artefacts
from gd_jax.data import logits, texts

Config = Mapping[str, Any]


def problems(
  name: str, folder: epath.Path, manifest: Mapping[str, Any]
) -> Iterator[str]:
  """Where phase `name`'s manifest counts other rows than `folder` holds.

  Raises:
    UserError: a file is missing or damaged.
  """
  if name not in _COUNTED:
    return
  said = manifest["counts"]
  for field, found in _COUNTED[name](folder, manifest["config"]).items():
    if said.get(field, found) != found:
      yield f"{folder} has {found} {field}, its manifest says {said[field]}"


def _data(folder: epath.Path, config: Config) -> dict[str, int]:
  del config
  splits = [
    row["split"] for row in artefacts.read_jsonl(folder / "labelled.jsonl")
  ]
  evaluation = artefacts.read_jsonl(folder / "evaluation_texts.jsonl")
  return {
    "labelled": len(splits),
    "train": splits.count("train"),
    "heldout": splits.count("heldout"),
    "evaluation": len(evaluation),
  }


def _corpus(folder: epath.Path, config: Config) -> dict[str, int]:
  del config
  return {
    "drawn": len(texts.read_drawn(folder)),
    "kept": len(texts.read_kept(folder)),
  }


def _soft_labels(folder: epath.Path, config: Config) -> dict[str, int]:
  del config
  return {
    "labelled_rows": len(logits.load_logits(folder / logits.LABELLED)[0]),
    "corpus_rows": sum(
      len(logits.load_logits(path)[0])
      for path in folder.glob("corpus-*.safetensors")
    ),
  }


def _students(folder: epath.Path, config: Config) -> dict[str, int]:
  arms, num_seeds = config["students.arms"], config["students.num_seeds"]
  wanted = [
    (arm, seed)
    for arm in arms
    for seed in range(1 if arm == "tfidf" else num_seeds)
  ]
  done = [
    pair
    for pair in wanted
    if artefacts.read_manifest(folder / pair[0] / str(pair[1]))
  ]
  return {"students": len(done)}


def _report(folder: epath.Path, config: Config) -> dict[str, int]:
  del config
  logits_of_arms = (folder / "logits").glob("*.safetensors")
  rows = {len(logits.load_logits(path)[0]) for path in logits_of_arms}
  return {"evaluated": rows.pop()} if len(rows) == 1 else {"evaluated": -1}


_COUNTED: dict[str, Callable[[epath.Path, Config], dict[str, int]]] = {
  "data": _data,
  "corpus": _corpus,
  "soft_labels": _soft_labels,
  "students": _students,
  "report": _report,
}
