# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import os

import pytest
from etils import epath

from gd_jax import leases, signals, workdirs
from gd_jax.errors import UserError


class Clock:
  def __init__(self):
    self.now = 1e9

  def __call__(self):
    return self.now

  def sleep(self, seconds):
    self.now += seconds


@pytest.fixture
def clock():
  return Clock()


@pytest.fixture
def lease(tmp_path, clock):
  """lease() -> one more process's lease on the same folder."""
  folder = epath.Path(tmp_path)
  return lambda: leases.Lease(folder, clock=clock, sleep=clock.sleep)


# Dies if: a lease that lives is taken, or the refusal does not name its pid.
def test_one_holder_at_a_time(lease):
  first, second = lease(), lease()
  first.take()
  with pytest.raises(UserError, match=f"in use by process {os.getpid()} on "):
    second.take()
  first.give_back()
  second.take()
  first.give_back()  # not its own any more
  with pytest.raises(UserError):
    first.take()


# Dies if: heartbeats don't renew the lease, or a dead holder's lasts.
def test_a_lease_lasts_as_long_as_its_heart_beats(lease, clock):
  first, second = lease(), lease()
  first.take()
  for _ in range(20):
    clock.now += leases.BEAT_SECONDS
    assert first.beat()
    with pytest.raises(UserError):
      second.take()
  clock.now += leases.STALE_SECONDS + 1
  second.take()
  assert not first.beat()  # it slept, and finds that it lost it


# Dies if: a time in the future counts as recent for ever.
@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_jumps_makes_no_lease_eternal(lease, clock, jump):
  lease().take()
  clock.now += jump
  lease().take()


# Dies if: the lease is not read back after it was written.
def test_of_two_at_the_same_moment_one_goes_on(tmp_path, clock):
  folder = epath.Path(tmp_path)
  other = leases.Lease(folder, clock=clock, sleep=clock.sleep)

  def sleep(seconds):
    other._write()

  with pytest.raises(UserError, match="in use"):
    leases.Lease(folder, clock=clock, sleep=sleep).take()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": 1}'])
def test_a_damaged_lease_is_nobodys(tmp_path, lease, text):
  (tmp_path / leases.NAME).write_text(text)
  lease().take()


# Dies if: a lost lease is not heeded.
def test_a_run_that_lost_its_lease_stops(tmp_path, monkeypatch):
  monkeypatch.setattr(leases, "BEAT_SECONDS", 0.01)
  monkeypatch.setattr(leases.Lease, "take", leases.Lease._write)
  thief = {"token": "t", "holder": "1 on there", "time": leases.time.time()}
  with leases.hold(epath.Path(tmp_path)):
    for _ in range(3000):
      # Again and again: a beat that had looked before would write over it.
      leases.atomic.put(
        epath.Path(tmp_path) / leases.NAME, json.dumps(thief).encode()
      )
      if signals.requested():
        break
      leases.time.sleep(0.01)
    assert signals.requested()
  assert json.loads((tmp_path / leases.NAME).read_text()) == thief


# Dies if: a bucket's error, which need be no OSError, ends the heartbeat in
# silence, or one that passes ends the run.
@pytest.mark.parametrize(("failing", "stops"), [(3, False), (10**6, True)])
def test_a_run_that_can_not_renew_its_lease_stops(
  tmp_path, monkeypatch, failing, stops
):
  monkeypatch.setattr(leases, "BEAT_SECONDS", 0.01)
  monkeypatch.setattr(leases, "STALE_SECONDS", 1.0)
  monkeypatch.setattr(leases.Lease, "take", leases.Lease._write)
  beats = []

  def beat(lease):
    beats.append(lease)
    if len(beats) <= failing:
      raise RuntimeError("503")
    return True

  monkeypatch.setattr(leases.Lease, "beat", beat)
  with leases.hold(epath.Path(tmp_path)):
    deadline = leases.time.monotonic() + 20
    while leases.time.monotonic() < deadline:
      if signals.requested() or len(beats) > failing + 100:
        break
      leases.time.sleep(0.01)
  assert signals.requested() == stops


# Dies if: a disk without locks is taken for one that is in use.
def test_where_flock_does_not_work_a_lease_is_taken(tmp_path, monkeypatch):
  def no_locks(handle, how):
    raise OSError(workdirs.errno.ENOLCK, "No locks available")

  monkeypatch.setattr(workdirs.fcntl, "flock", no_locks)
  with workdirs.lock(epath.Path(tmp_path)):
    assert (tmp_path / leases.NAME).exists()
  assert not (tmp_path / leases.NAME).exists()
