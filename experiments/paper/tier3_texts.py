# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 3: the number of generated texts.

real_kd has as many real texts, where there are so many.

Two draws with three seeds each, at equal optimizer steps.

Run, for trec and ag_news:
  gd-jax --sweep --config=experiments/paper/tier3_texts.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier3_texts/TASK
"""

from ml_collections import config_dict

from experiments.paper import base


def get_config(task: str = "") -> config_dict.ConfigDict:
  """The config that all points share."""
  config = base.get_config(
    task, arms=("kd", "real_kd", "gd_hard", "gd"), num_seeds=3
  )
  config.corpus.num_texts = 16_000
  return config.lock()


def sweep(add) -> None:
  """Points and draws."""
  for draw in base.draws(2):
    for num_texts in (0, 250, 1000, 4000, 16_000):
      add(**{"students.num_texts": num_texts}, **draw)
