# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from gd_jax import devices, peaks

_MIB = 2**20


def _take(mebibytes):
  np.ones(mebibytes * _MIB, np.uint8)
  return {"rows": 1}


# Dies if: the highest use of earlier work is taken for this one's (no reset),
# or what was in use before is not told.
def test_the_memory_of_each_work_is_its_own():
  large = peaks.counted(_take)(400)
  small = peaks.counted(_take)(100)
  assert large["rows"] == small["rows"] == 1
  assert large["memory"]["platform"] == "cpu"
  for found, expected in ((large, 400), (small, 100)):
    memory = found["memory"]
    taken = (memory["peak"] - memory["before"]) / _MIB
    assert expected - 20 < taken < expected + 60


class _Device:
  """An accelerator's allocator, whose highest use can't be forgotten."""

  def __init__(self):
    self.stats = {"bytes_in_use": 5, "peak_bytes_in_use": 50}

  def memory_stats(self):
    return self.stats


@pytest.mark.parametrize(
  ("highest", "expected"),
  [
    (80, {"before": 5, "peak": 80}),
    # Dies if: an earlier work's memory is told as this one's.
    (50, None),
  ],
)
def test_on_an_accelerator_its_allocator_is_asked(
  monkeypatch, highest, expected
):
  device = _Device()
  monkeypatch.setattr(peaks.devices, "local_devices", lambda: [device])

  def work():
    device.stats = {"bytes_in_use": 5, "peak_bytes_in_use": highest}
    return {}

  here = {"platform": "cpu", "kind": devices.cpu_kind(), "num_devices": 1}
  found = peaks.counted(work)().get("memory")
  assert found == (expected and here | expected)


# Dies if: a system without /proc gets no answer, or a wrong unit.
def test_without_proc_the_highest_is_asked_of_the_kernel(monkeypatch):
  first = peaks.counted(_take)(1)
  monkeypatch.setattr(peaks, "_STATUS", "/proc/none")
  monkeypatch.setattr(peaks, "_RESET", "/proc/none")
  higher = 1.5 * first["memory"]["peak"] / _MIB
  found = peaks.counted(_take)(int(higher))["memory"]
  assert found["peak"] >= higher * _MIB
  assert peaks.counted(_take)(1) == {"rows": 1}
