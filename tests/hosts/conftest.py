# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Real processes on this machine in place of hosts; a run made tiny."""

import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# With configs/quickstart.py:quick a run takes seconds.
_TINY = {
  "students.arms": ("gold", "gd", "tfidf"),
  "students.num_seeds": 1,
  "students.embed_width": 16,
  "students.num_filters": 16,
  "students.num_blocks": 1,
  "corpus.num_texts": 60,
  "corpus.shard_rows": 8,
}


_QUICK_TO_COMPILE = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


@dataclasses.dataclass
class Hosts:
  """The processes of one command, and what they print."""

  processes: list[subprocess.Popen]
  logs: list[pathlib.Path]

  def wait(self, *, seconds: float = 400) -> list[int]:
    """Their exit codes; those that hang are ended, and the test fails."""
    due = time.monotonic() + seconds
    try:
      return [
        process.wait(max(0.1, due - time.monotonic()))
        for process in self.processes
      ]
    finally:
      for process in self.processes:
        process.kill()
        process.wait()

  def said(self, host: int) -> str:
    """All that a host has printed."""
    return self.logs[host].read_text()


@pytest.fixture
def start(tmp_path):
  """start(argv, number=, devices=, seconds=) -> Hosts: argv on each of them.

  They are told of each other by the environment; `devices` is how many each
  has, `seconds` how long it may be silent.
  """
  begun = []

  def start_all(argv, *, number, devices=1, seconds=60.0):
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      address = f"127.0.0.1:{free.getsockname()[1]}"
    logs, processes = [], []
    for host in range(number):
      flags = f"--xla_force_host_platform_device_count={devices}"
      environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": flags,
        "GD_JAX_HOST_SECONDS": str(seconds),
        # However slowly they are loaded: that is not what is measured.
        "GD_JAX_JOIN_SECONDS": "240",
        "GD_JAX_SAVE_SECONDS": "0.3",
        **_QUICK_TO_COMPILE,
      }
      if number > 1:
        environment |= {
          "JAX_COORDINATOR_ADDRESS": address,
          "JAX_NUM_PROCESSES": str(number),
          "JAX_PROCESS_ID": str(host),
        }
      logs.append(tmp_path / f"log{len(begun)}-{host}")
      with logs[-1].open("wb") as file:
        processes.append(
          subprocess.Popen(
            argv, cwd=ROOT, env=environment, stdout=file, stderr=file
          )
        )
    begun.append(Hosts(processes, logs))
    return begun[-1]

  yield start_all
  for group in begun:
    for process in group.processes:
      process.kill()
      process.wait()


@pytest.fixture
def trained(start):
  """trained(folder, until=, number=, devices=, fsdp=): what host 0 printed."""

  def train(folder, *, until, number=1, devices=1, fsdp=1):
    argv = [sys.executable, str(pathlib.Path(__file__).parent / "trainer.py")]
    argv += [f"--folder={folder}", f"--until={until}", f"--fsdp={fsdp}"]
    group = start(argv, number=number, devices=devices)
    codes = group.wait()
    assert codes == [0] * number, [group.said(k) for k in range(number)]
    return json.loads(group.said(0).strip().splitlines()[-1])

  return train


@pytest.fixture(scope="session")
def soak():
  """The module soak.py of the tests of faults."""
  path = ROOT / "tests" / "faults" / "soak.py"
  spec = importlib.util.spec_from_file_location("soak", path)
  assert spec is not None and spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope="session")
def command(soak, tiny_bert, tmp_path_factory):
  """command(workdir, phases=None) -> the command line of a tiny run."""
  cache = tmp_path_factory.mktemp("cache")

  def argv(workdir, phases=None):
    found = soak.command(
      workdir,
      bert=tiny_bert,
      cache=cache,
      config="configs/quickstart.py:quick",
      settings=_TINY,
    )
    return found + ([f"--phases={','.join(phases)}"] if phases else [])

  return argv


@pytest.fixture(scope="session")
def finished(command, tmp_path_factory):
  """A workdir in which one process has done every phase."""
  workdir = tmp_path_factory.mktemp("one") / "work"
  environment = os.environ | {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "",
    **_QUICK_TO_COMPILE,
  }
  ran = subprocess.run(
    command(workdir), cwd=ROOT, env=environment, capture_output=True, text=True
  )
  assert ran.returncode == 0, ran.stderr[-3000:]
  return workdir


@pytest.fixture
def up_to(finished, tmp_path):
  """up_to(phase) -> a new workdir that lacks `phase` and what follows it."""

  def copy(phase, name="work"):
    order = ("data", "teacher", "generator", "corpus", "soft_labels")
    order += ("students", "report")
    workdir = tmp_path / name
    workdir.mkdir()
    for each in order[: order.index(phase)]:
      shutil.copytree(finished / each, workdir / each)
    return workdir

  return copy
