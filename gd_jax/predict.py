# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""An exported student answers: `gd_jax.load(FOLDER)("how tall is it?")`.

Nothing here imports JAX unless its backend is asked for, nor anything else
that is slow: from `import gd_jax` to the first answer is a fraction of a
second.

Legend: B batch, L length, C classes, N texts.
"""

import hashlib
import json
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from gd_jax.errors import UserError

FORMAT_VERSION = 1
ONNX, INT8 = "model.onnx", "model.int8.onnx"
SAFETENSORS = "model.safetensors"
SUMS = "SHA256SUMS"
BACKENDS = ("onnxruntime", "jax")
# A longer text is cut before it is tokenized; what a student reads of it is
# far less.
MAX_CHARACTERS = 100_000
# More texts at a time are slower: their numbers leave the processor's cache.
_BATCH_ROWS = 32

Run = Callable[[np.ndarray], np.ndarray]


class Prediction(NamedTuple):
  """What the student says of a text."""

  label: str
  probability: float


class Classifier:
  """A student that answers; made by `load`.

  Attributes:
    labels: The classes' names, in the order of `predict_proba`'s columns.
    config: config.json of the export.
    backend: What it runs on.
  """

  def __init__(
    self,
    run: Run,
    encode: Callable[[Sequence[str]], list[list[int]]],
    *,
    labels: list[str],
    config: dict[str, Any],
    backend: str,
  ):
    self._run, self._encode = run, encode
    self.labels, self.config, self.backend = labels, config, backend

  @overload
  def __call__(self, texts: str) -> Prediction: ...
  @overload
  def __call__(
    self, texts: list[str] | tuple[str, ...]
  ) -> list[Prediction]: ...
  def __call__(self, texts):
    """The most likely class of a text, or of each text of a list.

    A text without a word it knows, also an empty one, is answered, too: as
    one unknown word.

    Raises:
      TypeError: Something is no string.
    """
    if isinstance(texts, str):
      return self([texts])[0]
    found = self.predict_proba(texts)
    return [
      Prediction(self.labels[i], float(row[i]))
      for row, i in zip(found, found.argmax(axis=1), strict=True)
    ]

  def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
    """Each class's probability for each text: float32 [N C].

    Raises:
      TypeError: Something is no string.
    """
    rows = self.tokens([texts] if isinstance(texts, str) else texts)
    if len(rows) == 1:
      return self._run(np.array(rows, np.int32))
    found = np.zeros((len(rows), len(self.labels)), np.float32)
    # Rows of like length share a batch: padding costs as much as words.
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(rows), _BATCH_ROWS):
      places = order[start : start + _BATCH_ROWS]
      found[places] = self._run(_padded([rows[i] for i in places]))
    return found

  def tokens(self, texts: Sequence[str]) -> list[list[int]]:
    """The ids the student reads, as in its training; never empty."""
    if not isinstance(texts, list | tuple):
      texts = list(_checked_sequence(texts))
    texts = [_as_text(text, place) for place, text in enumerate(texts)]
    limit, unknown = self.config["max_tokens"], self.config["unk_id"]
    return [
      [i or unknown for i in row[:limit]] or [unknown]
      for row in self._encode(texts)
    ]


def load(
  folder: str | os.PathLike,
  *,
  backend: str = "onnxruntime",
  int8: bool = False,
  threads: int = 1,
) -> Classifier:
  """The student that was exported to `folder`.

  Args:
    folder: WORKDIR/export, or a copy of it.
    backend: "onnxruntime" (needs the extra `export`) or "jax".
    int8: Read the file of integers, a quarter as large; onnxruntime only.
    threads: Of onnxruntime. One is best for single short texts.

  Raises:
    UserError: A file is missing, altered or of a newer format, or the backend
      is not there.
  """
  root = _folder(folder)
  if backend not in BACKENDS:
    raise UserError(f"no backend is named {backend!r}: {' or '.join(BACKENDS)}")
  if int8 and backend != "onnxruntime":
    raise UserError("int8 is of the backend onnxruntime alone")
  sums = _read_sums(root)
  config = json.loads(_read(root, "config.json", sums))
  if config["format"] > FORMAT_VERSION:
    raise UserError(
      f"{root} has format {config['format']}, this gd_jax reads up to "
      f"{FORMAT_VERSION}: upgrade gd_jax (it was exported by "
      f"{config['gd_jax']})"
    )
  if backend == "jax":
    run = _jax_run(config, _read(root, SAFETENSORS, sums))
  else:
    name = INT8 if int8 else ONNX
    run = _onnx_run(_read(root, name, sums), threads)
  from gd_jax import predict_tokens

  tokenizer = _read(root, "tokenizer.json", sums).decode()
  return Classifier(
    run,
    predict_tokens.Encoder(tokenizer),
    labels=json.loads(_read(root, "labels.json", sums)),
    config=config,
    backend=backend,
  )


def _folder(named: str | os.PathLike[str]) -> Any:
  """What has the methods of pathlib for it."""
  if "://" not in os.fspath(named):
    return pathlib.Path(os.path.expanduser(named))
  # Late: who answers from a disk does not need it.
  from gd_jax import workdirs

  return workdirs.place(named)


def _read_sums(folder: pathlib.Path) -> dict[str, str]:
  """File -> sha256 of an export, all of whose files are there."""
  path = folder / SUMS
  if not path.exists():
    raise UserError(
      f"{path} is missing: {folder} is no export, or not a whole one; give "
      "WORKDIR/export or a copy of it"
    )
  sums = {}
  for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
    digest, _, name = line.partition("  ")
    if len(digest) != 64 or not name:
      raise UserError(f"{path} is altered: {_MEND}")
    sums[name] = digest
    if not (folder / name).exists():
      raise UserError(f"{folder / name} is missing: {_MEND}")
  return sums


_MEND = "copy the export again, or make it anew with --redo=export"


def _read(folder: pathlib.Path, name: str, sums: dict[str, str]) -> bytes:
  path = folder / name
  if name not in sums and path.exists():
    raise UserError(f"{folder / SUMS} does not name {path}: {_MEND}")
  if name not in sums:
    raise UserError(
      f"{folder} holds no {name}: export it with --config.export.formats"
    )
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(
      f"{path} can't be read ({error.strerror}): {_MEND}"
    ) from error
  if hashlib.sha256(data).hexdigest() != sums[name]:
    raise UserError(
      f"{path} is altered (its sha256 is not that of {SUMS}): {_MEND}"
    )
  return data


def _onnx_run(model: bytes, threads: int) -> Run:
  try:
    import onnxruntime
  except ImportError as error:
    raise UserError(
      "onnxruntime is not installed: pip install 'gd_jax[export]', or use the "
      "backend jax"
    ) from error
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = threads
  options.log_severity_level = 3
  session = onnxruntime.InferenceSession(
    model, options, providers=["CPUExecutionProvider"]
  )

  def run(tokens: np.ndarray) -> np.ndarray:
    found: Any = session.run(["probabilities"], {"tokens": tokens})
    return found[0]

  return run


def _jax_run(config: dict[str, Any], params: bytes) -> Run:
  """Compiled for a few shapes: others are padded to them, which is exact."""
  import jax
  import safetensors.numpy
  from flax import traverse_util

  from gd_jax.export import stablehlo
  from gd_jax.models import families

  flat = safetensors.numpy.load(params)
  tree = jax.device_put(traverse_util.unflatten_dict(flat, sep="/"))
  module = families.build(stablehlo.for_inference(config["model"]))

  @jax.jit
  def classify(params, tokens):
    mask = (tokens != 0).astype(tokens.dtype)
    logits: Any = module.apply({"params": params}, tokens, mask)
    return jax.nn.softmax(logits, axis=-1)

  def run(tokens: np.ndarray) -> np.ndarray:
    rows, length = tokens.shape
    filled = 1 if rows == 1 else _BATCH_ROWS
    pad = ((0, filled - rows), (0, -length % 16))
    return np.asarray(classify(tree, np.pad(tokens, pad)))[:rows]

  return run


def _padded(rows: list[list[int]]) -> np.ndarray:
  tokens = np.zeros((len(rows), max(map(len, rows))), np.int32)
  for place, row in enumerate(rows):
    tokens[place, : len(row)] = row
  return tokens


def _checked_sequence(texts: Any) -> Any:
  # Of a mapping only the keys would be answered.
  if texts is None or isinstance(texts, bytes | Mapping):
    kind = type(texts).__name__
    raise TypeError(f"a text or a list of texts is wanted, not {kind}")
  return texts


def _as_text(text: Any, place: int) -> str:
  if not isinstance(text, str):
    hint = ": decode it first" if isinstance(text, bytes) else ""
    raise TypeError(
      f"text {place} is {type(text).__name__}, not a string{hint}"
    )
  if len(text) > MAX_CHARACTERS:
    warnings.warn(
      f"text {place} has {len(text):,} characters and is cut at "
      f"{MAX_CHARACTERS:,}",
      stacklevel=5,
    )
    text = text[:MAX_CHARACTERS]
  if not text.isascii():
    # Half a pair of surrogates is no character; JSON can spell one.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
  return text
