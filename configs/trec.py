# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""TREC-6: what kind of answer does a question ask for? 100 labels a class.

Reproduces no published setting: the sizes are ours. A class of 78 rows gives
what it has, so 578 labelled rows; 500 test questions.

Run: gd-jax --config=configs/trec.py --config.data.dir=DIR --workdir=runs/trec
Smoke test: --config=configs/trec.py:quick
"""

from ml_collections import config_dict

from configs import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config; `arg` is "" or "quick"."""
  config = common.get_config("trec")
  return common.finish(config, arg)
