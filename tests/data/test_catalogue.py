# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Catalogue sets: the line without TensorFlow, and rows of their builders."""

import importlib.util

import numpy as np
import pytest
import tensorflow_datasets as tfds

from configs import common
from gd_jax.data import catalogue, tasks
from gd_jax.errors import UserError
from gd_jax.progress import Progress


class _Glue(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Two sentences a row, an index, a label; -1 in the test split."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {
          "sentence1": tfds.features.Text(),
          "sentence2": tfds.features.Text(),
          "idx": tfds.features.Scalar(np.int32),
          "label": tfds.features.ClassLabel(names=["no", "yes"]),
        }
      ),
    )

  def _split_generators(self, dl_manager):
    return {
      "train": self._generate_examples("t", [0, 1, 1]),
      "validation": self._generate_examples("v", [0]),
      "test": self._generate_examples("s", [-1, -1]),
    }

  def _generate_examples(self, name, labels):
    for i, label in enumerate(labels):
      yield (
        i,
        {
          "sentence1": f"{name}{i}",
          "sentence2": "é",
          "idx": i,
          "label": label,
        },
      )


class _Numbers(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """No text at all."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    features = tfds.features.FeaturesDict({"x": tfds.features.Scalar(np.int32)})
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    return {"train": iter([(0, {"x": 1})])}

  def _generate_examples(self):
    raise NotImplementedError


def _prepared(builder_class, tmp_path):
  builder = builder_class(data_dir=tmp_path, file_format="array_record")
  builder.download_and_prepare()
  return builder


def test_without_tensorflow_there_is_one_clear_line(progress):
  if importlib.util.find_spec("tensorflow") is not None:
    pytest.skip("TensorFlow is installed")
  config = common.get_config("tfds:glue/sst2")
  with pytest.raises(UserError, match=r"pip install 'gd_jax\[catalog\]'"):
    tasks.load(config, progress)
  assert tasks.source_fingerprint(config) is None


# Dies if: rows without a label are taken for a class, or texts are lost.
def test_hidden_test_labels_make_validation_the_test(tmp_path):
  builder = _prepared(_Glue, tmp_path)
  said = []
  progress = Progress(quiet=True)
  progress.say = said.append  # type: ignore[method-assign]
  rows = catalogue.splits_of(builder, evaluate_on="test", progress=progress)
  assert sorted((row.label, row.text) for row in rows["train"]) == [
    ("no", "t0 é"),
    ("yes", "t1 é"),
    ("yes", "t2 é"),
  ]
  assert [row.text for row in rows["test"]] == ["v0 é"]
  assert len(said) == 1 and "validation rows" in said[0]
  rows = catalogue.splits_of(
    builder, evaluate_on="validation", progress=progress
  )
  # Dies if: choices are made on the rows that are tested on.
  assert sorted(rows) == ["train"] and len(said) == 2


def test_a_set_without_text_is_refused(tmp_path, progress):
  builder = _prepared(_Numbers, tmp_path)
  with pytest.raises(UserError, match="no text with a label; its features"):
    catalogue.splits_of(builder, evaluate_on="test", progress=progress)
