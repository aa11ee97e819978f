# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A config's models and sizes, without a weight read or an array made."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, hub
from gd_jax.data import tasks
from gd_jax.errors import UserError
from gd_jax.models import bert, families, gpt2, hf_configs
from gd_jax.training import memory, second_round, student_setting
from gd_jax.training.arms import ARMS

# What the hub's folders hold, for machines that do not have them.
_BERT_SHAPES = {
  "minilm": bert.BertConfig(
    width=384, num_layers=6, num_heads=12, mlp_width=1536
  ),
  "bert-base-uncased": bert.BertConfig(),
  "bert-large-uncased": bert.BertConfig(
    width=1024, num_layers=24, num_heads=16, mlp_width=4096
  ),
}
_GPT2_SHAPES = {
  "gpt2": gpt2.Gpt2Config(),
  "gpt2-medium": gpt2.Gpt2Config(
    width=1024, num_layers=24, num_heads=16, mlp_width=4096
  ),
  "gpt2-large": gpt2.Gpt2Config(
    width=1280, num_layers=36, num_heads=20, mlp_width=5120
  ),
  "gpt2-xl": gpt2.Gpt2Config(
    width=1600, num_layers=48, num_heads=25, mlp_width=6400
  ),
}
_NUM_CLASSES = {
  "sst2": 2,
  "trec": 6,
  "ag_news": 4,
  "dbpedia": 14,
  "yahoo_answers": 10,
}
# Characters of a word piece, of English, with the space before it.
_CHARACTERS_PER_TOKEN = 4.5


@dataclasses.dataclass(frozen=True)
class Texts:
  """What is known of a task's texts.

  Attributes:
    num_classes: C.
    num_labelled: Rows that are drawn.
    mean_tokens: Of a text; None where no text is at hand.
  """

  num_classes: int
  num_labelled: int
  mean_tokens: float | None


def texts(config: config_dict.ConfigDict, workdir: epath.Path) -> Texts:
  """From the workdir's data, else the task's files, else what is known.

  Raises:
    UserError: Nothing tells how many classes there are.
  """
  drawn, per_class = (
    workdir / "data/labelled.jsonl",
    config.data.labels_per_class,
  )
  if drawn.exists():
    rows = artefacts.read_jsonl(drawn)
    names = artefacts.read_json(workdir / "data/task.json")["labels"]
    return Texts(len(names), len(rows), _mean([row["text"] for row in rows]))
  try:
    source = tasks.find_sources(config)["train"]
    if not isinstance(source, tasks.FileSource):
      raise UserError("nothing is downloaded for a plan")
    rows = source.read()
  except UserError as error:
    if config.task not in _NUM_CLASSES or per_class is None:
      raise UserError(
        f"a plan needs the texts of {config.task!r}, to count its classes:"
        f" {error}"
      ) from error
    num_classes = _NUM_CLASSES[config.task]
    return Texts(num_classes, num_classes * per_class, None)
  counts: dict[str, int] = {}
  for row in rows:
    counts[row.label] = counts.get(row.label, 0) + 1
  limit = math.inf if per_class is None else per_class
  drawn_rows = int(sum(min(count, limit) for count in counts.values()))
  return Texts(len(counts), drawn_rows, _mean([row.text for row in rows]))


def teacher(config: config_dict.ConfigDict, num_classes: int) -> Any:
  """The module that the phase would train."""
  c = config.teacher
  return bert.BertClassifier(
    dataclasses.replace(_bert_config(c.init), dropout=c.dropout),
    num_classes,
    pooling=c.pooling,
    **memory.module_fields(c, "teacher"),
  )


def generator(config: config_dict.ConfigDict) -> Any:
  """The module that the phase would train."""
  c = config.generator
  if c.kind == "scratch":
    model = gpt2.Gpt2Config(
      vocab_size=c.scratch.vocab_size,
      width=c.scratch.width,
      num_layers=c.scratch.num_layers,
      num_heads=c.scratch.num_heads,
      mlp_width=4 * c.scratch.width,
      max_length=max(
        c.max_tokens + 2, c.pretrain.row_tokens if c.pretrain_on else 0
      ),
    )
  elif c.kind == "pretrained":
    model = _gpt2_config(c.init)
  elif c.kind == "warm_start":
    model = _bert_config(c.init)
  else:
    raise UserError(f"no plan is made for generator.kind={c.kind!r}")
  model = dataclasses.replace(model, dropout=c.dropout)
  make: Any = (
    bert.BertDecoder if isinstance(model, bert.BertConfig) else gpt2.Gpt2
  )
  return make(model, **memory.module_fields(c, "generator"))


def student_spec(
  config: config_dict.ConfigDict, num_classes: int
) -> dict[str, Any]:
  """The students' model, of as many word pieces as allowed."""
  c = config.students
  vocab_size, _, _ = student_setting.words(c)
  return student_setting.spec_of(
    c,
    vocab_size=vocab_size or bert.BertConfig.vocab_size,
    num_classes=num_classes,
  )


def student(
  config: config_dict.ConfigDict, num_classes: int, *, alone: bool
) -> Any:
  """The module that the phase would train."""
  spec = student_spec(config, num_classes)
  return student_setting.make_module(spec, alone=alone)


def num_trainings(config: config_dict.ConfigDict) -> tuple[int, int]:
  """How many are trained one after another: (of a first round, then of arms).

  The latter are arms x seeds x learning rates; a first round has one arm.
  """
  c = config.students
  arms: Sequence[str] = [arm for arm in c.arms if arm in ARMS]
  first = 0 if c.second_round is None else second_round.NUM_STUDENTS
  rates = len(c.learning_rates)
  return first * rates, len(arms) * c.num_seeds * rates


@functools.lru_cache(maxsize=8)
def params_of(module: Any) -> Any:
  """Its params' shapes; kept, for tracing a large model takes seconds."""
  return jax.eval_shape(lambda: families.init_params(module, jax.random.key(0)))


def _bert_config(name: str) -> bert.BertConfig:
  if name in _BERT_SHAPES:
    return _BERT_SHAPES[name]
  return hf_configs.read_bert(hub.resolve(name, allow_download=False))


def _gpt2_config(name: str) -> gpt2.Gpt2Config:
  if name in _GPT2_SHAPES:
    return _GPT2_SHAPES[name]
  return hf_configs.read_gpt2(hub.resolve(name, allow_download=False))


def _mean(found: list[str]) -> float:
  characters = sum(map(len, found)) / max(1, len(found))
  return 2 + characters / _CHARACTERS_PER_TOKEN
