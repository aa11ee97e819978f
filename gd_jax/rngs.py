# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Randomness derived from names, never from a key that code passes around.

A stream depends on the seed and on its names alone, so adding one use of
randomness never changes another.
"""

import zlib

import jax
import numpy as np

Name = str | int


def derived_seed(seed: int, *names: Name) -> int:
  """A 32-bit seed for `names` under `seed`, for libraries that take an int."""
  text = "/".join([str(seed), *(str(name) for name in names)])
  return zlib.crc32(text.encode("utf-8"))


def stream(seed: int, *names: Name) -> jax.Array:
  """A typed JAX key for `names` under `seed`."""
  rng = jax.random.key(seed)
  for name in names:
    number = name if isinstance(name, int) else zlib.crc32(name.encode("utf-8"))
    rng = jax.random.fold_in(rng, number)
  return rng


def numpy_stream(seed: int, *names: Name) -> np.random.Generator:
  """A numpy generator for `names` under `seed`."""
  return np.random.default_rng(derived_seed(seed, *names))
