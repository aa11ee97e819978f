# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gd_jax import own_resume


# Dies if: the optimizer's structure or a dtype is lost in the file.
def test_a_hosts_own_loop_goes_on(tmp_path):
  params = {"w": jnp.ones((3, 2)), "half": jnp.ones(2, jnp.bfloat16)}
  tx = optax.adamw(1e-3)
  state = {"params": params, "opt_state": tx.init(params), "step": jnp.int32(4)}
  resume = own_resume.OwnResume(tmp_path, every_seconds=0)
  assert resume.latest(state) is None
  resume.save(4, state, {"records": [{"best": None}]})
  resume.close()
  fresh = jax.tree.map(jnp.zeros_like, state)
  found = own_resume.OwnResume(tmp_path).latest(fresh)
  assert found is not None and (found[0], found[2]) == (
    4,
    {"records": [{"best": None}]},
  )
  assert jax.tree.structure(found[1]) == jax.tree.structure(state)
  for a, b in zip(*map(jax.tree.leaves, (found[1], state)), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)
