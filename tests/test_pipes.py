# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A reader that leaves early, such as `head`, ends no run."""


def test_lines_that_nobody_reads_end_nothing(run_unread):
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
  assert run_unread(code) == (0, "on it goes\n")
