# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""An exported res_cnn as a LiteRT (TFLite) file, beside ONNX Runtime.

A virtual environment of its own holds what this needs, and not gd_jax, whose
requirements differ:

  python -m venv litert && litert/bin/pip install litert-torch ai-edge-litert \
    safetensors onnxruntime tokenizers
  PYTHONPATH=. litert/bin/python experiments/student_speed/litert.py \
    --model=WORKDIR/export --out=model.tflite

LiteRT wants to know a text's length. The file holds one signature for each of
`LENGTHS`; a text is padded to the next, which changes nothing it says.

Legend: B batch (1), L length, D and O channels.
"""

import argparse
import json
import pathlib
import statistics
import time

import litert_torch
import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from ai_edge_litert.interpreter import Interpreter

import gd_jax
from gd_jax import predict

LENGTHS = (8, 16, 32, 64)
_LOWEST = torch.finfo(torch.float32).min


class Twin(torch.nn.Module):
  """The student in PyTorch: tokens [B L] -> logits [B C]."""

  def __init__(self, export: pathlib.Path):
    super().__init__()
    spec = json.loads((export / "config.json").read_text())["model"]
    assert spec["family"] == "res_cnn", "only a res_cnn has a twin here"
    self.num_blocks, self.width = spec["num_blocks"], spec["kernel_width"]
    params = safetensors.torch.load_file(export / "model.safetensors")
    for name, value in params.items():
      if name.startswith("conv_") and name.endswith("kernel"):
        value = value.permute(2, 1, 0)  # [W D O] -> [O D W]
      elif name.endswith("kernel"):
        value = value.T
      self.register_buffer(name.replace("/", "_"), value.contiguous())

  def _dense(self, x, name):
    kernel, bias = (
      getattr(self, f"{name}_{part}") for part in ("kernel", "bias")
    )
    return F.linear(x, kernel, bias)

  def _norm(self, x, name):
    scale, bias = (
      getattr(self, f"{name}_{part}") for part in ("scale", "bias")
    )
    return F.layer_norm(x, scale.shape, scale, bias, eps=1e-6)

  def _conv(self, x, name, ones):
    before = (self.width - 1) // 2
    # padding="same" can't be converted.
    x = F.pad((x * ones).transpose(1, 2), (before, self.width - 1 - before))
    kernel, bias = (
      getattr(self, f"{name}_{part}") for part in ("kernel", "bias")
    )
    return F.conv1d(x, kernel, bias).transpose(1, 2)

  def forward(self, tokens):
    real = (tokens != 0)[..., None]
    ones = real.to(torch.float32)
    x = self._dense(F.embedding(tokens, self.embed_embedding), "widen")
    for i in range(self.num_blocks):
      y = self._conv(self._norm(x, f"norm_{i}a"), f"conv_{i}a", ones)
      y = self._norm(F.gelu(y, approximate="tanh"), f"norm_{i}b")
      x = x + self._conv(y, f"conv_{i}b", ones)
    x = self._norm(x, "norm_out")
    highest = torch.where(real, x, _LOWEST).amax(1)
    mean = (x * ones).sum(1) / ones.sum(1).clamp(min=1)
    return self._dense(torch.cat([highest, mean], -1), "classifier")


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--model", type=pathlib.Path, required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--rounds", type=int, default=9)
  flags = parser.parse_args()
  convert(flags.model, flags.out)
  print(f"{flags.out.name}: {flags.out.stat().st_size:,} bytes")
  classifier = gd_jax.load(flags.model)
  texts = (
    (pathlib.Path(gd_jax.__file__).parent / "data/quickstart/test.tsv")
    .read_text(encoding="utf-8")
    .splitlines()[1:]
  )
  texts = [line.split("\t")[-1] for line in texts]
  answer = reader(flags.out, classifier)
  wanted = classifier.predict_proba(texts)
  found = np.stack([answer(text) for text in texts])
  same = (found.argmax(1) == wanted.argmax(1)).mean()
  differ = np.abs(found - wanted).max()
  print(
    f"{len(texts)} texts: probabilities differ by {differ:.1e} at most, argmax "
    f"equal on {same:.1%}"
  )
  programs = {"LiteRT": answer, "ONNX Runtime": classifier.predict_proba}
  seconds = {name: [] for name in programs}
  for _ in range(flags.rounds):  # in turns: a slow minute falls on both
    for name, program in programs.items():
      start = time.process_time()
      for text in texts[:100]:
        program([text] if name == "ONNX Runtime" else text)
      seconds[name].append((time.process_time() - start) / 100)
  for name, values in seconds.items():
    low, mid, high = (1000 * f(values) for f in (min, statistics.median, max))
    print(f"{name}: {mid:.3f} CPU-ms a text ({low:.3f} to {high:.3f})")


def convert(export: pathlib.Path, out: pathlib.Path) -> None:
  """Writes the .tflite file."""
  twin = Twin(export).eval()
  made = litert_torch
  for length in LENGTHS:
    example = (torch.ones((1, length), dtype=torch.int32),)
    made = made.signature(f"length_{length}", twin, example)
  made.convert().export(str(out))


def reader(path: pathlib.Path, classifier: predict.Classifier):
  """A function from a text to its class probabilities [C]."""
  interpreter = Interpreter(str(path), num_threads=1)
  runners = {
    length: interpreter.get_signature_runner(f"length_{length}")
    for length in LENGTHS
  }

  def answer(text: str) -> np.ndarray:
    row = classifier.tokens([text])[0]
    length = next(length for length in LENGTHS if length >= len(row))
    tokens = np.zeros((1, length), np.int32)
    tokens[0, : len(row)] = row
    (logits,) = runners[length](args_0=tokens).values()
    odds = np.exp(logits[0] - logits[0].max())
    return odds / odds.sum()

  return answer


if __name__ == "__main__":
  main()
