# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What lets large models train: placement, precision, parts of a batch."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from ml_collections import config_dict

from gd_jax import devices
from gd_jax.errors import UserError
from gd_jax.training import step as step_lib

_DTYPES = {None: jnp.float32, "float32": jnp.float32, "bfloat16": jnp.bfloat16}


def module_fields(c: config_dict.ConfigDict, name: str) -> dict[str, Any]:
  """What BERT and GPT-2 take from the section `name` of a config.

  Raises:
    UserError: `dtype` is none of the known ones.
  """
  if c.dtype not in _DTYPES:
    raise UserError(
      f"config.{name}.dtype is {c.dtype!r}; it can be 'bfloat16', 'float32' or"
      " None, which is the same"
    )
  return {
    "dtype": _DTYPES[c.dtype],
    "matmul_dtype": matmul_dtype_of(c),
    "remat": c.remat,
  }


def matmul_dtype_of(c: config_dict.ConfigDict) -> Any:
  """The dtype that a section's `matmul_dtype` names; None: the model's own."""
  return None if c.matmul_dtype is None else _DTYPES[c.matmul_dtype]


def check_batch(c: config_dict.ConfigDict, name: str, mesh: Mesh) -> None:
  """Looks whether each part of a batch spreads evenly over the devices.

  Raises:
    UserError: It does not.
  """
  parts = 1 if c.accumulate_steps is None else c.accumulate_steps
  if parts < 1 or c.batch_size % (parts * mesh.size):
    raise UserError(
      f"config.{name}.batch_size is {c.batch_size}: in {parts} parts on"
      f" {mesh.size} devices it has to be a multiple of"
      f" {max(parts, 1) * mesh.size}"
    )


def places(
  mesh: Mesh, params: step_lib.Params, tx: optax.GradientTransformation
) -> step_lib.TrainState:
  """The sharding of each array of a training state; see `devices.split`.

  Args:
    mesh: Over all devices.
    params: Arrays, or their shapes.
    tx: The optimizer.
  """
  state = jax.eval_shape(lambda p: step_lib.init_state(p, tx), params)
  return devices.split(mesh, state)


def fresh_state(
  params: step_lib.Params,
  tx: optax.GradientTransformation,
  where: step_lib.TrainState,
) -> step_lib.TrainState:
  """The state at step 0, made where it belongs: see `places`."""
  return make_init(tx, where)(devices.place(params, where.params))


def make_init(
  tx: optax.GradientTransformation, where: step_lib.TrainState
) -> Any:
  """init(params) -> the state at step 0, compiled; params are lent."""
  return jax.jit(lambda p: step_lib.init_state(p, tx), out_shardings=where)
