# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The lines that gcloud is called with, and what is said when one fails.

Flags are those of the Google Cloud CLI's general release (no alpha, no beta):
https://cloud.google.com/sdk/gcloud/reference/compute/tpus
"""

import contextlib
import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

_TPUS = ("gcloud", "compute", "tpus")
# Words of gcloud's messages -> what to do about it. The first that fits.
_ADVICE = {
  "NOT_FOUND": "see that --name, --zone and --project are right, or create it",
  "ALREADY_EXISTS": "take another --name, or delete the old one first",
  "PERMISSION_DENIED": "see that the account of `gcloud auth list` may use "
  "TPUs in this project, and that the API tpu.googleapis.com is enabled",
  "UNAUTHENTICATED": "run `gcloud auth login`",
  "gcloud auth login": "run `gcloud auth login`",
  "RESOURCE_EXHAUSTED": "ask for quota, or take another --zone or a smaller "
  "--accelerator_type",
  "Quota": "ask for quota, or take another --zone or a smaller "
  "--accelerator_type",
  "INVALID_ARGUMENT": "see what the zone has: `gcloud compute tpus tpu-vm "
  "accelerator-types list --zone=ZONE`",
  "unrecognized arguments": "update gcloud: `gcloud components update`",
  "Did not find existing container": "see that --workdir is right: nothing "
  "lies there",
}


class LaunchError(Exception):
  """One clear line: what is wrong and what to do.

  Attributes:
    word: the word of gcloud's message that says of what kind it is, as in
      `_ADVICE`; TIMEOUT; or empty.
  """

  def __init__(self, line: str, word: str = ""):
    super().__init__(line)
    self.word = word


@dataclasses.dataclass(frozen=True)
class Pod:
  """A queued resource and its one node, which go by the same name."""

  name: str
  zone: str
  project: str | None = None

  def where(self) -> list[str]:
    """The flags that say where it is."""
    project = [f"--project={self.project}"] if self.project else []
    return [f"--zone={self.zone}", *project]


@dataclasses.dataclass(frozen=True)
class Request:
  """What is asked for when a pod is created."""

  accelerator_type: str
  runtime_version: str
  spot: bool = True
  service_account: str | None = None
  network: str | None = None
  subnetwork: str | None = None
  valid_until_duration: str | None = None


def create(pod: Pod, request: Request) -> list[str]:
  """Puts a request into the queue."""
  optional = ("service_account", "network", "subnetwork")
  given = {
    name.replace("_", "-"): getattr(request, name)
    for name in (*optional, "valid_until_duration")
  }
  return [
    *(*_TPUS, "queued-resources", "create", pod.name),
    *(f"--node-id={pod.name}", *pod.where()),
    f"--accelerator-type={request.accelerator_type}",
    f"--runtime-version={request.runtime_version}",
    *(["--spot"] if request.spot else []),
    *(f"--{name}={value}" for name, value in given.items() if value),
    "--quiet",
  ]


def describe(pod: Pod) -> list[str]:
  """Tells the state of the request."""
  where = (*pod.where(), "--format=json", "--quiet")
  return [*_TPUS, "queued-resources", "describe", pod.name, *where]


def describe_node(pod: Pod) -> list[str]:
  """Tells the state of the node, and its workers' addresses."""
  where = (*pod.where(), "--format=json", "--quiet")
  return [*_TPUS, "tpu-vm", "describe", pod.name, *where]


def delete(pod: Pod) -> list[str]:
  """Deletes the request and the node."""
  where = (*pod.where(), "--force", "--quiet")
  return [*_TPUS, "queued-resources", "delete", pod.name, *where]


def ssh(pod: Pod, command: str, *, worker: str = "all") -> list[str]:
  """Has the workers' shells run `command`, at the same time."""
  what = (f"--worker={worker}", f"--command={command}", "--quiet")
  return [*_TPUS, "tpu-vm", "ssh", pod.name, *pod.where(), *what]


