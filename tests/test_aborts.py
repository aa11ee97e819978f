# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""aborts: the last line of a process that JAX ends."""

import socket
import subprocess
import sys

import pytest

_CODE = (
  "import os; from gd_jax import aborts; "
  "aborts.explain('127.0.0.1:{port}', 'host 0 is gone', code=75); os.abort()"
)


# Dies if: the handler is not set, or does not look whether host 0 answers.
@pytest.mark.parametrize("answers", [True, False])
def test_an_abort_is_explained_where_host_0_is_gone(answers):
  with socket.socket() as server:
    server.bind(("127.0.0.1", 0))
    port = server.getsockname()[1]
    if answers:
      server.listen()
    else:
      server.close()
    ran = subprocess.run(
      [sys.executable, "-c", _CODE.format(port=port)],
      capture_output=True,
      text=True,
    )
  said = "gd-jax: host 0 is gone\n"
  assert (ran.returncode, said in ran.stderr) == (
    (-6, False) if answers else (75, True)
  )


_TWICE = """
import threading
from gd_jax import aborts
meeting = threading.Barrier(8)
def end(i):
  meeting.wait()
  aborts.tell(f"line {i}")
threads = [threading.Thread(target=end, args=(i,)) for i in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
"""


# Dies if: main and the thread that watches the hosts both say why it ends.
def test_of_several_threads_one_tells():
  ran = subprocess.run(
    [sys.executable, "-c", _TWICE], capture_output=True, text=True, check=True
  )
  assert ran.stderr.count("gd-jax: line") == 1
