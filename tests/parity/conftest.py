# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest


@pytest.fixture
def batch():
  """(vocab_size, length) -> tokens and mask of 4 rows, padded on the right."""

  def draw(vocab_size: int, length: int):
    rng = np.random.default_rng(0)
    lengths = np.array([length, length // 2, 2, length - 1])
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    tokens = rng.integers(1, vocab_size, mask.shape, dtype=np.int32)
    return tokens * mask, mask

  return draw


@pytest.fixture
def to_torch():
  """numpy -> torch, whole numbers as the int64 that torch indexes with."""

  def convert(array):
    import torch

    return torch.from_numpy(np.asarray(array, np.int64))

  return convert
