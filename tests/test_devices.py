# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""devices: the mesh, places, shares, guesses of how long things take."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from gd_jax import devices, hosts
from gd_jax.errors import UserError


# Dies if: work is not shared by the cores, or seconds are said as minutes.
@pytest.mark.parametrize(
  ("cores", "operations", "words"),
  [
    (1, 3e10 * 600, "about 10 min"),
    (2, 3e10 * 600, "about 5 min"),
    (2, 0, "about 1 min"),
  ],
)
def test_about(monkeypatch, cores, operations, words):
  monkeypatch.setattr(devices, "num_cores", lambda: cores)
  monkeypatch.setattr(devices, "platform", lambda: "cpu")
  assert devices.about(operations) == words


# Dies if: a run that may use two cores of many starts as many threads as there
# are, or one on a system without such bounds none.
def test_cores_are_those_that_we_may_use(monkeypatch):
  monkeypatch.setattr(devices.os, "cpu_count", lambda: 64)
  monkeypatch.setattr(
    devices.os, "sched_getaffinity", lambda pid: {3, 5}, raising=False
  )
  assert devices.num_cores() == 2
  monkeypatch.delattr(devices.os, "sched_getaffinity")
  assert devices.num_cores() == 64


@pytest.mark.parametrize("spec", [None, {"data": -1, "fsdp": 1}, {"data": 1}])
def test_a_mesh_has_both_axes(spec):
  assert dict(devices.mesh(spec).shape) == {"data": 1, "fsdp": 1}


# Dies if: a mesh of fewer devices than there are is made in silence.
@pytest.mark.parametrize(
  "spec",
  [{"data": 3}, {"fsdp": 2}, {"model": 1}, {"data": -1, "fsdp": 0}],
)
def test_a_mesh_that_does_not_fit_is_refused(spec):
  with pytest.raises(UserError, match=r"config\.mesh is .* 1 devices"):
    devices.mesh(spec)


# Dies if: the smallest dimension is split, or one that does not divide.
def test_large_arrays_are_split_in_their_largest_dimension():
  mesh = AbstractMesh((2, 4), ("data", "fsdp"))
  shapes = {
    "rows": (30_522, 768),
    "columns": (768, 3072),
    "odd": (30_521, 769),
    "small": (64, 64),
    "vector": (3072,),
  }
  tree = {k: jax.ShapeDtypeStruct(v, jnp.float32) for k, v in shapes.items()}
  found = {k: s.spec for k, s in devices.split(mesh, tree).items()}
  none = PartitionSpec(None, None)
  assert found == {
    "rows": PartitionSpec(None, "fsdp"),
    "columns": PartitionSpec(None, "fsdp"),
    "odd": none,
    "small": none,
    "vector": PartitionSpec(None),
  }


def test_shares_cover_all_and_none_twice(monkeypatch):
  monkeypatch.setattr(hosts, "count", lambda: 3)
  found = []
  for host in range(3):
    monkeypatch.setattr(hosts, "index", lambda host=host: host)
    share = devices.owned(list("abcdefgh"))
    assert share == [x for i, x in enumerate("abcdefgh") if devices.owns(i)]
    found += share
  assert sorted(found) == list("abcdefgh")


def test_alone_a_wish_is_granted_at_once():
  ballot = devices.Ballot(devices.mesh())
  assert [ballot.result(wish) for wish in (0, 2, 1)] == [0, 2, 1]


# Dies if: a wish is forgotten, or granted twice.
def test_among_hosts_a_wish_is_granted_one_step_later(monkeypatch):
  monkeypatch.setattr(hosts, "count", lambda: 2)
  ballot = devices.Ballot(devices.mesh())
  wishes = (0, 1, 1, 0, 2, 2)
  assert [ballot.result(wish) for wish in wishes] == [0, 0, 1, 0, 0, 2]


def test_arrays_are_placed_alike_by_one_host_and_by_several(monkeypatch):
  mesh = devices.mesh()
  tree = {"a": np.arange(6.0).reshape(2, 3), "rng": jax.random.key(3)}
  one = devices.place(tree, devices.everywhere(mesh))
  monkeypatch.setattr(hosts, "count", lambda: 2)
  two = devices.place(tree, devices.everywhere(mesh))
  np.testing.assert_array_equal(one["a"], two["a"])
  assert jax.random.key_data(one["rng"]).tolist() == (
    jax.random.key_data(two["rng"]).tolist()
  )
  assert not devices.is_shared(two)
