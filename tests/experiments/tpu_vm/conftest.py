# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A cloud in a folder, and the launcher in front of it."""

import dataclasses
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

_FOLDER = pathlib.Path(__file__).parents[3] / "experiments/tpu_vm"
_POD = ("--name=trec", "--zone=us-west4-a")
# A program in gd_jax.main's place: prints, and ends when it is told to.
_PROGRAM = """
trap 'echo saved; exit 143' TERM
echo "program $*"
while [ ! -e "$STAND_IN/end" ]; do sleep 0.02; done
exit "$(cat "$STAND_IN/end")"
"""


@dataclasses.dataclass(frozen=True)
class Cloud:
  """The folder behind the stand-in.

  Attributes:
    path: of that folder; what is in it, stand_in.py says.
    checkout: a small one of git's, with the launcher in it.
    environment: in which gcloud is the stand-in.
  """

  path: pathlib.Path
  checkout: pathlib.Path
  environment: dict[str, str]

  @property
  def launcher(self) -> pathlib.Path:
    return self.checkout / "experiments/tpu_vm/launch.py"

  def plan(self, **parts) -> None:
    """Says how it shall behave; see stand_in.py."""
    (self.path / "plan.json").write_text(json.dumps(parts))

  def calls(self) -> list[dict]:
    path = self.path / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]

  def verbs(self) -> list[str]:
    """The last word of each command that was called."""
    return [call["command"].split()[-1] for call in self.calls()]

  def home(self, worker: int = 0) -> pathlib.Path:
    return self.path / f"pods/trec/home-{worker}"

  def end_jobs(self, code: int) -> None:
    (self.path / "end").write_text(str(code))

  def launch(self, *argv: str, check: bool = True):
    """Calls launch.py to its end; it needs no packages, so it gets none."""
    done = subprocess.run(
      [sys.executable, "-S", str(self.launcher), *argv],
      env=self.environment,
      capture_output=True,
      text=True,
      timeout=300,
    )
    assert not check or done.returncode == 0, done.stderr
    return done

  def wait_for_state(self, state: str) -> str:
    """What `status` prints once all workers are in `state`."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
      out = self.launch("status", *_POD).stdout
      lines = [line for line in out.splitlines() if line.startswith("t1v")]
      if lines and all(f": {state}" in line for line in lines):
        return out
    raise AssertionError(f"never {state}: {out}")


def _commit(checkout: pathlib.Path) -> None:
  shutil.copytree(
    _FOLDER,
    checkout / "experiments/tpu_vm",
    ignore=shutil.ignore_patterns("__pycache__"),
  )
  (checkout / ".gitignore").write_text("__pycache__\n")
  who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
  for words in (
    ("init", "--quiet"),
    ("add", "."),
    (*who, "commit", "--quiet", "--message=all"),
  ):
    subprocess.run(["git", "-C", str(checkout), *words], check=True)


@pytest.fixture
def cloud(tmp_path, monkeypatch):
  if shutil.which("git") is None or sys.platform != "linux":
    pytest.skip("needs git, flock and /proc")
  checkout = tmp_path / "checkout"
  _commit(checkout)
  path = tmp_path / "cloud"
  (tmp_path / "bin").mkdir()
  path.mkdir()
  stand_in = pathlib.Path(__file__).with_name("stand_in.py")
  gcloud = tmp_path / "bin/gcloud"
  gcloud.write_text(
    f'#!/bin/sh\nexec "{sys.executable}" -S "{stand_in}" "$@"\n'
  )
  gcloud.chmod(0o755)
  (path / "program.sh").write_text(_PROGRAM)
  search = f"{gcloud.parent}:{os.environ['PATH']}"
  monkeypatch.setenv("PATH", search)
  monkeypatch.setenv("STAND_IN", str(path))
  yield Cloud(path, checkout, dict(os.environ))
  # Whatever a failed test left running ends by itself.
  (path / "end").write_text("0")


@pytest.fixture
def part(monkeypatch):
  """A module of the launcher by name."""
  monkeypatch.syspath_prepend(str(_FOLDER))
  return importlib.import_module
