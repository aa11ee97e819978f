# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What int8 keeps of a weight."""

import numpy as np
import pytest

from gd_jax.export import graph


# Dies if: one scale serves all rows, or integers are cut instead of rounded.
@pytest.mark.parametrize("axes", [1, (1,)])
def test_each_row_keeps_its_own_precision(axes):
  rng = np.random.default_rng(0)
  sizes = np.array([[1e-3], [1.0], [1e3]], np.float32)
  array = sizes * rng.uniform(-1, 1, (3, 50)).astype(np.float32)
  integers, scales = graph.quantize(array, axes)
  assert integers.dtype == np.int8 and scales.shape == (3, 1)
  off = np.abs(integers * scales - array).max(axis=1)
  assert (off <= np.abs(array).max(axis=1) / 253).all()


def test_a_row_of_zeros_stays_one():
  integers, scales = graph.quantize(np.zeros((2, 3), np.float32), 1)
  assert not (integers * scales).any()