def scp(pod: Pod, file: str) -> list[str]:
  """Copies a file into the home folder of every worker."""
  what = (*pod.where(), "--worker=all", "--quiet")
  return [*_TPUS, "tpu-vm", "scp", file, f"{pod.name}:", *what]


def rsync(source: str, target: str) -> list[str]:
  """Copies what is new or has changed below `source`."""
  return ["gcloud", "storage", "rsync", source, target, "--recursive"]


@dataclasses.dataclass(frozen=True)
class Shell:
  """Calls programs, or only prints their lines.

  Attributes:
    dry_run: print what would be called, so that it can be pasted.
  """

  dry_run: bool = False

  def run(
    self,
    command: Sequence[str],
    *,
    timeout: float | None = None,
    echo: bool = False,
  ) -> str:
    """Calls a program and returns what it printed; "" in a dry run.

    Args:
      command: its name and arguments.
      timeout: seconds after which it is killed.
      echo: show what it prints while it runs.

    Raises:
      LaunchError: it is not there, failed, or took too long.
    """
    if self.dry_run:
      print(shlex.join(command), flush=True)
      return ""
    _require(command[0])
    code, out, err = _call(command, timeout, echo)
    if code:
      raise _failure(command, code, err or out)
    return out

  def json(self, command: Sequence[str], *, timeout: float = 120.0) -> Any:
    """The same for a program that answers in JSON; {} in a dry run."""
    answer = self.run(command, timeout=timeout)
    try:
      return json.loads(answer or "{}")
    except ValueError as error:
      line = shlex.join(command)
      raise LaunchError(f"`{line}` did not answer in JSON: {error}") from error

  def show(self, command: Sequence[str]) -> int:
    """Calls a program on this terminal and returns its exit code."""
    if self.dry_run:
      self.run(command)
      return 0
    _require(command[0])
    return subprocess.call(command)


def _require(program: str) -> None:
  if shutil.which(program) is None:
    help_ = {
      "gcloud": "install the Google Cloud CLI (https://cloud.google.com/sdk/"
      "docs/install), then run `gcloud init`"
    }
    advice = help_.get(program, "install it")
    raise LaunchError(f"{program} is not on PATH: {advice}")


def _call(
  command: Sequence[str], timeout: float | None, echo: bool
) -> tuple[int, str, str]:
  process = subprocess.Popen(
    command,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    encoding="utf-8",
    errors="replace",
    # gcloud is a shell script around Python around ssh: one group to kill.
    start_new_session=True,
  )
  kept: tuple[list[str], list[str]] = ([], [])

  def drain(pipe, lines: list[str]) -> None:
    for line in pipe:
      lines.append(line)
      if echo:
        print(line, end="", file=sys.stderr, flush=True)

  pipes = (process.stdout, process.stderr)
  threads = [
    threading.Thread(target=drain, args=each, daemon=True)
    for each in zip(pipes, kept, strict=True)
  ]
  for thread in threads:
    thread.start()
  try:
    code = process.wait(timeout)
  except BaseException as error:
    # It may have ended just now.
    with contextlib.suppress(ProcessLookupError):
      os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if isinstance(error, subprocess.TimeoutExpired):
      raise LaunchError(
        f"{_short(command)} had not ended after {timeout:.0f} s", "TIMEOUT"
      ) from error
    raise
  for thread in threads:
    thread.join()
  return code, "".join(kept[0]), "".join(kept[1])


def _failure(command: Sequence[str], code: int, text: str) -> LaunchError:
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  # What follows it is help: how to search for flags, links.
  errors = [line for line in lines if line.startswith("ERROR:")]
  last = [*lines, *errors][-1] if lines else "it said nothing"
  last = re.sub(r"^ERROR: (\([\w.-]+\) )?", "", last).rstrip(".")
  word = next((word for word in _ADVICE if word in last), "")
  advice = _ADVICE.get(word, "with --dry_run you see its line, to try by hand")
  line = f"{_short(command)} failed (exit code {code}): {last}: {advice}"
  return LaunchError(line, word)


def _short(command: Sequence[str]) -> str:
  return " ".join(word for word in command[:5] if not word.startswith("-"))
