# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Students as they come out of a training, and an export of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import bilstm, blend_cnn, students


def random_student(module, seed=0):
  """(module, params) with numbers as large as trained ones."""
  rng = np.random.default_rng(seed)
  shapes = jax.eval_shape(
    lambda: module.init(
      jax.random.key(0), jnp.zeros((1, 4), int), jnp.ones((1, 4), int)
    )["params"]
  )

  def draw(leaf):
    fan_in = np.prod(leaf.shape[:-1]) if leaf.ndim > 1 else 1
    scale = 1 if leaf.shape[0] == module.vocab_size else fan_in**-0.5
    return rng.normal(scale=scale, size=leaf.shape).astype(np.float32)

  return module, jax.tree.map(draw, shapes)


@pytest.fixture
def draw_student():
  """draw_student(module) -> (module, random params)."""
  return random_student


@pytest.fixture(
  params=[
    students.ResCnn(97, 5, embed_width=8, num_filters=16, num_blocks=2),
    students.ResCnn(
      97, 2, embed_width=8, num_filters=16, num_blocks=1, kernel_width=4
    ),
    students.KimCnn(97, 3, embed_width=8, num_filters=16),
    blend_cnn.BlendCnn(
      97, 4, embed_width=8, num_filters=16, num_layers=3, hidden_width=12
    ),
    bilstm.BiLstm(97, 3, embed_width=8, state_width=6, hidden_width=10),
  ],
  ids=["res_cnn", "even_kernel", "kim_cnn", "blend_cnn", "bilstm"],
)
def student(request):
  return random_student(request.param)


@pytest.fixture
def tokens():
  """Rows of every length from 0 to 21, padded."""
  found = np.random.default_rng(1).integers(1, 97, (22, 21)).astype(np.int32)
  return np.where(np.arange(21)[None] < np.arange(22)[:, None], found, 0)


@pytest.fixture
def logits_of():
  """logits_of(student, tokens): what the model of the training says."""

  def apply(student, tokens):
    module, params = student
    mask = (tokens != 0).astype(np.int32)
    return np.asarray(module.apply({"params": params}, tokens, mask))

  return apply
