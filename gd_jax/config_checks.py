# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which values a config's fields can have; asked before any phase begins.

A value that no phase could work with is to be found in the first second, not
after an hour of other phases.
"""

import math
from collections.abc import Callable, Collection
from typing import Any

from ml_collections import config_dict

from gd_jax import recipes
from gd_jax.data import tasks
from gd_jax.errors import UserError
from gd_jax.phases import corpus, data, export, generator, teacher
from gd_jax.training import arms, generator_parts, student_setting

Test = Callable[[Any], bool]
# A test, and what it wants in words.
Rule = tuple[Test, str]


def _number(test: Test) -> Test:
  def is_good(value):
    return (
      isinstance(value, int | float)
      and not isinstance(value, bool)
      and math.isfinite(value)
      and test(value)
    )

  return is_good


def _at_least(least: float) -> Rule:
  return _number(lambda x: x >= least), f"{least} or more"


def _or_none(rule: Rule) -> Rule:
  test, words = rule
  return lambda x: x is None or test(x), f"{words}, or None"


def _one_of(allowed: Collection[str]) -> Rule:
  return lambda x: x in allowed, " or ".join(map(repr, allowed))


def _some_of(allowed: Collection[str]) -> Rule:
  return (
    lambda x: not isinstance(x, str) and all(name in allowed for name in x),
    "of " + ", ".join(allowed),
  )


_POSITIVE: Rule = _number(lambda x: x > 0), "above 0"
_FROM_0: Rule = _number(lambda x: x >= 0), "0 or more"
_SHARE: Rule = _number(lambda x: 0 <= x <= 1), "between 0 and 1"
_PART: Rule = _number(lambda x: 0 <= x < 1), "0 or more and below 1"
_ABOVE_0_TO_1: Rule = _number(lambda x: 0 < x <= 1), "above 0 and at most 1"
_ONE = _at_least(1)
_PRODUCTS = _or_none(_one_of(("bfloat16",)))
# JAX would take two seeds for one that differ by a multiple.
_SEED: Rule = _number(lambda x: 0 <= x < 2**32), "0 or more and below 2**32"
# What an array's integer holds, but for seeds; nan and inf are not below it.
_NUMBERS_END = 2**31
_TRAINING = {
  "learning_rate": _POSITIVE,
  "weight_decay": _FROM_0,
  "dropout": _PART,
  "batch_size": _ONE,
  "warmup_fraction": _SHARE,
  "accumulate_steps": _or_none(_ONE),
  "dtype": _or_none(_one_of(("bfloat16", "float32"))),
  "matmul_dtype": _PRODUCTS,
}
_RULES: dict[str, dict[str, Rule]] = {
  # [CLS], a word, [SEP].
  "data": {
    "max_tokens": _at_least(3),
    "max_line_bytes": _ONE,
    "seed": _SEED,
  },
  "teacher": _TRAINING
  | {
    "pooling": _one_of(("mean", "cls")),
    "layerwise_decay": _ABOVE_0_TO_1,
    "total_epochs": _FROM_0,
    "min_steps": _ONE,
    "evals": _ONE,
    "restarts": _ONE,
    "keep": _or_none(_ONE),
  },
  "generator": _TRAINING
  | {
    "kind": _one_of(generator.KINDS),
    "condition": (
      lambda x: x in generator_parts.CONDITIONS,
      generator_parts.CONDITION_WORDS,
    ),
    "pretrain_on": (
      lambda x: (
        not isinstance(x, str) and all(isinstance(name, str) for name in x)
      ),
      "a tuple of files, such as ('news.txt.xz',)",
    ),
    "max_steps": _ONE,
    "eval_every_steps": _ONE,
    "patience": _ONE,
    "max_tokens": _ONE,
  },
  "generator.pretrain": {
    name: _TRAINING[name]
    for name in ("learning_rate", "weight_decay", "batch_size")
  }
  | {
    "seed": _SEED,
    "max_steps": _ONE,
    "row_tokens": _at_least(3),
    "warmup_fraction": _SHARE,
    "eval_every_steps": _ONE,
    "patience": _ONE,
  },
  "generator.scratch": {
    # A piece for each byte, and the end of a text.
    "vocab_size": _at_least(257),
    "width": _ONE,
    "num_layers": _ONE,
    "num_heads": _ONE,
  },
  "soft_labels": {
    "batch_size": _ONE,
    "rules": _or_none(_ABOVE_0_TO_1),
    "real_texts": _or_none(_FROM_0),
    "matmul_dtype": _PRODUCTS,
  },
  "students": {
    "num_texts": _or_none(_FROM_0),
    "num_filters": _ONE,
    "num_blocks": _FROM_0,
    "dropout": _PART,
    # Special pieces and some characters.
    "vocab_size": _at_least(10),
    "embed_width": _ONE,
    "max_tokens": _ONE,
    "learning_rates": (
      lambda x: (
        isinstance(x, tuple | list)
        and len(x) == len({*x}) > 0
        and all(map(_POSITIVE[0], x))
      ),
      "different numbers above 0, such as (1e-3, 3e-3)",
    ),
    "warmup_fraction": _SHARE,
    "weight_decay": _FROM_0,
    "patience": _or_none(_ONE),
    "select_from": _or_none(_SHARE),
    "temperature": _POSITIVE,
    "hard_weight": _SHARE,
    "labelled_weight": _POSITIVE,
  },
  "report": {"examples": _FROM_0},
  "export": {
    "formats": _some_of(export.FORMATS),
    "seed": _or_none(_FROM_0),
  },
}


def check(config: config_dict.ConfigDict) -> None:
  """Looks at every field whose value can be judged without other files.

  A config may lack the sections of phases that are not run.

  Raises:
    UserError: The first one that makes no sense, and what it can be.
  """
  _check_numbers(config, "config")
  _check_rules("", config, {"seed": _SEED} if "seed" in config else {})
  if "data" in config:
    data.check(config.data)
    if config.get("task") == tasks.CUSTOM and config.data.dir:
      raise UserError(
        f"config.data.dir={config.data.dir} is for other tasks: the rows of "
        "'custom' lie in the folder of --config=configs/custom.py:FOLDER, so "
        "leave it out"
      )
  for section, rules in _RULES.items():
    fields: Any = config
    for name in section.split("."):
      fields = fields.get(name, {})
    if fields:
      _check_rules(f"{section}.", fields, rules)
  if "generator" in config and "scratch" in config.generator:
    _check_heads(config.generator.scratch)
  if "corpus" in config:
    corpus.check(config.corpus)
  if "students" in config:
    student_setting.check(config.students)
    if "export" in config:
      _check_export(config)
    _check_texts(config)
  if "teacher" in config:
    teacher.check(config.teacher)


def _check_rules(
  section: str, fields: config_dict.ConfigDict, rules: dict[str, Rule]
) -> None:
  for field, (is_good, words) in rules.items():
    name = f"{section}{field}"
    if field not in fields:
      raise recipes.lacks(name)
    value = fields[field]
    if not _judge(is_good, value):
      raise UserError(f"config.{name} is {value!r}; it can be {words}")


def _check_numbers(section: config_dict.ConfigDict, name: str) -> None:
  """No field means anything by a number that is none, or one without end."""
  for field, value in section.items():
    if isinstance(value, config_dict.ConfigDict):
      _check_numbers(value, f"{name}.{field}")
      continue
    if field == "seed":
      continue
    for number in value if isinstance(value, tuple | list) else (value,):
      if isinstance(number, int | float) and not abs(number) < _NUMBERS_END:
        raise UserError(
          f"{name}.{field} is {value!r}; no number here can be so large, or nan"
        )


def _check_heads(scratch: config_dict.ConfigDict) -> None:
  if scratch.width % scratch.num_heads:
    raise UserError(
      f"config.generator.scratch.width is {scratch.width}: it has to be a"
      f" multiple of num_heads, {scratch.num_heads}"
    )


def _check_export(config: config_dict.ConfigDict) -> None:
  # What has no network is not exported.
  trained = [arm for arm in config.students.arms if arm in arms.ARMS]
  if config.export.arm not in (None, *trained):
    raise UserError(
      f"config.export.arm is {config.export.arm!r}; of config.students.arms it"
      f" can be one of {', '.join(trained)}, or None"
    )
  seed, number = config.export.seed, config.students.num_seeds
  if seed is not None and seed >= number:
    raise UserError(
      f"config.export.seed is {seed}, and config.students.num_seeds={number}:"
      f" it can be 0 to {number - 1}, or None"
    )


def _check_texts(config: config_dict.ConfigDict) -> None:
  """Whether the phases before make the texts that students are to read."""
  kinds = arms.kinds(config.students.arms)
  if "real" in kinds and "data" in config and config.data.unlabelled is None:
    raise UserError(
      "the arm real_kd needs real texts without labels: give"
      " --config.data.unlabelled=train for the training rows that are not drawn"
    )
  if "soft_labels" in config:
    if "real" in kinds and config.soft_labels.real_texts == 0:
      raise UserError(
        "the arm real_kd needs real texts, and config.soft_labels.real_texts is"
        " 0: give a number, or None for as many as are generated"
      )
    if "rules" in kinds and config.soft_labels.rules is None:
      raise UserError(
        "the arm rules_kd needs texts made by word rules: give"
        " --config.soft_labels.rules=1 for as many as are generated"
      )
  if config.students.second_round is not None and "corpus" in config:
    budget, drawn = config.students.num_texts, config.corpus.num_texts
    if budget >= drawn:
      raise UserError(
        "config.students.second_round chooses from texts beyond"
        f" config.students.num_texts={budget:,}, and config.corpus.num_texts is"
        f" {drawn:,}: raise the latter"
      )


def _judge(is_good: Test, value: Any) -> bool:
  try:
    return bool(is_good(value))
  except TypeError:  # of another type, such as a number for a list
    return False
