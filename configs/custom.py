# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Your own texts: FOLDER holds train and test files (.tsv, .csv or .jsonl).

Each has the columns `label` and `text`; a validation file is optional.
Texts as short as TREC's took a quarter of an hour on two CPU cores, by the arm
gd alone (experiments/low_data).

Run: gd-jax --config=configs/custom.py:FOLDER --workdir=runs/mine
Smoke test: --config=configs/custom.py:FOLDER,quick
"""

from ml_collections import config_dict

from configs import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config for the folder `arg`; "FOLDER,quick" shrinks everything.

  Raises:
    ValueError: no folder was named.
  """
  folder = arg.removesuffix(",quick")
  if not folder:
    raise ValueError("name your folder: --config=configs/custom.py:FOLDER")
  config = common.get_config("custom")
  config.data.folder = folder
  return common.finish(config, "quick" if folder != arg else "")
