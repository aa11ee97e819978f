# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import importlib
import pathlib

import jax
import jax.numpy as jnp
import pytest

from gd_jax import pipeline
from gd_jax.models import bert, families, gpt2
from gd_jax.training import student_setting

ROOT = pathlib.Path(__file__).parents[2]
# (classes, labelled rows, generated texts)
SETS = {
  "ag_news": (4, 400, 13_000),
  "dbpedia": (14, 1400, 25_000),
  "yahoo_answers": (10, 1000, 25_000),
}
BERT_LARGE = 335_141_888


@pytest.fixture
def paper(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT))
  return lambda name: importlib.import_module(f"configs.paper.{name}")


def shapes_of(module):
  return jax.eval_shape(lambda: families.init_params(module, jax.random.key(0)))


def student(c, num_classes, model):
  """The student as the phase would build it, with a full vocabulary."""
  fields = student_setting.model_fields(c, model)
  vocab_size = 30_522 if model == "blend_cnn" else c.vocab_size
  spec = {"family": model, "num_classes": num_classes, **fields}
  return families.build(spec | {"vocab_size": vocab_size})


@pytest.mark.parametrize("name", SETS)
def test_the_setting(paper, name):
  # Dies if: a size is not the recollected one, or selection reads test rows.
  num_classes, num_labelled, num_texts = SETS[name]
  c = paper(name).get_config()
  assert set(pipeline.NAMES) <= set(c) and c.is_locked
  assert c.task == name
  assert c.data.labels_per_class * num_classes == num_labelled
  assert c.corpus.num_texts == num_texts
  assert c.students.num_seeds == 5
  assert (c.teacher.init, c.generator.init) == (
    "bert-large-uncased",
    "gpt2-medium",
  )
  assert c.generator.kind == "pretrained"
  said = " ".join(paper(name).__doc__.split())
  assert "Not verified" in said and f"{num_labelled:,} labelled" in said


@pytest.mark.parametrize("name", SETS)
def test_students_are_as_much_smaller_as_the_abstract_says(paper, name):
  # Dies if: a default makes the student larger than 335.1 M / 300.
  num_classes = SETS[name][0]
  c = paper(name).get_config().students
  ours, theirs = (
    families.count_params(shapes_of(student(c, num_classes, model)))
    for model in (c.model, "blend_cnn")
  )
  assert BERT_LARGE / ours >= 300
  assert theirs / ours >= 3


@pytest.mark.parametrize("name", SETS)
def test_the_large_models_take_its_rows(paper, name):
  # Dies if: a text is longer than a model has positions. Nothing is made.
  num_classes = SETS[name][0]
  c = paper(name).get_config()
  teacher = bert.BertClassifier(
    bert.BertConfig(width=1024, num_layers=24, num_heads=16, mlp_width=4096),
    num_classes,
    c.teacher.pooling,
  )
  generator = gpt2.Gpt2(
    gpt2.Gpt2Config(width=1024, num_layers=24, num_heads=16, mlp_width=4096)
  )
  rows = {
    teacher: (c.teacher.batch_size, c.data.max_tokens),
    generator: (c.generator.batch_size, c.generator.max_tokens + 2),
  }
  for module, shape in rows.items():
    params = shapes_of(module)
    assert shape[1] <= module.config.max_length
    tokens = jax.ShapeDtypeStruct(shape, jnp.int32)
    logits = jax.eval_shape(
      lambda p, t, module=module: module.apply({"params": p}, t, t),
      params,
      tokens,
    )
    assert logits.shape[0] == shape[0]
  head = families.count_params(shapes_of(teacher)["classifier"])
  assert families.count_params(shapes_of(teacher)) - head == BERT_LARGE
  assert c.corpus.max_tokens <= c.generator.max_tokens


@pytest.mark.parametrize("name", SETS)
def test_quick_needs_no_hub(paper, name):
  c = paper(name).get_config("quick")
  assert c.is_locked
  assert (c.teacher.init, c.generator.init) == ("minilm", "minilm")
  assert not (c.teacher.allow_download or c.generator.allow_download)
  assert c.corpus.num_texts <= 100 and c.students.total_steps <= 10
  with pytest.raises(ValueError, match="'quick' or nothing"):
    paper(name).get_config("fast")
