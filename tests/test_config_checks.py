# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import operator
import pathlib

import pytest

from configs import ag_news, common, custom, dbpedia, quickstart, sst2, trec
from configs.paper import ag_news as paper_ag_news
from gd_jax import config_checks
from gd_jax.errors import UserError


# Dies if: a rule refuses what is shipped.
@pytest.mark.parametrize(
  "config",
  [
    ag_news.get_config(),
    custom.get_config(str(pathlib.Path(__file__).parent)),
    dbpedia.get_config(),
    paper_ag_news.get_config(),
    paper_ag_news.get_config("quick"),
    quickstart.get_config(),
    quickstart.get_config("quick"),
    sst2.get_config(),
    trec.get_config(),
  ],
)
def test_the_configs_that_are_shipped_are_good(config):
  config_checks.check(config)


# Dies if: a rule is dropped, or its bound moves by one.
@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("data.max_tokens", 2),
    ("data.labels_per_class", 0),
    ("teacher.restarts", 0),
    ("teacher.restarts", -1),
    ("teacher.batch_size", 0),
    ("teacher.evals", 0),
    ("teacher.pooling", "foo"),
    ("teacher.dropout", 1.0),
    ("teacher.min_steps", 0),
    ("teacher.warmup_fraction", 3.0),
    ("teacher.learning_rate", -1e-4),
    ("teacher.keep", 7),
    ("teacher.accumulate_steps", 0),
    ("teacher.matmul_dtype", "float16"),
    ("generator.matmul_dtype", "int8"),
    ("soft_labels.matmul_dtype", "float32"),
    ("generator.batch_size", 0),
    ("generator.max_steps", 0),
    ("generator.eval_every_steps", 0),
    ("generator.patience", 0),
    ("generator.max_tokens", 0),
    ("generator.kind", "lstm"),
    ("generator.scratch.vocab_size", 256),
    ("generator.scratch.width", 0),
    ("generator.scratch.width", 255),
    ("generator.scratch.num_layers", 0),
    ("generator.scratch.num_heads", 0),
    ("corpus.temperature", -1.0),
    ("corpus.temperature", float("nan")),
    ("soft_labels.batch_size", 0),
    ("soft_labels.rules", 0.0),
    ("soft_labels.rules", 1.5),
    ("data.seed", -1),
    ("generator.pretrain.seed", 2**32),
    ("soft_labels.real_texts", -1),
    ("data.unlabelled", "test"),
    ("students.arms", ()),
    ("students.arms", ("gd", "kdd")),
    ("students.learning_rates", (1e-3, 1e-3)),
    ("students.learning_rates", ("a",)),
    ("students.learning_rates", (-3e-3,)),
    ("students.temperature", 0.0),
    ("students.patience", 0),
    ("students.select_from", 1.5),
    ("students.max_tokens", 0),
    ("students.num_texts", -1),
    ("students.hard_weight", 5.0),
    ("students.batch_size", 1),
    ("teacher.dtype", "fp16"),
    ("generator.dtype", "float16"),
    ("students.dropout", 1.0),
    ("students.embed_width", 0),
    ("students.num_filters", 0),
    ("report.examples", -1),
    ("export.formats", ("onnx", "tflite")),
    ("export.arm", "rules_kd"),
    ("export.arm", "tfidf"),
    ("students.arms", ("gd", "tfidf", "gd")),
    ("corpus.top_k", 10**12),
    ("export.seed", 5),
  ],
)
def test_bad_values_are_said_before_any_phase(field, value):
  config = common.get_config("trec")
  section, _, name = field.rpartition(".")
  operator.attrgetter(section)(config)[name] = value
  with pytest.raises(UserError, match=rf"config\.{section}\.{name}\b"):
    config_checks.check(config)


# Dies if: seeds that JAX takes for one are two.
@pytest.mark.parametrize("seed", [-1, 2**32, 2**62])
def test_a_seed_is_of_32_bits(seed):
  config = common.get_config("trec")
  config.seed = seed
  with pytest.raises(UserError, match=r"config\.seed is .* below 2\*\*32"):
    config_checks.check(config)
  config.seed = 2**32 - 1
  config_checks.check(config)


# Dies if: heads that don't divide the width get to the model.
def test_heads_divide_the_width_of_a_generator_from_scratch():
  config = common.get_config("trec")
  config.generator.scratch.num_heads = 3
  with pytest.raises(UserError, match=r"width is 256.*num_heads, 3"):
    config_checks.check(config)
  config.generator.scratch.update(width=252, vocab_size=257)
  config_checks.check(config)


# Dies if: an hour of other phases goes before the arm has nothing to read.
def test_the_ceiling_needs_real_texts():
  config = common.get_config("trec")
  config.students.arms = ("kd", "real_kd", "gd")
  with pytest.raises(UserError, match=r"data\.unlabelled=train"):
    config_checks.check(config)
  config.data.unlabelled = "train"
  config_checks.check(config)


# Dies if: an hour of other phases goes before an arm has nothing to read.
@pytest.mark.parametrize(
  ("fields", "words"),
  [
    ({"students.arms": ("rules_kd",)}, r"soft_labels\.rules=1"),
    (
      {
        "students.arms": ("real_kd",),
        "data.unlabelled": "train",
        "soft_labels.real_texts": 0,
      },
      r"soft_labels\.real_texts is 0",
    ),
    (
      {
        "students.num_texts": 500,
        "students.second_round": 0.5,
        "corpus.num_texts": 500,
      },
      r"config\.corpus\.num_texts is 500",
    ),
  ],
)
def test_texts_that_no_phase_makes_are_not_asked_for(fields, words):
  config = common.get_config("trec")
  config.update_from_flattened_dict(fields)
  with pytest.raises(UserError, match=words):
    config_checks.check(config)


def test_a_config_may_lack_what_is_not_run_and_is_told_what_it_lacks():
  config = common.get_config("trec").unlock()
  del config["export"]
  config_checks.check(config)
  del config.teacher["evals"]
  with pytest.raises(UserError, match=r"no field teacher\.evals"):
    config_checks.check(config)
