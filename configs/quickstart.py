# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The embedded data set: 8 kinds of message to a shop, 25 labelled rows each.

Reproduces nothing; shows the method at work in minutes on two CPU cores.

Run: make quickstart
"""

import pathlib

from ml_collections import config_dict

import gd_jax
from configs import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config; `arg` is "" or "quick"."""
  config = common.get_config("quickstart")
  config.data.dir = str(pathlib.Path(gd_jax.__file__).parent / "data")
  config.data.labels_per_class = 25
  config.data.max_tokens = 32
  config.teacher.update(restarts=1, min_steps=120, evals=4)
  config.generator.update(
    max_tokens=32,
    batch_size=16,
    max_steps=75,
    learning_rate=5e-4,
  )
  config.corpus.update(num_texts=2000, max_tokens=32, shard_rows=1024)
  config.students.update(
    num_seeds=3,
    total_steps=400,
    batch_size=32,
    max_tokens=32,
    num_filters=64,
    num_blocks=2,
  )
  return common.finish(config, arg)
