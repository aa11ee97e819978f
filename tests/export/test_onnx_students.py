# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import builtins

import numpy as np
import pytest

from gd_jax.errors import UserError
from gd_jax.export import graph, onnx_students
from gd_jax.models import bert, families

ort = pytest.importorskip("onnxruntime", reason="the extra `export`")


def _run(model, tokens):
  session = ort.InferenceSession(model)
  return session.run(["logits", "probabilities"], {"tokens": tokens})


def _build(student, **options):
  module, params = student
  return onnx_students.build(families.spec_of(module), params, **options)


def test_it_equals_the_student(student, tokens, logits_of):
  # Dies if: Gelu is exact instead of by tanh, the epsilon is another, padding
  # is not zeroed before a convolution, a convolution pads at the wrong end, or
  # a row without tokens pools -3e38.
  wanted = logits_of(student, tokens)
  found, probabilities = _run(_build(student), tokens)
  np.testing.assert_allclose(found, wanted, atol=1e-5)
  shifted = np.exp(wanted - wanted.max(1, keepdims=True))
  np.testing.assert_allclose(
    probabilities, shifted / shifted.sum(1, keepdims=True), atol=1e-5
  )


def test_batch_and_length_are_free(student, tokens):
  session = ort.InferenceSession(_build(student))
  whole = session.run(["logits"], {"tokens": tokens})[0]
  for row in (1, 7, 21):
    alone = session.run(["logits"], {"tokens": tokens[row : row + 1, :row]})[0]
    np.testing.assert_allclose(alone[0], whole[row], atol=1e-5)


def test_int8_is_small_and_near(student, tokens):
  # Dies if: a scale is not of its own row or output, or the wrong axis's.
  whole, small = _build(student), _build(student, int8=True)
  wanted = _run(whole, tokens)[0]
  found = _run(small, tokens)[0]
  assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
  assert not np.array_equal(found, wanted)


def test_quantize_is_exact_to_half_a_step():
  # Dies if: values are cut off instead of rounded, or a row of zeros divides.
  values = np.array([[0.5, -127, 3.2], [0, 0, 0], [1e-4, 2e-4, -3e-4]])
  integers, scales = graph.quantize(values.astype(np.float32), 1)
  assert integers.dtype == np.int8 and scales.shape == (3, 1)
  np.testing.assert_allclose(
    integers * scales, values, atol=0.5001 * scales.max(), rtol=0
  )
  assert np.abs(integers * scales - values)[2].max() <= 0.5001 * scales[2]


def test_the_same_student_is_the_same_bytes(student):
  assert _build(student) == _build(student)


def test_a_family_without_a_graph_is_refused():
  config = bert.BertConfig(
    vocab_size=9,
    width=8,
    num_layers=1,
    num_heads=2,
    mlp_width=8,
    max_length=8,
  )
  spec = families.spec_of(bert.BertClassifier(config, 2, pooling="mean"))
  with pytest.raises(UserError, match=r"no ONNX graph.*formats"):
    onnx_students.build(spec, {})


def test_without_onnx_one_line_says_how_to_get_it(student, monkeypatch):
  real = builtins.__import__

  def without(name, *rest, **named):
    if name == "onnx":
      raise ImportError(name)
    return real(name, *rest, **named)

  monkeypatch.setattr(builtins, "__import__", without)
  with pytest.raises(UserError, match=r"pip install 'gd_jax\[export\]'"):
    _build(student)
