# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import pytest

from configs import common
from gd_jax import devices
from gd_jax.errors import UserError
from gd_jax.training import memory, optim


def _config(**fields):
  c = common.get_config("trec").teacher
  c.update(fields)
  return c


def test_fields_of_large_models():
  assert memory.module_fields(_config(), "teacher") == {
    "dtype": jnp.float32,
    "matmul_dtype": None,
    "remat": False,
  }
  found = memory.module_fields(_config(dtype="bfloat16", remat=True), "teacher")
  assert found == {"dtype": jnp.bfloat16, "matmul_dtype": None, "remat": True}
  found = memory.module_fields(_config(matmul_dtype="bfloat16"), "teacher")
  assert found["dtype"] == jnp.float32
  assert found["matmul_dtype"] == jnp.bfloat16
  with pytest.raises(UserError, match=r"config\.generator\.dtype is 'f16'"):
    memory.module_fields(_config(dtype="f16"), "generator")


# Dies if: a batch that does not divide is let through, to fail within JAX.
@pytest.mark.parametrize("parts", [0, 3, 32])
def test_parts_that_do_not_divide_are_refused(parts):
  mesh = devices.mesh()
  memory.check_batch(_config(), "teacher", mesh)
  memory.check_batch(_config(accumulate_steps=8), "teacher", mesh)
  with pytest.raises(UserError, match="batch_size is 16: in"):
    memory.check_batch(_config(accumulate_steps=parts), "teacher", mesh)


# Dies if: the state shares its arrays with `params`, which a step would then
# take away.
def test_a_fresh_state_owns_its_arrays():
  params, tx = {"w": jnp.ones((4, 4))}, optim.adamw(1e-3, weight_decay=0.0)
  where = memory.places(devices.mesh(), params, tx)
  state = memory.fresh_state(params, tx, where)
  jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)(state)
  assert float(params["w"].sum()) == 16
