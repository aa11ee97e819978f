# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 3: as many texts as can be.

Two draws with three seeds each, at equal optimizer steps.

Run, for trec alone, whose texts are short:
  gd-jax --sweep --config=experiments/paper/tier3_texts_64k.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier3_texts_64k/TASK
"""

from ml_collections import config_dict

from experiments.paper import base


def get_config(task: str = "") -> config_dict.ConfigDict:
  """The config that all points share."""
  config = base.get_config(task, arms=("kd", "gd_hard", "gd"), num_seeds=3)
  config.corpus.num_texts = 64_000
  return config.lock()


def sweep(add) -> None:
  """Points and draws."""
  for draw in base.draws(2):
    add(**{"students.num_texts": 64_000}, **draw)
