# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is asked of all workers at once, and their answers.

worker.sh says what an answer looks like. Every worker's is required: that
gcloud ended well is no proof that all were reached.
"""

import base64
import binascii
import dataclasses
import hashlib
import pathlib
import re
import shlex
from collections.abc import Sequence

import gcloud
from gcloud import LaunchError, Pod, Shell

_SCRIPT = "gd_jax/experiments/tpu_vm/worker.sh"
_ANSWER = re.compile(
  r"^gd_jax-worker (\S+) (\S+) (\S+) (\S+) (\S+)$", re.MULTILINE
)
# Before setup there is no worker.sh that could answer.
_STATUS = (
  f"if [ -e {_SCRIPT} ]; then bash {_SCRIPT} status; "
  'else echo "gd_jax-worker $(hostname) no_setup - - LQ=="; fi'
)
# The code of a running job is not taken away under it: it holds the lock.
_UNPACK = (
  "mkdir -p gd_jax_job && if flock --nonblock gd_jax_job/lock rm -rf gd_jax; "
  "then mkdir gd_jax && tar -xzf gd_jax.tar.gz -C gd_jax && "
  f"bash {_SCRIPT} setup; "
  'else echo "gd_jax-worker $(hostname) running - - LQ=="; fi'
)
_SETUP_SECONDS = 1800.0
_SECONDS = 420.0


@dataclasses.dataclass(frozen=True)
class Worker:
  """One worker's answer.

  Attributes:
    host: its name; ends in its number.
    state: no_setup, setup_failed, setup_done, ready (nothing was run),
      started, running, ended, or lost (it died without an exit code).
    job: digest of the arguments of what was run last; "-": nothing was.
    exit_code: where ended or setup_failed.
    last_line: of the log.
  """

  host: str
  state: str
  job: str = "-"
  exit_code: int | None = None
  last_line: str = ""


def job_of(arguments: Sequence[str]) -> str:
  """The digest by which worker.sh knows a command."""
  text = "".join(f"{argument}\n" for argument in arguments)
  return hashlib.sha256(text.encode()).hexdigest()[:12]


def parse(output: str) -> list[Worker]:
  """The answers in what gcloud passed on, by host."""
  found = []
  for host, state, job, code, last in _ANSWER.findall(output):
    try:
      line = base64.b64decode(last).decode(errors="replace").strip()
    except binascii.Error:
      line = ""
    exit_code = int(code) if code.isdecimal() else None
    line = "" if line == "-" else line
    found.append(Worker(host, state, job, exit_code, line))
  return sorted(found, key=lambda worker: _number(worker.host))


def _number(host: str) -> tuple[int, str]:
  digits = re.search(r"(\d+)$", host)
  return int(digits[1]) if digits else 0, host


def count_of(node: dict) -> int:
  """How many workers a described node has."""
  return len(node.get("networkEndpoints", []))


def setup(shell: Shell, pod: Pod, archive: pathlib.Path) -> None:
  """Installs what is in `archive` on all workers.

  Raises:
    LaunchError: not all of them are done.
  """
  expected = count_of(shell.json(gcloud.describe_node(pod)))
  copy = gcloud.scp(pod, str(archive))
  shell.run(copy, timeout=_SETUP_SECONDS, echo=True)
  install = gcloud.ssh(pod, _UNPACK)
  output = shell.run(install, timeout=_SETUP_SECONDS, echo=True)
  if not shell.dry_run:
    _require_all(parse(output), expected, "setup_done")


def start(shell: Shell, pod: Pod, arguments: Sequence[str]) -> None:
  """Starts gd_jax.main with `arguments` on all workers.

  Raises:
    LaunchError: not all of them have started it.
  """
  expected = count_of(shell.json(gcloud.describe_node(pod)))
  command = f"bash {_SCRIPT} start {shlex.join(arguments)}"
  output = shell.run(gcloud.ssh(pod, command), timeout=_SECONDS)
  if not shell.dry_run:
    _require_all(parse(output), expected, "started")


def status(shell: Shell, pod: Pod) -> list[Worker]:
  """Every worker's answer, of those that could be reached."""
  return parse(shell.run(gcloud.ssh(pod, _STATUS), timeout=_SECONDS))


def stop(shell: Shell, pod: Pod) -> list[Worker]:
  """Has the job save and end; returns the answers after that."""
  command = f"bash {_SCRIPT} stop"
  return parse(shell.run(gcloud.ssh(pod, command), timeout=_SECONDS))


def logs(pod: Pod, *, worker: str, lines: int, follow: bool) -> list[str]:
  """The line that shows a worker's log."""
  how = "-F " if follow else ""
  command = f"tail -n {lines} {how}gd_jax_job/log"
  return gcloud.ssh(pod, command, worker=worker)


def describe(worker: Worker) -> str:
  """An answer in words."""
  code = "" if worker.exit_code is None else f", exit code {worker.exit_code}"
  last = f": {worker.last_line}" if worker.last_line else ""
  return f"{worker.host}: {worker.state.replace('_', ' ')}{code}{last}"


_REFUSALS = {
  "running": "a job is running there: stop it first, by `launch.py stop`",
  "no_setup": "run `launch.py setup` first",
  "setup_failed": "see what it printed above",
}


def _require_all(found: list[Worker], expected: int, state: str) -> None:
  wrong = [worker for worker in found if worker.state != state]
  if wrong:
    advice = _REFUSALS.get(wrong[0].state, "see `launch.py status`")
    raise LaunchError(f"{describe(wrong[0])}: {advice}")
  if len(found) != expected or not found:
    raise LaunchError(
      f"{len(found)} of {expected} workers answered: run it again, or see "
      "`launch.py status`"
    )
