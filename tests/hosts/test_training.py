# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training is the same on any number of hosts, and goes on on any other."""

import pytest

_STEPS = 20


def _differences(one, other):
  return [abs(a - b) for a, b in zip(one, other, strict=True)]


# Dies if: the hosts' rows are the same ones, gradients are not summed over the
# hosts, or a checkpoint is restored to another place than it is asked for.
@pytest.mark.slow
def test_two_hosts_train_as_one_and_one_goes_on(trained, tmp_path):
  expected = trained(tmp_path / "one", until=_STEPS)
  assert expected["read_back"] and expected["split_arrays"] == 0
  assert expected["losses"][-1] < 0.95 * expected["losses"][0]
  two = trained(tmp_path / "two", until=10, number=2, devices=2, fsdp=2)
  # The word table and its two moments.
  assert two["read_back"] and two["split_arrays"] == 3
  then = trained(tmp_path / "two", until=_STEPS)
  assert then["start"] == 10
  losses = two["losses"] + then["losses"]
  assert max(_differences(losses, expected["losses"])) < 1e-4


# Dies if: what two hosts have split in two can't be read into four parts.
@pytest.mark.slow
def test_four_hosts_go_on_where_two_ended(trained, tmp_path):
  expected = trained(tmp_path / "one", until=_STEPS)
  two = trained(tmp_path / "two", until=10, number=2, fsdp=2)
  four = trained(tmp_path / "two", until=_STEPS, number=4, fsdp=4)
  assert two["split_arrays"] == four["split_arrays"] == 3
  assert two["read_back"] and four["read_back"] and four["start"] == 10
  losses = two["losses"] + four["losses"]
  assert max(_differences(losses, expected["losses"])) < 1e-4
