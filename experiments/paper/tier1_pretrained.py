# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Tier 1 with a generator that first read general text: the arm gd_pretrained.

Stands in for GPT-2, which had read the web before it saw the task. The general
model is made once, from the files that config.generator.pretrain_on names, and
serves every task and draw; lines that hold an evaluation text are left out.

Run: gd-jax --sweep --config=experiments/paper/tier1_pretrained.py:TASK \
  --config.data.dir=DIR --workdir=runs/paper/tier1_pretrained/TASK \
  --reuse=runs/paper/tier1/TASK/POINT \
  --config.generator.pretrain_on='("a/movie.txt.xz", "a/news.txt.xz")'
with --reuse once for each point of tier 1: a draw has one teacher.
"""

from ml_collections import config_dict

from experiments.paper import base


def get_config(task: str = "") -> config_dict.ConfigDict:
  """The config that all points share."""
  return base.get_config(task, arms=("gd",), num_seeds=1).lock()


def sweep(add) -> None:
  """Draws."""
  for draw in base.draws(5):
    add(**draw)
