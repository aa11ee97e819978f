# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several hosts make what one makes, and one goes on where they died."""

import signal
import sys
import time

import numpy as np
import pytest

from gd_jax import host_watch, verifier
from gd_jax.data import logits

pytestmark = pytest.mark.slow


def _drawn(workdir):
  return {
    path.name: path.read_bytes()
    for path in sorted((workdir / "corpus").glob("*.jsonl"))
    if path.name != "metrics.jsonl"
  }


def _require_same_labels(workdir, expected):
  for path in sorted((expected / "soft_labels").glob("*.safetensors")):
    ids, values = logits.load_logits(workdir / "soft_labels" / path.name)
    want_ids, want = logits.load_logits(path)
    np.testing.assert_array_equal(ids, want_ids)
    np.testing.assert_allclose(values, want, atol=1e-5)


# Dies if: a row's randomness depends on its host or device, a host draws
# another's shards, or nobody draws those of host 1.
@pytest.mark.parametrize(("number", "devices"), [(2, 2), (4, 1), (1, 8)])
def test_corpus_and_soft_labels_are_those_of_one(
  start, command, finished, up_to, number, devices
):
  workdir = up_to("corpus")
  phases = ("corpus", "soft_labels")
  group = start(command(workdir, phases), number=number, devices=devices)
  assert group.wait() == [0] * number, group.said(0)
  assert len(_drawn(finished)) > 8
  assert _drawn(workdir) == _drawn(finished)
  _require_same_labels(workdir, finished)
  if number > 1:
    assert group.said(1).count("done in") == 0, "host 0 alone tells"
  assert not list(workdir.glob("*/written*.json"))


# Dies if: host 1's students are lost, trained by both, or written by it.
@pytest.mark.parametrize("number", [2, 4])
def test_all_phases_by_several_hosts(
  start, command, finished, tmp_path, number
):
  workdir = tmp_path / "work"
  group = start(command(workdir), number=number)
  assert group.wait() == [0] * number, group.said(0) + group.said(1)
  for phase in ("data", "teacher", "generator", "corpus", "students", "report"):
    assert (workdir / phase / "manifest.json").exists()
  students = {p.parent for p in workdir.glob("students/*/*/manifest.json")}
  assert {p.relative_to(workdir) for p in students} == {
    p.parent.relative_to(finished)
    for p in finished.glob("students/*/*/manifest.json")
  }
  assert not (workdir / "students" / "unfinished").exists()


# Seconds of silence after which the others give a host up.
_SILENCE = 10


def _kill_in(phase, group, *, victim, delay):
  """Kills a host `delay` seconds into `phase`, and waits for the other's end.

  Returns:
    Whether it had not ended by then.
  """
  while f"] {phase}\n" not in group.said(0):
    assert group.processes[0].poll() is None, group.said(0) + group.said(1)
    time.sleep(0.02)
  time.sleep(delay)
  group.processes[victim].kill()
  codes = group.wait()
  assert codes[victim] in (-signal.SIGKILL, 0), group.said(victim)
  return codes[victim] != 0


# Dies if: the survivor hangs (no `_Watch`), or dies by JAX's abort alone (no
# `aborts`); what host 1 wrote is taken for unproven (no journal of its own); or
# a host that has nothing left to do is waited for (no `_open_devices`).
@pytest.mark.parametrize(
  "phase", ["teacher", "generator", "corpus", "soft_labels", "students"]
)
def test_killed_in_each_phase_one_process_goes_on(
  start, command, finished, up_to, phase
):
  workdir = up_to(phase)
  argv = command(workdir, [phase])
  for victim, delay in ((1, 0.0), (0, 0.5)):
    group = start(argv, number=2, seconds=_SILENCE)
    if not _kill_in(phase, group, victim=victim, delay=delay):
      assert delay, "it has ended within 20 ms"
      continue
    survivor = 1 - victim
    code = group.processes[survivor].returncode
    assert code == host_watch.LOST, group.said(survivor)
    lines = group.said(survivor).splitlines()
    said = [line for line in lines if line.startswith("gd-jax: ")]
    assert len(said) == 1, lines
    assert f"host {victim} was not heard of" in said[0]
    assert "the same command goes on" in said[0]
  one = start(argv, number=1)
  assert one.wait() == [0], one.said(0)
  assert (workdir / phase / "manifest.json").exists()
  assert verifier.verify(workdir) == []
  if phase == "corpus":
    assert _drawn(workdir) == _drawn(finished)
  if phase == "soft_labels":
    _require_same_labels(workdir, finished)


# Dies if: only the host that hears the signal stops, or they stop at steps of
# their own.
def test_one_hosts_signal_stops_all(start, soak, command, tmp_path):
  workdir = tmp_path / "work"
  argv = [*command(workdir), "--config.teacher.min_steps=100000"]
  group = start(argv, number=2)
  while "step" not in soak.where(workdir)[1] or not list(
    workdir.glob("teacher/resume/[0-9]*")
  ):
    assert group.processes[0].poll() is None, group.said(0)
    time.sleep(0.05)
  group.processes[1].send_signal(signal.SIGTERM)
  assert group.wait() == [128 + signal.SIGTERM] * 2, group.said(1)
  assert group.said(0).count("the same command goes on from there") == 1
  assert "Traceback" not in group.said(0) + group.said(1)


# Dies if: the token is not compared.
def test_a_workdir_of_ones_own_is_refused(start, command, tmp_path):
  argv = command(tmp_path / "work")
  code = (
    "import os, sys; from gd_jax import main; "
    "sys.argv[1:] = [a + os.environ['JAX_PROCESS_ID'] if a.startswith("
    "'--workdir') else a for a in sys.argv[1:]]; main.cli()"
  )
  group = start([sys.executable, "-c", code, *argv[3:]], number=2)
  assert group.wait() == [2, 2], group.said(0)
  for host in (0, 1):
    assert "is not the same on all hosts" in group.said(host)
    assert group.said(host).count("gd-jax: ") == 1
