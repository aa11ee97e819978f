# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A reader that leaves early, such as `head`, ends no run."""

import json
import os
import subprocess
import sys


def _run_unread(code, *arguments):
  """Runs `code` with a stdout that nobody reads; what it says on stderr."""
  reading, writing = os.pipe()
  os.close(reading)
  try:
    done = subprocess.run(
      [sys.executable, "-c", code, *arguments],
      stdout=writing,
      stderr=subprocess.PIPE,
      text=True,
      check=False,
    )
  finally:
    os.close(writing)
  return done.returncode, done.stderr


def test_lines_that_nobody_reads_end_nothing():
  # Dies if: the error is left to Python's flush at exit (code 120).
  code = """
import sys
from gd_jax import pipes
with pipes.reader_may_leave():
  print("a line\\n" * 100_000)
with pipes.reader_may_leave():
  print("another")
print("on it goes", file=sys.stderr)
"""
  assert _run_unread(code) == (0, "on it goes\n")


def test_a_table_that_nobody_reads_ends_nothing(make_results, tmp_path):
  # Dies if: rich ends the process, before the report's manifest is written.
  path = tmp_path / "results.json"
  path.write_text(json.dumps(make_results()))
  code = """
import json, sys
from gd_jax.reporting import table
results = json.load(open(sys.argv[1]))
table.print_results(results)
table.print_sweep([({"seed": 1}, results)])
print("on it goes", file=sys.stderr)
"""
  assert _run_unread(code, str(path)) == (0, "on it goes\n")
