# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Models of an arm read texts: the same four questions to every kind of model.

Legend: N texts, C classes.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from etils import epath
from jaxtyping import Float

from gd_jax import artefacts, checkpoints, devices
from gd_jax.data import batches
from gd_jax.models import families
from gd_jax.progress import Bar
from gd_jax.training import baselines, predict

BATCH_SIZE = 256
# Speed is measured on this many of the texts.
SPEED_ROWS = 512
_SPEED_SECONDS = 0.5

Encode = Callable[[Sequence[str]], list[list[int]]]


class Size(NamedTuple):
  """How many parameters, with and without embedding tables."""

  total: int
  without_embeddings: int


class Speed(NamedTuple):
  """How fast a model reads.

  Attributes:
    reading: texts a second in batches, from tokens to logits.
    with_tokenizing: texts a second in batches, from strings to logits.
    latency_seconds: of one text alone, from its string to its logits.
  """

  reading: float
  with_tokenizing: float
  latency_seconds: float


class Reader(Protocol):
  """What reads the evaluation texts with the models of an arm."""

  def identity(self, folder: epath.Path) -> str:
    """A digest of all that `logits` depends on."""
    ...

  def size(self, folder: epath.Path) -> Size:
    """The model's size."""
    ...

  def logits(self, folder: epath.Path, bar: Bar) -> Float[np.ndarray, "N C"]:
    """What the model in `folder` says of each text."""
    ...

  def speed(self, folder: epath.Path) -> Speed:
    """The model's speed on this machine."""
    ...


class FlaxReader:
  """Reads with Flax models that share a tokenizer.

  Models of one architecture share the compiled step, and its speed: what one
  would measure between two of them is noise. Of teachers that label together
  it is their mean that answers.
  """

  def __init__(self, encode: Encode, texts: Sequence[str], *, num_classes: int):
    self._encode, self._texts = encode, texts
    self._rows = encode(texts)
    self._rows_digest = artefacts.digest(self._rows)
    self._num_classes = num_classes
    self._mesh = devices.local_mesh()
    self._steps: dict[str, predict.Step] = {}
    self._speeds: dict[str, Speed] = {}

  def identity(self, folder: epath.Path) -> str:
    digests = [
      artefacts.read_json(path / "params.json")["digest"]
      for path in predict.members(folder)
    ]
    return artefacts.digest([self._rows_digest, _spec(folder), *digests])

  def size(self, folder: epath.Path) -> Size:
    params = [*map(checkpoints.load_params, predict.members(folder))]
    return Size(
      families.count_params(params),
      families.count_params(params, embeddings=False),
    )

  def logits(self, folder: epath.Path, bar: Bar) -> Float[np.ndarray, "N C"]:
    return self._reading(folder)(self._rows, bar)

  def speed(self, folder: epath.Path) -> Speed:
    key = artefacts.digest([_spec(folder), len(predict.members(folder))])
    if key not in self._speeds:
      texts = sample(self._texts)
      rows = self._encode(texts)
      read = self._reading(folder)
      reading = seconds_of(lambda: read(rows))
      tokenizing = seconds_of(lambda: self._encode(texts))
      one = middle(texts)
      self._speeds[key] = Speed(
        len(texts) / reading,
        len(texts) / (reading + tokenizing),
        seconds_of(lambda: read(self._encode([one]))),
      )
    return self._speeds[key]

  def _reading(self, folder: epath.Path) -> Callable[..., np.ndarray]:
    spec = _spec(folder)
    key = artefacts.digest(spec)
    if key not in self._steps:
      module = families.build(spec)
      self._steps[key] = predict.make_label_step(module, self._mesh)
    models = [
      jax.device_put(
        checkpoints.load_params(path), devices.everywhere(self._mesh)
      )
      for path in predict.members(folder)
    ]

    def read(rows: list[list[int]], bar: Bar | None = None) -> np.ndarray:
      return predict.mean_logits(
        self._steps[key],
        models,
        batches.from_rows(rows),
        num_classes=self._num_classes,
        batch_size=BATCH_SIZE,
        mesh=self._mesh,
        bar=bar,
      )

    return read


class TfidfReader:
  """Reads with TF-IDF and an SVM; finding the words is all of its work."""

  def __init__(self, texts: Sequence[str]):
    self._texts = texts

  def identity(self, folder: epath.Path) -> str:
    model = [
      artefacts.sha256_file(folder / name)
      for name in ("vocabulary.json", "weights.safetensors")
    ]
    return artefacts.digest([list(self._texts), model])

  def size(self, folder: epath.Path) -> Size:
    svm = baselines.load_svm(folder)
    return Size(svm.num_params, svm.num_params)

  def logits(self, folder: epath.Path, bar: Bar) -> Float[np.ndarray, "N C"]:
    scores = baselines.load_svm(folder).scores(self._texts)
    bar.advance(len(scores))
    return scores

  def speed(self, folder: epath.Path) -> Speed:
    svm, texts = baselines.load_svm(folder), sample(self._texts)
    rate = len(texts) / seconds_of(lambda: svm.scores(texts))
    one = middle(texts)
    return Speed(rate, rate, seconds_of(lambda: svm.scores([one])))


def sample(texts: Sequence[str]) -> list[str]:
  """The texts that speed is measured on: evenly spaced, the same each time."""
  at = np.linspace(0, len(texts) - 1, min(len(texts), SPEED_ROWS))
  return [texts[int(i)] for i in at.round()]


def middle(texts: Sequence[str]) -> str:
  """The text of the median length, which latency is measured on."""
  return sorted(texts, key=len)[len(texts) // 2]


def seconds_of(work: Callable[[], Any]) -> float:
  """The time of the fastest call in about half a second of calls.

  The fastest, because other programs on the machine can only slow one down. A
  call before those compiles, imports and fills caches.
  """
  work()
  seconds: list[float] = []
  while sum(seconds) < _SPEED_SECONDS:
    start = time.perf_counter()
    work()
    seconds.append(time.perf_counter() - start)
  return min(seconds)


def _spec(folder: epath.Path) -> dict[str, Any]:
  return artefacts.read_json(folder / "model.json")
