# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""AG News at the paper's recollected size: BERT-Large, GPT-2 345M.

Reproduces the setting of arXiv 2002.00733 as far as it is known. Not verified,
but recollected: this data set, 100 labelled rows a class, the two models, the
number of texts, five seeds. Ours: everything else; `common.py` beside this
file lists it. 400 labelled rows.

Not run here: it wants a GPU or TPU with 24 GB, or one with 16 GB and
--config.generator.accumulate_steps=2, and the Hugging Face hub (or folders:
--config.teacher.init=FOLDER, --config.generator.init=FOLDER).

Run: gd-jax --config=configs/paper/ag_news.py --config.data.dir=DIR \
  --workdir=runs/paper/ag_news
Smoke test on a CPU, with MiniLM: --config=configs/paper/ag_news.py:quick
"""

from ml_collections import config_dict

from configs.paper import common


def get_config(arg: str = "") -> config_dict.ConfigDict:
  """The config; `arg` is "" or "quick"."""
  config = common.get_config("ag_news", num_texts=13_000, max_tokens=128)
  return common.finish(config, arg)
