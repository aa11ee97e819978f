# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""SST-2: is a sentence of a film review positive? 100 labels a class.

Reproduces no published setting: the sizes are ours. 200 labelled rows, 1,821
test sentences.

Run: gd-jax --config=configs/sst2.py --config.data.dir=DIR --workdir=runs/sst2
Smoke test: --config=configs/sst2.py:quick
"""

from ml_collections import config_dict

from configs import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config; `arg` is "" or "quick"."""
  config = common.get_config("sst2")
  return common.finish(config, arg)
