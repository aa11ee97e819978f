# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""students/, report/ -> export/: one student in a folder that stands alone."""

import shlex
from collections.abc import Callable, Collection
from typing import Any

import jax
import numpy as np
import safetensors.numpy
from etils import epath
from flax import traverse_util

from gd_jax import __version__, artefacts, checkpoints, predict
from gd_jax.data import tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.export import card, choice, demo, onnx_students, stablehlo
from gd_jax.progress import Progress

NAME = "export"
FORMATS = ("onnx", "int8", "stablehlo", "demo")


def run(config: Any, workdir: epath.Path, progress: Progress) -> dict[str, Any]:
  """Writes the student in every form asked for, and SHA256SUMS last.

  Returns:
    Counts.

  Raises:
    UserError: The arm, seed or format doesn't exist, or `onnx` isn't installed.
  """
  c, folder = config.export, workdir / NAME
  for name in c.formats:
    if name not in FORMATS:
      raise UserError(
        f"export: no format is named {name!r}: set --config.export.formats to "
        f"some of {', '.join(FORMATS)}"
      )
  results = artefacts.read_json(workdir / "report" / "results.json")
  chosen = choice.choose(
    workdir / "students", results["arms"], arm=c.arm, seed=c.seed
  )
  if chosen is None:
    progress.warn("export: no student was trained, so there is none to export")
    return {"students": 0}
  about = _about(config, workdir, chosen)
  progress.say(
    f"export: {about['arm']}/{about['seed']} as safetensors"
    f"{''.join(f', {name}' for name in c.formats)}; a few seconds"
  )
  params = checkpoints.load_params(chosen)
  sizes = _write_models(c.formats, folder, about, params)
  _write_words(workdir, folder, about)
  summary = artefacts.read_json(chosen / "summary.json")
  text = card.render(results, about, heldout=summary["heldout"], sizes=sizes)
  artefacts.write_atomic(folder / "model_card.md", text)
  if "demo" in c.formats:
    demo.build(folder, package=c.onnxruntime_web)
  _write_sums(folder)
  words = ["gd-jax-predict", f"--model={folder}"]
  words += [] if "onnx" in c.formats else ["--backend=jax"]
  command = shlex.join(words)
  progress.say(f"export: {folder} answers by {command} --text=...")
  return {"students": 1, "bytes": dict(sizes)}


def require(
  config: Any,
  workdir: epath.Path,
  cleared: Collection[str],
  progress: Progress,
) -> None:
  """Raises UserError where the demo is asked for and its runtime not there."""
  del workdir, cleared, progress
  if "demo" in config.export.formats:
    demo.read_package(config.export.onnxruntime_web)


def _about(
  config: Any, workdir: epath.Path, chosen: epath.Path
) -> dict[str, Any]:
  """config.json."""
  task = artefacts.read_json(workdir / "data" / "task.json")
  return {
    "format": predict.FORMAT_VERSION,
    "gd_jax": __version__,
    "task": task["task"],
    "arm": chosen.parent.name,
    "seed": int(chosen.name),
    # Whether held-out rows chose the seed, rather than somebody's config.
    "chosen": config.export.seed is None,
    "model": artefacts.read_json(chosen / "model.json"),
    "max_tokens": config.students.max_tokens,
    "pad_id": vocabulary.PAD_ID,
    "unk_id": vocabulary.UNK_ID,
  }


def _write_models(
  formats: Any, folder: epath.Path, about: dict[str, Any], params: Any
) -> list[tuple[str, int]]:
  spec = about["model"]
  notes = [(name, str(about[name])) for name in ("task", "arm", "seed")]
  makers: dict[str, tuple[str, Callable[[], bytes]]] = {
    "onnx": (
      predict.ONNX,
      lambda: onnx_students.build(spec, params, notes=notes),
    ),
    "int8": (
      predict.INT8,
      lambda: onnx_students.build(spec, params, int8=True, notes=notes),
    ),
    "stablehlo": (
      "model.stablehlo",
      lambda: stablehlo.build(spec, params),
    ),
  }
  made = [(predict.SAFETENSORS, _safetensors(params))]
  wanted = {*formats} | ({"onnx"} if "demo" in formats else set())
  made += [
    (file, make()) for name, (file, make) in makers.items() if name in wanted
  ]
  for file, data in made:
    artefacts.write_atomic(folder / file, data)
  return [(file, len(data)) for file, data in made]


def _safetensors(params: Any) -> bytes:
  flat: dict[str, Any] = traverse_util.flatten_dict(params, sep="/")
  return safetensors.numpy.save(
    {name: np.asarray(jax.device_get(leaf)) for name, leaf in flat.items()}
  )


def _write_words(
  workdir: epath.Path, folder: epath.Path, about: dict[str, Any]
) -> None:
  """config.json, labels.json and tokenizer.json."""
  task = artefacts.read_json(workdir / "data" / "task.json")
  artefacts.write_json(folder / "config.json", about)
  artefacts.write_json(folder / "labels.json", task["labels"])
  tokenizers.save(folder, tokenizers.load(workdir / "students"))


def _write_sums(folder: epath.Path) -> None:
  """SHA256SUMS, as sha256sum writes and checks it, of all that lies there."""
  # What proves the folder to the pipeline changes after this.
  lines = [
    f"{artefacts.sha256_file(path)}  {name}\n"
    for name, path in artefacts.files_below(folder)
    if not artefacts.has_own_proof(name) and name != predict.SUMS
  ]
  artefacts.write_atomic(folder / predict.SUMS, "".join(lines))
