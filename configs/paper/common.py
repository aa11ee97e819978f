# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Generation-distillation at full size (arXiv 2002.00733), for a GPU or TPU.

What is verified is the paper's abstract alone: large finetuned models generate
unlabelled examples and label them, three low-resource text classification
sets, a student 300 times smaller than BERT, 3 times smaller than the student of
earlier distillation. By recollection, and not verified: the three sets, 100
labelled rows a class, BERT-Large as teacher, GPT-2 345M sampled unconditionally
as generator, how many texts each set got, five seeds. Ours, since nothing says
theirs: the student's layers and tokens, every rate, length and number of
steps, the loss and its temperature, how texts are sampled and selected.
"""

from ml_collections import config_dict

from configs import common

TEACHER, GENERATOR = "bert-large-uncased", "gpt2-medium"


def get_config(
  task: str, *, num_texts: int, max_tokens: int
) -> config_dict.ConfigDict:
  """The unlocked config of one of the three sets.

  Args:
    task: Its name.
    num_texts: Generated rows, as recollected.
    max_tokens: Where texts are cut for every model.
  """
  config = common.get_config(task)
  config.data.update(labels_per_class=100, max_tokens=max_tokens)
  config.teacher.update(
    init=TEACHER,
    allow_download=True,
    pooling="cls",
    learning_rate=2e-5,
    restarts=5,
  )
  config.generator.update(
    kind="pretrained",
    init=GENERATOR,
    allow_download=True,
    learning_rate=5e-5,
    batch_size=16,
    max_tokens=max_tokens,
  )
  # The slots are a device's. 512 fit a TPU v5e as well (6.99 of its 15.75 GiB,
  # compiled for it), but eight of them would have three to six texts a slot.
  config.corpus.update(
    num_texts=num_texts, slots=128, max_tokens=max_tokens, sampler="pure"
  )
  config.students.update(
    num_seeds=5, max_tokens=max_tokens, total_steps=4000, batch_size=64
  )
  return config


def quick(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """The smoke test: small models that are at hand instead of the large ones."""
  config.teacher.update(init="minilm", pooling="mean", allow_download=False)
  config.generator.update(
    kind="warm_start", init="minilm", allow_download=False
  )
  return common.quick(config)


def finish(
  config: config_dict.ConfigDict, arg: str = ""
) -> config_dict.ConfigDict:
  """Applies a config file's argument, "" or "quick", and locks the config.

  Raises:
    ValueError: another argument.
  """
  return common.finish(quick(config) if arg == "quick" else config, arg)
