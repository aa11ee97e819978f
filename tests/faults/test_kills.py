# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped or killed in every phase ends as if it never was.

The short draw; `soak.py` beside this file is the long one.
"""

import random
import signal

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def expected(soak, finished):
  return soak.contents(finished)


def _disturbed(soak, argv, workdir, log, *, number):
  """Disturbs one run once in each phase; returns where it was hit."""
  rng, hits = random.Random(0), []
  for phase in soak.LONG:
    delay = rng.uniform(0, 1.5)
    hit = soak.disturb(
      argv, workdir, phase=phase, delay=delay, log=log, number=number
    )
    hits += [hit] if hit else []
  soak.finish(argv, log)
  return hits


# Dies if: a file is used before it is whole (write_atomic without its rename),
# a loop loses its place, or a phase is taken for done without its manifest.
def test_killed_in_each_phase(soak, expected, tiny_command, tmp_path):
  workdir, log = tmp_path / "work", tmp_path / "log"
  hits = _disturbed(
    soak, tiny_command(workdir), workdir, log, number=signal.SIGKILL
  )
  assert len(hits) >= 3
  assert {hit["code"] for hit in hits} == {-signal.SIGKILL}
  assert soak.differences(soak.contents(workdir), expected) == []


# Dies if: a loop does not look for signals, or main forgets the exit code or
# the line that says how to go on.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_each_phase(soak, expected, tiny_command, tmp_path, number):
  workdir, log = tmp_path / "work", tmp_path / "log"
  hits = _disturbed(soak, tiny_command(workdir), workdir, log, number=number)
  assert len(hits) >= 3
  # One that came within the report's last moments lets it end.
  assert {hit["code"] for hit in hits} <= {128 + number, 0}
  said = log.read_text()
  stopped = sum(hit["code"] == 128 + number for hit in hits)
  assert said.count("the same command goes on from there") == stopped >= 3
  assert "Traceback" not in said
  assert soak.differences(soak.contents(workdir), expected) == []
