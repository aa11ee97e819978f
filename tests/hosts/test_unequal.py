# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hosts of which one has work to do and the other has none."""

import sys

import pytest

_CODE = """
import sys
import jax
from gd_jax import hosts
hosts.start()
if not hosts.is_first():
  print(jax.device_count(), len(jax.local_devices()))
hosts.barrier("both are here")
hosts.leave(0)
"""


# Dies if: devices are opened where they are first used (no `_open_devices`):
# host 1 then waits five minutes for host 0's, and fails.
@pytest.mark.slow
def test_one_host_alone_computes(start):
  group = start([sys.executable, "-c", _CODE], number=2, devices=2)
  assert group.wait() == [0, 0], group.said(0) + group.said(1)
  assert group.said(1).splitlines()[-1] == "4 2"
