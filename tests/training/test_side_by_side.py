# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from gd_jax import signals
from gd_jax.training import side_by_side


def test_jobs_run_at_the_same_time_and_keep_their_index():
  meeting = threading.Barrier(2, timeout=30)

  def job(i):
    def run(poll):
      meeting.wait()  # Breaks if the other job has not begun.
      return i * 10

    return run

  found = dict(side_by_side.run_jobs([job(0), job(1)], workers=2))
  assert found == {0: 0, 1: 10}


# Dies if: jobs go on for hours after one of them has failed.
def test_a_failure_stops_the_others():
  started = threading.Event()
  ended = []

  def endless(poll):
    started.set()
    while not poll():
      pass
    ended.append(True)

  def fails(poll):
    assert started.wait(30)
    raise ValueError("broken")

  jobs = [endless, fails, endless]
  with pytest.raises(ValueError, match="broken"):
    list(side_by_side.run_jobs(jobs, workers=2, stopping=lambda: False))
  assert ended  # Else the pool would still wait for it.


# Dies if: a signal is not passed on to the threads.
def test_a_signal_reaches_every_job():
  asked = threading.Event()

  def job(poll):
    asked.set()
    while not poll():
      pass
    raise signals.Stopped

  with pytest.raises(signals.Stopped):
    list(side_by_side.run_jobs([job, job], workers=2, stopping=asked.is_set))


@pytest.mark.parametrize(
  ("mode", "work", "platform", "expected"),
  [
    ("auto", 80e6, "cpu", "sequential"),
    ("auto", 3.6e6, "cpu", "vmap"),
    ("auto", 300e6, "gpu", "vmap"),
    ("auto", 300e6, "tpu", "vmap"),
    ("vmap", 300e6, "cpu", "vmap"),
    ("sequential", 1e6, "gpu", "sequential"),
  ],
)
def test_the_mode(mode, work, platform, expected):
  chosen = side_by_side.choose_mode(mode, work=work, platform=platform)
  assert chosen == expected


def test_another_mode_is_refused():
  with pytest.raises(ValueError, match="mode is one of"):
    side_by_side.choose_mode("scan", work=1, platform="cpu")


# Dies if: the groups are formed from what is left to do.
def test_groups_do_not_depend_on_where_a_run_was_killed():
  names = ["a", "b", "c"]
  first = side_by_side.groups(names, [], together=True)
  assert first == [["a", "b", "c"]]
  again = side_by_side.groups(names, ["a"], together=True, earlier=first)
  assert again == first
  assert side_by_side.groups(names, names, together=True) == []


# Dies if: those that are done are trained again with every new arm.
def test_a_new_arm_trains_alone():
  names = ["a", "b", "c"]
  assert side_by_side.groups(names, ["a"], together=True) == [["b", "c"]]
  found = side_by_side.groups(
    [*names, "d"], ["a"], together=True, earlier=[["b", "c"]]
  )
  assert found == [["b", "c"], ["d"]]
  # An earlier group of which some are no longer wanted is no group any more.
  assert side_by_side.groups(
    ["b", "d"], [], together=True, earlier=[["b", "c"]]
  ) == [["b", "d"]]


def test_each_is_a_group_where_none_train_together():
  found = side_by_side.groups(["a", "b", "c"], ["b"], together=False)
  assert found == [["a"], ["c"]]


# Dies if: a program holds students of two hosts.
def test_hosts_do_not_share_a_program():
  names = [f"gd/{i}" for i in range(5)]
  found = side_by_side.groups(
    names, [], together=True, place=lambda name: int(name[3:]) % 2
  )
  assert found == [["gd/0", "gd/2", "gd/4"], ["gd/1", "gd/3"]]


# Dies if: trainings that don't divide by the devices are all left to the first
# device, or a host's are done by another.
@pytest.mark.parametrize(
  ("count", "are_devices", "expected"),
  [
    (8, True, [8]),  # one program, two on each device
    (8, False, [2, 2, 2, 2]),  # cores share none
    (6, True, [2, 2, 1, 1]),
    (3, True, [1, 1, 1]),
    (3, False, [1, 1, 1]),
  ],
)
def test_all_workers_have_work(count, are_devices, expected):
  names = [f"{host}{i}" for i in range(count) for host in "ab"]
  owners = {name: "ab".index(name[0]) for name in names}
  found = side_by_side.groups(
    names,
    [],
    together=True,
    place=side_by_side.places(owners, 4, are_devices=are_devices).__getitem__,
  )
  assert sorted(len(group) for group in found) == sorted(2 * expected)
  assert all(len({name[0] for name in group}) == 1 for group in found)
