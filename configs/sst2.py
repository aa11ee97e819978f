# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""sst2"""

from ml_collections import config_dict

from configs import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config; `arg` is "" or "quick"."""
  config = common.get_config("sst2")
  return common.finish(config, arg)
