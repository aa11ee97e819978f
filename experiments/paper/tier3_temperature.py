# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 3: the softmax temperature.

Two draws with three seeds each, at equal optimizer steps.
Hard labels instead of soft ones are the arm gd_hard.

Run, for trec and ag_news:
  gd-jax --sweep --config=experiments/paper/tier3_temperature.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier3_temperature/TASK
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
    for temperature in (1.0, 2.0, 4.0, 8.0):
      add(**{"students.temperature": temperature}, **draw)
