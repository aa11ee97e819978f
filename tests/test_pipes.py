# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Neither a reader that leaves nor an encoding too small ends a run."""

import os
import subprocess
import sys


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


def test_what_an_encoding_lacks_is_escaped():
  # Dies if: a letter that ASCII lacks ends the run that prints it.
  code = """
from gd_jax import pipes
pipes.escape_unknown_characters()
print("58.1 \u00b1 2.1")
"""
  done = subprocess.run(
    [sys.executable, "-c", code],
    stdout=subprocess.PIPE,
    env={**os.environ, "PYTHONIOENCODING": "ascii"},
    check=True,
  )
  assert done.stdout == b"58.1 \\xb1 2.1\n"
