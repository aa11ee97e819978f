# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 3: labelled rows a class.

Two draws with three seeds each, at equal optimizer steps.
TREC has classes of fewer than 300; they give what they have.

Run, for trec and ag_news:
  gd-jax --sweep --config=experiments/paper/tier3_labels.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier3_labels/TASK
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
    for labels in (10, 30, 100, 300):
      add(**{"data.labels_per_class": labels}, **draw)
