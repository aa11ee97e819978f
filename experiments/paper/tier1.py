# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 1: every arm of res_cnn, five draws with one student each.

Run: gd-jax --sweep --config=experiments/paper/tier1.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier1/TASK
real_kd is there for the tasks that have real texts left over: not for DBPedia.
DBPedia at 100 a class: tier1.py:dbpedia_100; its draws have the same rows.
With students.left_out=nearest, the default by now: tier1.py:TASK_nearest.
"""

from ml_collections import config_dict

from experiments.paper import base

ARMS = ("gold", "kd", "rules_kd", "real_kd", "gd_hard", "gd", "tfidf")


def get_config(task: str = "") -> config_dict.ConfigDict:
  """The config that all points share."""
  config = base.get_config(task, arms=ARMS, num_seeds=1)
  config.soft_labels.rules = 1.0
  return config.lock()


def sweep(add) -> None:
  """Draws."""
  for draw in base.draws(5):
    add(**draw)
