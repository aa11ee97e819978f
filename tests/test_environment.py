# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from gd_jax import checkpoints, environment, host_watch, hosts, own_resume
from gd_jax.errors import UserError


def test_a_variable_goes_before_the_default(monkeypatch):
  monkeypatch.delenv("SOME_SECONDS", raising=False)
  assert environment.seconds("SOME_SECONDS", 3.0) == 3.0
  monkeypatch.setenv("SOME_SECONDS", "0.5")
  assert environment.seconds("SOME_SECONDS", 3.0) == 0.5


# Dies if: a number is taken as it comes: a traceback, or an endless wait.
@pytest.mark.parametrize("text", ["x", "", "0", "-1", "nan", "inf", "1e999"])
def test_what_is_no_number_of_seconds_is_named(monkeypatch, text):
  monkeypatch.setenv("SOME_SECONDS", text)
  with pytest.raises(UserError, match=f"SOME_SECONDS is {text!r}"):
    environment.seconds("SOME_SECONDS", 3.0)


# Dies if: one of those who wait reads its variable by itself.
def test_all_who_wait_refuse_odd_numbers(monkeypatch, tmp_path):
  for variable, wait in (
    (checkpoints.SAVE_SECONDS, lambda: checkpoints.Resume(tmp_path)),
    (checkpoints.SAVE_SECONDS, lambda: own_resume.OwnResume(tmp_path)),
    (host_watch.SECONDS, host_watch.silence),
    (host_watch.JOIN_SECONDS, host_watch.joining),
    (
      host_watch.JOIN_SECONDS,
      lambda: hosts.start(coordinator="h:1", num_processes=2, process_id=1),
    ),
  ):
    with monkeypatch.context() as patch:
      patch.setenv(variable, "x")
      with pytest.raises(UserError, match=f"{variable} is 'x'"):
        wait()
