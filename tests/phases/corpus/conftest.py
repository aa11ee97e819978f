# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A random generator, a run's workdir over it, and one with two of them."""

import collections
import os
import shutil

import jax
import pytest
from etils import epath
from ml_collections import config_dict

from configs import common
from gd_jax import artefacts, checkpoints
from gd_jax.data import formats, tokenizers
from gd_jax.models import families, gpt2

TEXTS = [
  "where is my order",
  "where is the refund I asked for",
  "the lamp came broken",
  "I can't log in to my account",
  "please cancel my order",
  "which size should I take",
]


@pytest.fixture(scope="session")
def upstream(tmp_path_factory):
  """A workdir with data/ and a random generator/."""
  workdir = epath.Path(tmp_path_factory.mktemp("upstream"))
  data, source = workdir / "data", workdir / "generator"
  data.mkdir()
  source.mkdir()
  labelled = [{"row_id": i, "text": text} for i, text in enumerate(TEXTS)]
  artefacts.write_jsonl(data / "labelled.jsonl", labelled)
  evaluation = [{"row_id": 0, "text": "do you sell gift cards"}]
  artefacts.write_jsonl(data / "evaluation_texts.jsonl", evaluation)
  tokenizer = tokenizers.train_byte_bpe(TEXTS, vocab_size=300)
  model = gpt2.Gpt2(
    gpt2.Gpt2Config(
      vocab_size=tokenizer.get_vocab_size(),
      width=16,
      num_layers=1,
      num_heads=2,
      mlp_width=32,
      max_length=14,
    )
  )
  params = families.init_params(model, jax.random.key(0))
  # The end comes about as often as any other token.
  params = jax.tree.map(lambda x: x * 8 if x.ndim > 1 else x, params)
  checkpoints.save_params(source, params)
  artefacts.write_json(source / "model.json", families.spec_of(model))
  summary = {"params_total": families.count_params(params)}
  artefacts.write_json(source / "summary.json", summary)
  tokenizers.save(source, tokenizer)
  ids = [formats.encode(tokenizer, text) for text in TEXTS]
  fmt = formats.Format(
    bos_id=0,
    eos_id=0,
    max_tokens=12,
    banned_ids=(),
    first_tokens=dict(collections.Counter(row[0] for row in ids)),
  )
  formats.save(source, fmt)
  return workdir


@pytest.fixture
def workdir(upstream, tmp_path):
  """A fresh workdir over the same upstream artefacts."""
  folder = epath.Path(tmp_path) / "run"
  (folder / "corpus").mkdir(parents=True)
  for name in ("data", "generator"):
    os.symlink(upstream / name, folder / name)
  return folder


@pytest.fixture
def config():
  made = config_dict.ConfigDict()
  made.seed = 3
  made.corpus = common.get_config("trec").corpus
  made.corpus.update(
    num_texts=50, shard_rows=16, slots=4, steps_per_call=24, max_tokens=12
  )
  made.corpus.update(sampler="pure", min_tokens=1)
  return made


@pytest.fixture
def by_class(workdir, upstream, tmp_path):
  """The workdir with two generators, of which the second has other weights."""
  source = epath.Path(tmp_path) / "by_class"
  shutil.copytree(upstream / "generator", source)
  summary = artefacts.read_json(source / "summary.json")
  artefacts.write_json(source / "summary.json", {"classes": [summary, summary]})
  params = checkpoints.load_params(source)
  for label, sign in enumerate((1, -1)):
    folder = formats.class_folder(source, label)
    folder.mkdir()
    changed = jax.tree.map(lambda x, sign=sign: sign * x, params)
    checkpoints.save_params(folder, changed)
    shutil.copy(source / "format.json", folder / "format.json")
  (workdir / "generator").unlink()
  os.symlink(source, workdir / "generator")
  return workdir


def content(workdir):
  """The bytes of every file of the corpus but of those that tell times."""
  folder = workdir / "corpus"
  return {
    path.name: path.read_bytes()
    for path in folder.iterdir()
    if path.name not in ("timing.json", "metrics.jsonl", "tensorboard")
  }


def clear(workdir):
  """Leaves an empty corpus folder."""
  (workdir / "corpus").rmtree()
  (workdir / "corpus").mkdir()
