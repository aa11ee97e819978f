# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 3: a generator that is told the class, or not, or one for each class.

Two draws with three seeds each, at equal optimizer steps.

Run, for trec and ag_news:
  gd-jax --sweep --config=experiments/paper/tier3_condition.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier3_condition/TASK
"""

from ml_collections import config_dict

from experiments.paper import base


def get_config(task: str = "") -> config_dict.ConfigDict:
  """The config that all points share."""
  config = base.get_config(task, arms=("kd", "gd_hard", "gd"), num_seeds=3)
  return config.lock()


def sweep(add) -> None:
  """Points and draws."""
  for draw in base.draws(2):
    for condition in (None, "prefix", "per_class"):
      add(**{"generator.condition": condition}, **draw)
