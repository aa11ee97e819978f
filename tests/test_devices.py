# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""devices: guesses of how long a computation takes."""

import pytest

from gd_jax import devices


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
  monkeypatch.setattr(devices.os, "cpu_count", lambda: cores)
  monkeypatch.setattr(devices, "platform", lambda: "cpu")
  assert devices.about(operations) == words
