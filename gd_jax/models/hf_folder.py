# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hugging Face folders on disk: config.json, safetensors, tokenizer.json."""

import json
import os
import pathlib
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class PretrainedError(ValueError):
  """Weights, config or tokenizer that cannot be used: one line for the user."""


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """A JSON object; PretrainedError where it is absent or broken."""
  try:
    value = json.loads(path.read_text(encoding="utf-8"))
  except FileNotFoundError:
    raise PretrainedError(
      f"{path.parent} has no {path.name}: a model folder needs it; copy it "
      "from where the weights came from"
    ) from None
  except (OSError, ValueError) as error:
    raise PretrainedError(
      f"{path} cannot be read as JSON ({error}): copy it again"
    ) from error
  if not isinstance(value, dict):
    raise PretrainedError(f"{path} is not a JSON object: copy it again")
  return value


def read_tensors(folder: pathlib.Path) -> dict[str, np.ndarray]:
  """All tensors of a folder, from one safetensors file or from its shards.

  Raises:
    PretrainedError: no safetensors (pickled weights are refused), a damaged
      file, or shards that are not those of the index.
  """
  if (folder / INDEX).exists():
    return _read_shards(folder)
  if (folder / WEIGHTS).exists():
    return _read_file(folder / WEIGHTS)
  if not folder.is_dir():
    raise PretrainedError(f"{folder} is not a folder: check the path")
  pickled = sorted(p.name for glob in _PICKLED for p in folder.glob(glob))
  if pickled:
    raise PretrainedError(
      f"{folder} holds pickled weights ({pickled[0]}), and loading a pickle "
      "runs whatever code is in it: refused; convert it once where you trust "
      "it, with transformers' from_pretrained(FOLDER) and "
      "save_pretrained(FOLDER), which writes model.safetensors"
    )
  raise PretrainedError(
    f"{folder} has neither {WEIGHTS} nor {INDEX}: point to a folder in "
    "Hugging Face format"
  )


def _read_shards(folder):
  weight_map = read_json(folder / INDEX).get("weight_map")
  if not isinstance(weight_map, dict):
    raise PretrainedError(f"{folder / INDEX} has no weight_map: copy it again")
  tensors = {}
  for name in sorted(set(weight_map.values())):
    if pathlib.PurePath(name).name != name:
      raise PretrainedError(
        f"{folder / INDEX} names {name!r}, which is not a file beside it"
      )
    shard = _read_file(folder / name)
    claimed = {key for key, file in weight_map.items() if file == name}
    if claimed != set(shard):
      wrong = sorted(claimed ^ set(shard))
      raise PretrainedError(
        f"{folder / name} does not hold what {INDEX} says "
        f"({listing(wrong)}): copy both again"
      )
    tensors.update(shard)
  return tensors


def _read_file(path):
  try:
    return safetensors.numpy.load_file(path)
  except FileNotFoundError:
    raise PretrainedError(
      f"{path} is missing, though {INDEX} names it: copy it"
    ) from None
  except (OSError, safetensors.SafetensorError) as error:
    raise PretrainedError(
      f"{path} is damaged or cut short ({error}): copy or download it again"
    ) from error


def write_tensors(
  folder: pathlib.Path, tensors: dict[str, np.ndarray], max_shard_bytes: int
) -> None:
  """Writes one safetensors file, or shards of at most `max_shard_bytes`."""
  shards, size = [{}], 0
  for name, tensor in tensors.items():
    if shards[-1] and size + tensor.nbytes > max_shard_bytes:
      shards.append({})
      size = 0
    shards[-1][name] = tensor
    size += tensor.nbytes
  if len(shards) == 1:
    (folder / INDEX).unlink(missing_ok=True)
    _write_file(folder / WEIGHTS, tensors)
    return
  (folder / WEIGHTS).unlink(missing_ok=True)
  weight_map = {}
  for i, shard in enumerate(shards):
    file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
    _write_file(folder / file, shard)
    weight_map.update(dict.fromkeys(shard, file))
  total = sum(tensor.nbytes for tensor in tensors.values())
  index = {"metadata": {"total_size": total}, "weight_map": weight_map}
  write_json(folder / INDEX, index)


def _write_file(path, tensors):
  temporary = path.with_name(f".{path.name}.tmp")
  # transformers refuses a file that does not say which framework wrote it.
  safetensors.numpy.save_file(tensors, temporary, metadata={"format": "pt"})
  os.replace(temporary, path)


def write_json(path: pathlib.Path, value: dict[str, Any]) -> None:
  """Writes indented JSON, whole or not at all."""
  temporary = path.with_name(f".{path.name}.tmp")
  temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
  os.replace(temporary, path)


def check_tokenizer(folder: pathlib.Path, vocab_size: int) -> None:
  """Raises PretrainedError if tokenizer.json has ids the model does not."""
  path = folder / "tokenizer.json"
  tokenizer = read_json(path)
  vocab = tokenizer.get("model", {}).get("vocab", {})
  ids = range(len(vocab)) if isinstance(vocab, list) else vocab.values()
  added = [token["id"] for token in tokenizer.get("added_tokens") or []]
  largest = max([*ids, *added], default=-1)
  if largest >= vocab_size:
    raise PretrainedError(
      f"{path} has token ids up to {largest}, but the model has only "
      f"{vocab_size} embeddings: use the tokenizer that came with the weights"
    )


def listing(names: list[str], most: int = 20) -> str:
  """The names, comma-separated; of very many, the first and how many more."""
  shown = ", ".join(names[:most])
  more = len(names) - most
  return f"{shown} and {more} more" if more > 0 else shown
