# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sees to it that a job ends, though its machines be taken away.

It looks, decides by what it sees alone, and acts; so it can itself be stopped
and started again at any time. The workdir in the bucket is what makes the
same command go on where the last one was cut off.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

import gcloud
import look
import workers
from gcloud import LaunchError, Pod, Request, Shell
from workers import Worker

# Asked again, the answer would be the same.
_FINAL = (
  "GAVE_UP",
  "REFUSED",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
  "gcloud auth login",
  "INVALID_ARGUMENT",
  "unrecognized arguments",
)
_GONE = ("FAILED", "SUSPENDED")
# gd_jax.main's code for input that has to be mended.
_REFUSED = 2


@dataclasses.dataclass(frozen=True)
class Patience:
  """How often and how long things are tried.

  Attributes:
    attempts: how often something may go wrong before it gives up.
    poll_seconds: between two looks.
    backoff_seconds: before the first repair; doubled for each that follows
      at once, up to an hour. Longer than the 90 s after which the lease that
      a killed run has left in its workdir is void: before, the next one would
      refuse to start.
    grace_polls: looks for which workers may be out of reach, or some of them
      have ended while others go on.
  """

  attempts: int = 50
  poll_seconds: float = 60.0
  backoff_seconds: float = 120.0
  grace_polls: int = 10


@dataclasses.dataclass
class Budget:
  """Counts what goes wrong, and waits the longer the more of it there is."""

  patience: Patience
  sleep: Callable[[float], None]
  say: Callable[[str], None]
  spent: int = 0
  streak: int = 0

  def spend(self, why: str) -> None:
    """Waits before the next attempt.

    Raises:
      LaunchError: there is none.
    """
    self.spent += 1
    if self.spent > self.patience.attempts:
      raise LaunchError(
        f"gave up after {self.patience.attempts} attempts: {why}. What was "
        "saved is kept: the same command goes on from there",
        "GAVE_UP",
      )
    doubled = self.patience.backoff_seconds * 2.0 ** min(self.streak, 30)
    delay = min(doubled, 3600.0)
    self.streak += 1
    self.say(
      f"{why}: attempt {self.spent} of {self.patience.attempts} to mend it, "
      f"in {delay:.0f} s"
    )
    self.sleep(delay)


def decide(seen: look.Seen, job: str) -> str:
  """What to do: the name of an action of `watch`.

  Args:
    seen: what a look found.
    job: the digest of what is to run.
  """
  if not seen.state:
    return "create"
  if seen.state in _GONE:
    return "recreate"
  if seen.state != "ACTIVE":  # It is coming or going.
    return "wait"
  if seen.node in look.NODE_GONE:
    return "recreate"
  if seen.workers is None:
    return "reach"
  states = {worker.state for worker in seen.workers}
  if "running" in states:
    return _decide_running(seen.workers, job)
  if states & {"no_setup", "setup_failed"}:
    return "setup"
  ours = [worker for worker in seen.workers if worker.job == job]
  if not ours:
    return "start"
  codes = {
    worker.exit_code if worker.job == job else None for worker in seen.workers
  }
  if codes == {0}:
    return "done"
  # One that refuses for its own reasons, as that another is gone, is not it.
  return "refused" if codes == {_REFUSED} else "restart"


def _decide_running(found: Sequence[Worker], job: str) -> str:
  running = [worker for worker in found if worker.state == "running"]
  if any(worker.job != job for worker in running):
    return "occupied"
  rest = [worker for worker in found if worker.state != "running"]
  # They end together, more or less; one that failed leaves others waiting.
  is_well = all(
    (worker.job, worker.state, worker.exit_code) == (job, "ended", 0)
    for worker in rest
  )
  return "wait" if is_well else "torn"


def watch(
  shell: Shell,
  pod: Pod,
  request: Request,
  *,
  archive: pathlib.Path,
  arguments: Sequence[str],
  patience: Patience,
  sleep: Callable[[float], None] = time.sleep,
  say: Callable[[str], None] = print,
) -> None:
  """Creates, sets up, runs, and all of it again, until the job has ended.

  Args:
    shell: calls gcloud.
    pod: which; it may exist already, and the job may be running.
    request: what to ask for whenever there is none.
    archive: the code, by `source.pack`.
    arguments: of gd_jax.main.
    patience: how often and how long things are tried.
    sleep: waits so many seconds.
    say: prints a line.

  Raises:
    LaunchError: the job refused its input, or it was tried often enough.
  """
  job = workers.job_of(arguments)
  acts: dict[str, Callable[[], object]] = {
    "create": lambda: shell.run(gcloud.create(pod, request)),
    "setup": lambda: workers.setup(shell, pod, archive),
    "start": lambda: workers.start(shell, pod, arguments),
    "recreate": lambda: _recreate(shell, pod, request),
    "restart": lambda: workers.start(shell, pod, arguments),
    "torn": lambda: _restart_all(shell, pod, arguments),
  }
  budget, odd_looks, told = Budget(patience, sleep, say), 0, ""
  while True:
    try:
      seen = look.look(shell, pod)
      action = decide(seen, job)
      line = f"{pod.name}: {look.tell(seen)}"
      if line != told:
        say(line)
        told = line
      if action == "done":
        return
      if action in _DEAD_ENDS:
        raise LaunchError(f"{line}: {_DEAD_ENDS[action]}", "REFUSED")
      odd_looks = odd_looks + 1 if action in ("torn", "reach") else 0
      if action == "wait" or 0 < odd_looks <= patience.grace_polls:
        if action == "wait" and seen.workers:
          budget.streak = 0
        sleep(patience.poll_seconds)
        continue
      if action == "reach":
        raise LaunchError(f"{line}: {_UNREACHED}", "GAVE_UP")
      if action in _REPAIRS:
        budget.spend(f"{line}: {_REPAIRS[action]}")
      acts[action]()
      odd_looks = 0
    except LaunchError as error:
      if error.word in _FINAL:
        raise
      budget.spend(str(error))


def plan(
  shell: Shell,
  pod: Pod,
  request: Request,
  *,
  archive: pathlib.Path,
  arguments: Sequence[str],
) -> None:
  """In a dry run: the lines that `watch` may come to call."""
  print("# First:")
  shell.run(gcloud.create(pod, request))
  print("# Every now and then, the last two once it is ACTIVE:")
  look.plan(shell, pod)
  print("# Once it is ACTIVE:")
  workers.setup(shell, pod, archive)
  workers.start(shell, pod, arguments)
  print("# After a pre-emption, and then all of it again:")
  _recreate(shell, pod, request)


def _recreate(shell: Shell, pod: Pod, request: Request) -> None:
  shell.run(gcloud.delete(pod))
  shell.run(gcloud.create(pod, request))


def _restart_all(shell: Shell, pod: Pod, arguments: Sequence[str]) -> None:
  workers.stop(shell, pod)
  workers.start(shell, pod, arguments)


_REPAIRS = {
  "recreate": "it is gone, and is created anew",
  "restart": "the job has not ended well, and is started again",
  "torn": "some workers go on without the others; all are started again",
}
_DEAD_ENDS = {
  "refused": "mend what it says, then give the command again",
  "occupied": "that is another job; end it by `launch.py stop`, or watch it "
  "by its own command",
}
_UNREACHED = (
  "its workers can't be reached, though the job may well be running; see that "
  "`launch.py status` works from here, then watch again"
)
