# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""demo/: a static page that classifies while one types, with no network.

ONNX Runtime Web is no part of this repository: it's fetched from npm when a
demo is built, pinned by hash, and put beside the page.
"""

import base64
import hashlib
import io
import json
import pathlib
import tarfile
import urllib.request
from typing import Any

from etils import epath
from tokenizers import Tokenizer

from gd_jax import artefacts, atomic, hub
from gd_jax.data import tokenizers
from gd_jax.errors import UserError
from gd_jax.export import characters
from gd_jax.reporting import words

_PACKAGE = "onnxruntime-web-1.30.0.tgz"
_URL = f"https://registry.npmjs.org/onnxruntime-web/-/{_PACKAGE}"
# npm's own form of a hash ("integrity").
_SHA512 = (
  "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1Sig"
  "qR4CXAfKYQ=="
)
_RUNTIME = (
  "ort.wasm.min.mjs",
  "ort-wasm-simd-threaded.mjs",
  "ort-wasm-simd-threaded.wasm",
)
_PAGE = (
  "index.html",
  "page.js",
  "tokenizer.js",
  "style.css",
  "NOTICE.txt",
)
_SECONDS = 120


def build(folder: epath.Path, *, package: str | None) -> None:
  """Writes `folder`/demo from what lies in `folder`.

  Args:
    folder: An export with model.onnx and model_card.md.
    package: The npm package's file; None: it is downloaded once and kept.

  Raises:
    UserError: The package can't be had or is not the one that was published.
  """
  runtime = _runtime(package)
  demo = folder / "demo"
  demo.mkdir(exist_ok=True)
  here = pathlib.Path(__file__).parent / "web"
  for name in _PAGE:
    artefacts.write_atomic(demo / name, (here / name).read_bytes())
  for name, data in runtime.items():
    artefacts.write_atomic(demo / name, data)
  model = (folder / "model.onnx").read_bytes()
  artefacts.write_atomic(demo / "model.onnx", model)
  found = json.dumps(_words(folder), ensure_ascii=False)
  artefacts.write_atomic(demo / "words.json", found)


def _words(folder: epath.Path) -> dict[str, Any]:
  """All that the page knows besides the model."""
  config = artefacts.read_json(folder / "config.json")
  tokenizer = tokenizers.load(folder)
  size = (folder / "model.onnx").stat().length
  return {
    "task": words.visible(config["task"]),
    "about": (
      f"A {config['model']['family']} student of {size / 1e6:.1f} MB "
      f"({config['arm']}, seed {config['seed']}), by gd_jax."
    ),
    "labels": [
      words.visible(label)
      for label in artefacts.read_json(folder / "labels.json")
    ],
    "max_tokens": config["max_tokens"],
    "unk_id": config["unk_id"],
    **pieces(tokenizer),
    "characters": characters.tables(tokenizer),
  }


def pieces(tokenizer: Tokenizer) -> dict[str, Any]:
  """What the page needs to cut a word into pieces."""
  model = json.loads(tokenizers.to_json(tokenizer))["model"]
  by_id: dict[int, list[str]] = {}
  for piece, number in model["vocab"].items():
    by_id.setdefault(number, []).append(piece)
  return {
    # In the order of ids; most have one piece, which stands for itself.
    "pieces": [
      names if len(names) > 1 else names[0]
      for _, names in sorted(by_id.items())
    ],
    "prefix": model["continuing_subword_prefix"],
    "max_characters": model["max_input_chars_per_word"],
  }


def _runtime(package: str | None) -> dict[str, bytes]:
  """The runtime's files, out of the npm package."""
  data = read_package(package)
  with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
    return {name: _member(archive, f"package/dist/{name}") for name in _RUNTIME}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
  file = archive.extractfile(name)
  assert file is not None, "pinned by hash, it is there"
  return file.read()


def read_package(package: str | None) -> bytes:
  """ONNX Runtime Web as npm has it; raises UserError where it can't be had."""
  path = epath.Path(package or hub.cache_dir() / _PACKAGE).expanduser()
  if package is None and not path.exists():
    hub.make_cache_dir()
    atomic.put(path, _checked(_download(), _URL))
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(
      f"export: {path} can't be read ({error.strerror}): give "
      f"--config.export.onnxruntime_web the file {_PACKAGE} of {_URL}"
    ) from error
  return _checked(data, str(path))


def _download() -> bytes:
  try:
    with urllib.request.urlopen(_URL, timeout=_SECONDS) as answer:
      return answer.read()
  except OSError as error:
    raise UserError(
      f"export: the demo needs {_URL}, which can't be had ({error}): download "
      "it elsewhere and name the file with --config.export.onnxruntime_web, or "
      'leave "demo" out of --config.export.formats'
    ) from error


def _checked(data: bytes, source: str) -> bytes:
  found = base64.b64encode(hashlib.sha512(data).digest()).decode()
  if found != _SHA512:
    raise UserError(
      f"export: {source} is not the published {_PACKAGE} (its sha512 differs): "
      "delete it, then give the same command again"
    )
  return data
