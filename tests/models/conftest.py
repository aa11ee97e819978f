# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import families


@pytest.fixture(scope="session")
def random_params():
  """(module) -> params drawn by numpy, large enough that inputs matter.

  JAX's own initialisers cost seconds of compilation for each shape.
  """

  def draw(module: nn.Module, seed: int = 0):
    shapes = jax.eval_shape(
      lambda: families.init_params(module, jax.random.key(0))
    )
    rng = np.random.default_rng(seed)

    def leaf(path, shape):
      noise = rng.standard_normal(shape.shape)
      kind = path[-1].key
      if kind == "kernel":
        noise /= np.sqrt(np.prod(shape.shape[:-1]))
      else:
        noise *= {"embedding": 0.5, "scale": 0.1, "bias": 0.1}[kind]
      return jnp.asarray(noise + (kind == "scale"), jnp.float32)

    return jax.tree_util.tree_map_with_path(leaf, shapes)

  return draw
