# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The phases as functions, on real data and without a command line."""

import errno
import inspect
import os
import signal
import subprocess
import sys

import pytest
from etils import epath

import gd_jax
from gd_jax import api, pipeline, workdirs
from gd_jax.errors import UserError


@pytest.fixture
def config(tmp_path):
  return gd_jax.load_config(
    "configs/quickstart.py:quick", {"data.cache_dir": str(tmp_path / "cache")}
  )


def test_a_name_is_no_config(tmp_path):
  with pytest.raises(UserError, match=r"give gd_jax\.load_config\('a\.py'\)"):
    api.run("a.py", tmp_path)


def test_one_other_workdir_may_stand_alone(config, tmp_path):
  # Dies if: its letters are taken for workdirs.
  with pytest.raises(UserError, match=f"--reuse={tmp_path}/no: there is no"):
    api.run(config, tmp_path / "w", reuse=f"{tmp_path}/no", quiet=True)


def test_each_phase_has_its_function():
  # Dies if: a phase is added or renamed here alone.
  for name in pipeline.NAMES:
    function = getattr(api, name)
    assert inspect.isfunction(function) and name in api.__all__
    assert f"WORKDIR/{name}" in (function.__doc__ or "")


def test_importing_costs_nothing():
  # Dies if: gd_jax imports its pipeline, or `load` needs JAX.
  code = (
    "import sys, gd_jax; assert 'numpy' not in sys.modules;"
    "gd_jax.load; assert 'jax' not in sys.modules"
  )
  subprocess.run([sys.executable, "-c", code], check=True)
  assert gd_jax.run is api.run and gd_jax.api is api
  with pytest.raises(AttributeError, match="teach"):
    gd_jax.teach  # noqa: B018


def test_a_phase_keeps_to_its_manifest(config, tmp_path, capsys):
  # Dies if: a phase's function calls the phase itself, not the pipeline.
  workdir = tmp_path / "run"
  folder = api.data(config, workdir)
  assert folder == workdir / "data"
  made = os.stat(folder / "manifest.json").st_mtime_ns
  assert "done in" in capsys.readouterr().err
  api.data(config, workdir)
  assert "done already" in capsys.readouterr().err
  assert os.stat(folder / "manifest.json").st_mtime_ns == made
  config.data.seed = 7
  with pytest.raises(UserError, match=r"data.seed was 0 and is now 7"):
    api.data(config, workdir)
  api.data(config, workdir, redo=True, quiet=True)
  assert capsys.readouterr().err == ""
  api.data(config, tmp_path / "other", reuse=[workdir])
  assert "taken over" in capsys.readouterr().err


def test_a_phase_without_what_it_reads_is_one_line(config, tmp_path):
  with pytest.raises(UserError) as caught:
    api.corpus(config, tmp_path / "run")
  assert "\n" not in str(caught.value)


def test_two_at_once_are_refused(config, tmp_path):
  # Dies if: the lock is left out.
  workdir = epath.Path(tmp_path) / "run"
  with workdirs.lock(workdir), pytest.raises(UserError, match="in use"):
    api.data(config, workdir)


def test_one_name_may_stand_alone(monkeypatch, config, tmp_path):
  # Dies if: "data" is taken for the phases d, a, t and a.
  seen = {}
  monkeypatch.setattr(
    pipeline, "run", lambda *a, **options: seen.update(options)
  )
  gd_jax.run(config, tmp_path, phases="data", redo="data")
  assert (seen["phases"], seen["redo"]) == (["data"], ["data"])


@pytest.mark.parametrize(
  ("error", "expected"),
  [
    (OSError(errno.ENOSPC, "full", "f.json"), UserError),
    (UserError("mend it"), UserError),
    (ZeroDivisionError(), ZeroDivisionError),
    (KeyboardInterrupt(), KeyboardInterrupt),
  ],
)
def test_troubles_leave_the_caller_its_process(
  monkeypatch, config, tmp_path, error, expected
):
  # Dies if: handlers are installed, or a trouble ends the process.
  def fail(*args, **kwargs):
    raise error

  def leave(code):
    raise AssertionError("the process was left")

  monkeypatch.setattr(pipeline, "run", fail)
  monkeypatch.setattr(os, "_exit", leave)
  handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
  with pytest.raises(expected) as caught:
    gd_jax.run(config, tmp_path)
  assert [
    signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)
  ] == handlers
  if expected is UserError:
    assert "\n" not in str(caught.value)
