# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Yahoo Answers: which of 10 topics is a question about?

As recollected the size of Chia et al.'s experiments (1909.03508): 1,000
labelled rows. MiniLM was trained on public pairs that include Yahoo Answers:
with it as the teacher this set measures nothing clean.

Run: gd-jax --config=configs/yahoo_answers.py --config.data.dir=DIR \
  --workdir=runs/yahoo_answers
Smoke test: --config=configs/yahoo_answers.py:quick
"""

from ml_collections import config_dict

from configs import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config; `arg` is "" or "quick"."""
  config = common.get_config("yahoo_answers")
  return common.finish(config, arg)
