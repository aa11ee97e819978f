# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json

import jax
import jax.numpy as jnp
import pytest

from gd_jax.models import bert, bilstm, blend_cnn, families, gpt2, students

_BERT = bert.BertConfig(vocab_size=9, width=8, num_heads=2, num_layers=1)


@pytest.mark.parametrize(
  "module",
  [
    bert.BertClassifier(_BERT, 4, "cls", jnp.bfloat16),
    bert.BertDecoder(_BERT),
    gpt2.Gpt2(gpt2.Gpt2Config(vocab_size=11, dropout=0.0)),
    students.ResCnn(10, 2, num_blocks=1, conv="im2col"),
    students.KimCnn(10, 2, kernel_widths=(2, 7)),
    blend_cnn.BlendCnn(10, 2, num_layers=2),
    bilstm.BiLstm(10, 2, dropout=0.1),
  ],
)
def test_a_module_survives_json(module):
  # Dies if: a field is left out of the spec, or comes back as another type.
  spec = json.loads(json.dumps(families.spec_of(module)))
  assert families.build(spec) == module
  hash(families.build(spec))


def test_spec_names_the_family():
  spec = families.spec_of(bert.BertClassifier(_BERT, 4))
  assert spec["family"] == "bert_classifier"
  assert spec["config"]["width"] == 8
  assert spec["dtype"] == "float32"


# Dies if: a model is another one, which no other machine can build, for how it
# was trained.
def test_spec_leaves_out_how_a_model_is_run():
  plain = bert.BertDecoder(_BERT)
  run = plain.clone(
    remat=True, cache_layout="merged", matmul_dtype=jnp.bfloat16
  )
  assert families.spec_of(run) == families.spec_of(plain)


@pytest.mark.parametrize(
  "spec",
  [
    {"family": "gpt3"},
    {},
    {"family": "gpt2"},
    {"family": "gpt2", "config": {"depth": 3}},
    {"family": "res_cnn", "vocab_size": 3, "num_classes": 2, "depth": 3},
  ],
)
def test_a_spec_that_fits_nothing_is_refused(spec):
  with pytest.raises(ValueError, match=r"family|cannot be built"):
    families.build(spec)


def _bert(**shape):
  return bert.BertClassifier(bert.BertConfig(**shape), 2, "cls")


def _gpt2(**shape):
  return gpt2.Gpt2(gpt2.Gpt2Config(**shape))


_BERT_LARGE = {
  "width": 1024,
  "num_layers": 24,
  "num_heads": 16,
  "mlp_width": 4096,
}


@pytest.mark.parametrize(
  ("module", "count"),
  [
    (_bert(), 109_482_240),
    (_bert(**_BERT_LARGE), 335_141_888),
    (_gpt2(), 124_439_808),
    (
      _gpt2(width=1024, num_layers=24, num_heads=16, mlp_width=4096),
      354_823_168,
    ),
    (
      _gpt2(width=1600, num_layers=48, num_heads=25, mlp_width=6400),
      1_557_611_200,
    ),
  ],
  ids=["bert-base", "bert-large", "gpt2", "medium", "xl"],
)
def test_published_sizes(module, count):
  # Dies if: a layer, bias or table is missing; abstract, so nothing is made.
  shapes = jax.eval_shape(
    lambda: families.init_params(module, jax.random.key(0))
  )
  head = families.count_params(shapes.get("classifier", {}))
  assert families.count_params(shapes) - head == count
  tokens = jax.ShapeDtypeStruct((2, 5), jnp.int32)
  logits = jax.eval_shape(
    lambda p, t: module.apply({"params": p}, t, t), shapes, tokens
  )
  classes = 2 if "classifier" in shapes else (5, 50257)
  assert logits.shape == (2, *(classes if "word" in shapes else (classes,)))
