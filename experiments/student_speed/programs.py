# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is compared: functions from a list of texts to class probabilities.

Every one starts from strings, so tokenizing is part of what is timed. Teachers
have random weights, which cost what trained ones do.
"""

import io
import itertools
import pathlib
import warnings
import zlib
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

import gd_jax
from gd_jax.models import bert, families

Program = Callable[[Sequence[str]], np.ndarray]
CLASSES = 6
MAX_TOKENS = 64
SHAPES = {
  "MiniLM": {"width": 384, "num_layers": 6, "mlp_width": 1536},
  "BERT-base": {"width": 768, "num_layers": 12, "mlp_width": 3072},
}


def students(export: pathlib.Path) -> dict[str, Program]:
  """The exported student, by each of its backends."""
  return {
    "student onnx": gd_jax.load(export).predict_proba,
    "student int8": gd_jax.load(export, int8=True).predict_proba,
    "student jax": gd_jax.load(export, backend="jax").predict_proba,
  }


def teachers(export: pathlib.Path, name: str) -> dict[str, Program]:
  """A BERT of a shape, in JAX, PyTorch and ONNX; what isn't there is left out.

  Args:
    export: Whose word pieces are read, with a token before and one behind.
    name: Of `SHAPES`.
  """
  pieces = gd_jax.load(export).tokens

  def encode(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = [[2, *row[: MAX_TOKENS - 2], 3] for row in pieces(list(texts))]
    tokens = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for place, row in enumerate(rows):
      tokens[place, : len(row)] = row
    return tokens, (tokens != 0).astype(np.int32)

  found = {f"{name} jax": _by_jax(name, encode)}
  try:
    module = _torch_module(name)
  except ImportError:
    return found
  found[f"{name} torch"] = _by_torch(module, encode)
  found[f"{name} onnx"] = _by_onnx(module, encode)
  return found


def _by_jax(name: str, encode) -> Program:
  config = bert.BertConfig(
    vocab_size=30522,
    num_heads=12,
    max_length=512,
    dropout=0.0,
    **SHAPES[name],
  )
  module = bert.BertClassifier(config, CLASSES, pooling="mean")
  params = jax.jit(lambda: families.init_params(module, jax.random.key(0)))()

  @jax.jit
  def classify(params, tokens, mask):
    logits = module.apply({"params": params}, tokens, mask)
    return jax.nn.softmax(logits, axis=-1)

  def run(texts):
    tokens, mask = encode(texts)
    # To a multiple of 8, or every length would compile anew.
    pad = ((0, 0), (0, -tokens.shape[1] % 8))
    tokens, mask = np.pad(tokens, pad), np.pad(mask, pad)
    return np.asarray(classify(params, jnp.asarray(tokens), jnp.asarray(mask)))

  return run


def _torch_module(name: str):
  import torch
  import transformers

  torch.set_num_threads(1)
  shape = SHAPES[name]
  config = transformers.BertConfig(
    hidden_size=shape["width"],
    num_hidden_layers=shape["num_layers"],
    intermediate_size=shape["mlp_width"],
    num_labels=CLASSES,
    attn_implementation="eager",
  )
  return transformers.BertForSequenceClassification(config).eval()


def _by_torch(module, encode) -> Program:
  import torch

  @torch.inference_mode()
  def run(texts):
    tokens, mask = map(torch.from_numpy, encode(texts))
    logits = module(tokens, attention_mask=mask).logits
    return torch.softmax(logits, dim=-1).numpy()

  return run


def _by_onnx(module, encode) -> Program:
  import onnxruntime
  import torch

  class Logits(torch.nn.Module):
    def __init__(self):
      super().__init__()
      self.module = module

    def forward(self, tokens, mask):
      return self.module(tokens, attention_mask=mask).logits.softmax(-1)

  example = torch.ones((2, 7), dtype=torch.int32)
  file = io.BytesIO()
  free = {0: "B", 1: "L"}
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.onnx.export(
      Logits(),
      (example, example),
      file,
      input_names=["tokens", "mask"],
      dynamic_axes={"tokens": free, "mask": free},
      opset_version=17,
      dynamo=False,
    )
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = 1
  session = onnxruntime.InferenceSession(file.getvalue(), options)

  def run(texts):
    tokens, mask = encode(texts)
    return session.run(None, {"tokens": tokens, "mask": mask})[0]

  return run


def baselines(
  texts: Sequence[str], labels: Sequence[int]
) -> dict[str, Program]:
  """What is small without a teacher: TF-IDF + linear, and fastText's kind."""
  from sklearn.feature_extraction.text import TfidfVectorizer
  from sklearn.svm import LinearSVC

  vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
  svm = LinearSVC(random_state=0).fit(vectorizer.fit_transform(texts), labels)
  return {
    "TF-IDF + linear": lambda rows: svm.decision_function(
      vectorizer.transform(rows)
    ),
    "fastText-like": _bag_of_ngrams(),
  }


def _bag_of_ngrams(buckets: int = 100_000, width: int = 10) -> Program:
  """The mean vector of hashed words and pairs of them, then a linear layer."""
  rng = np.random.default_rng(0)
  table = rng.normal(size=(buckets, width)).astype(np.float32)
  head = rng.normal(size=(width, CLASSES)).astype(np.float32)

  def run(texts):
    means = np.zeros((len(texts), width), np.float32)
    for place, text in enumerate(texts):
      words = text.lower().split()
      pairs = map(" ".join, itertools.pairwise(words))
      grams = [*words, *pairs] or [""]
      means[place] = table[
        [zlib.crc32(gram.encode()) % buckets for gram in grams]
      ].mean(axis=0)
    logits = means @ head
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)

  return run
