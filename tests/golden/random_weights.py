# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weights that anybody can draw again from their names and shapes alone."""

import zlib

import numpy as np


def draw(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
  """Float32 tensors; each depends on its own name and shape only.

  RandomState's stream, unlike default_rng's, is frozen for all of numpy's
  future.
  """
  tensors = {}
  for name, shape in shapes.items():
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    noise = rng.standard_normal(shape)
    if len(shape) > 1:
      # Strong positions keep greedy decoding from repeating itself.
      noise *= 1.35 if "wpe" in name else 0.45
    else:
      is_scale = "weight" in name
      noise = noise * 0.1 + is_scale
    tensors[name] = noise.astype(np.float32)
  return tensors
