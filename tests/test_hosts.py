# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""hosts: what can be said without any. `hosts/` runs real processes."""

import pytest
from etils import epath

from gd_jax import host_watch, hosts
from gd_jax.errors import UserError


def test_alone_nothing_waits(tmp_path):
  hosts.start()
  hosts.barrier("nobody")
  hosts.require_shared(epath.Path(tmp_path))
  assert hosts.agree("a word", "yes") == "yes"
  assert (hosts.count(), hosts.index(), hosts.is_first()) == (1, 0, True)
  with hosts.leading(epath.Path(tmp_path)), hosts.together("corpus"):
    pass
  assert hosts.explanation(ValueError()) is None
  hosts.leave(1)


# Dies if: JAX is asked to join with half of what it needs: it would hang.
@pytest.mark.parametrize(
  ("fields", "words"),
  [
    ({}, "also needs --num_processes=N and --process_id=I"),
    ({"num_processes": 2, "process_id": 2}, "numbered 0 to 1"),
    (
      {"num_processes": 2, "process_id": 0, "coordinator": "here"},
      "HOST:PORT",
    ),
  ],
)
def test_half_of_the_flags_are_refused(fields, words):
  with pytest.raises(UserError, match=words):
    hosts.start(**{"coordinator": "127.0.0.1:1", **fields})


# Dies if: host 1 waits longer than it is told to, or not at all.
def test_a_host_0_that_does_not_answer_is_named(monkeypatch):
  monkeypatch.setenv(host_watch.JOIN_SECONDS, "0.5")
  with pytest.raises(
    UserError, match=r"host 0 does not answer at 127\.0\.0\.1"
  ) as refused:
    hosts.start(coordinator="127.0.0.1:9", num_processes=2, process_id=1)
  assert refused.value.exit_code == host_watch.LOST
