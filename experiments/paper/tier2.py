# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 2: other students, the earlier works' among them; 2 draws, 3 seeds.

Run: gd-jax --sweep --config=experiments/paper/tier2.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier2/TASK
"""

from ml_collections import config_dict

from experiments.paper import base

MODELS = ("kim_cnn", "blend_cnn", "bilstm")


def get_config(task: str = "") -> config_dict.ConfigDict:
  """The config that all points share.

  The rates are searched: those models are not the one that the default rate was
  chosen for.
  """
  return base.get_config(
    task,
    arms=("gold", "kd", "gd"),
    num_seeds=3,
    learning_rates=(1e-3, 3e-3),
  ).lock()


def sweep(add) -> None:
  """Models and draws."""
  for draw in base.draws(2):
    for model in MODELS:
      add(**{"students.model": model}, **draw)
