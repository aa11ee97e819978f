# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several hosts in one run: who leads, who waits for whom.

The part of `devices` that is about processes, in a file of its own for its
length. Every host runs the same command; `jax.distributed` joins them. Host 0
alone runs the pipeline, and calls the others to the phases that are for all.
What they have to tell each other stands in the key-value store of JAX's own
coordination service, which host 0 keeps; `host_watch` looks who is alive.
"""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator

import jax
from etils import epath

from gd_jax import aborts, atomic, host_watch, signals
from gd_jax.errors import UserError
from gd_jax.host_watch import (
  SECONDS,
  count,
  explanation,
  folder,
  index,
  last_words,
  put,
  silence,
)

__all__ = ["count", "explanation", "index", "last_words"]

# A disk shared by network shows a new file late.
_SHARED_SECONDS = 15.0
_END = "end"


def is_first() -> bool:
  """Whether this is host 0, which alone writes what is not shared out."""
  return index() == 0


def start(
  *,
  automatic: bool = False,
  coordinator: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> None:
  """Joins the other hosts, before any use of a device; alone it does nothing.

  Args:
    automatic: Ask the TPU pod or Slurm who takes part.
    coordinator: HOST:PORT of host 0; else JAX_COORDINATOR_ADDRESS says it.
    num_processes: How many; else JAX_NUM_PROCESSES.
    process_id: Which this is; else JAX_PROCESS_ID.

  Raises:
    UserError: Something is missing, or the others can't be reached.
  """
  environment = os.environ
  coordinator = coordinator or environment.get("JAX_COORDINATOR_ADDRESS")
  if coordinator is None and not automatic:
    return
  if num_processes is None and "JAX_NUM_PROCESSES" in environment:
    num_processes = int(environment["JAX_NUM_PROCESSES"])
  if process_id is None and "JAX_PROCESS_ID" in environment:
    process_id = int(environment["JAX_PROCESS_ID"])
  if not automatic:
    _check(coordinator, num_processes, process_id)
    assert coordinator is not None, "_check has looked"
    if process_id:
      _reach(coordinator)
  jax.config.update("jax_cpu_collectives_implementation", "gloo")
  # It would take SIGTERM for itself, and `signals` then hears nothing.
  jax.config.update("jax_enable_preemption_service", False)
  seconds = silence()
  giving_up = threading.Timer(seconds, _nobody_came, [coordinator])
  giving_up.daemon = True
  giving_up.start()
  try:
    jax.distributed.initialize(
      coordinator,
      num_processes,
      process_id,
      # Ours come first: JAX ends the process without a word to the user.
      initialization_timeout=int(2 * seconds + 30),
      heartbeat_timeout_seconds=int(3 * seconds + 60),
      shutdown_timeout_seconds=int(seconds),
    )
  except (ValueError, RuntimeError) as error:
    raise UserError(
      f"the hosts could not be joined ({_line(error)}): give --coordinator="
      "HOST:PORT --num_processes=N --process_id=I, or on a TPU pod or under "
      "Slurm --distributed"
    ) from error
  finally:
    giving_up.cancel()
  if count() > 1:
    host_watch.begin()
    aborts.explain(host_watch.coordinator(), host_watch.gone("host 0"))


def _check(
  coordinator: str | None, num_processes: int | None, process_id: int | None
) -> None:
  if num_processes is None or process_id is None:
    raise UserError(
      "--coordinator also needs --num_processes=N and --process_id=I, or the "
      "environment's JAX_NUM_PROCESSES and JAX_PROCESS_ID"
    )
  if not 0 <= process_id < num_processes:
    raise UserError(
      f"--process_id={process_id}: {num_processes} hosts are numbered 0 to "
      f"{num_processes - 1}"
    )
  name, colon, port = (coordinator or "").rpartition(":")
  if not (name and colon and port.isdigit()):
    raise UserError(
      f"--coordinator={coordinator}: it is the HOST:PORT of host 0"
    )


def _reach(coordinator: str) -> None:
  """Waits for host 0 to listen: JAX would end the process without a line."""
  host, _, port = coordinator.rpartition(":")
  start = time.monotonic()
  while True:
    try:
      socket.create_connection((host, int(port)), timeout=5).close()
      return
    except OSError as error:
      if time.monotonic() - start > silence():
        raise UserError(
          f"host 0 does not answer at {coordinator} after {silence():.0f} s "
          f"({_line(error)}): start it, or mend --coordinator"
        ) from error
      time.sleep(0.2)


def _nobody_came(coordinator: str | None) -> None:
  host_watch.end_at_once(
    f"not all hosts joined at {coordinator or 'the coordinator'} within "
    f"{silence():.0f} s: start the same command on every host, each with its "
    f"own --process_id, or raise {SECONDS}"
  )


def barrier(name: str) -> None:
  """Waits until every host is at the barrier `name`, while all are alive.

  Raises:
    UserError: A host is gone; names the barrier, the seconds and the mend.
    signals.Stopped: All were asked to stop, and one has.
  """
  if count() > 1:
    key = _numbered(f"barrier/{name}")
    put(f"{key}/{index()}", "1")
    _wait(name, lambda: len(folder(key)) == count())


@contextlib.contextmanager
def leading(workdir: epath.Path) -> Iterator[None]:
  """Host 0 leads: until the end, the others wait for its `calls`.

  Raises:
    UserError: One of them does not see `workdir`.
  """
  require_shared(workdir)
  yield
  _call(_END)


@contextlib.contextmanager
def together(name: str | None) -> Iterator[None]:
  """Host 0 calls the others to the work `name`, and waits for their end of it.

  None: they have no part in it.
  """
  if name is None or count() == 1:
    yield
    return
  _call(name)
  yield
  barrier(f"the end of {name}")


def calls(workdir: epath.Path) -> Iterator[str]:
  """The names of the works that host 0 calls the others to.

  Raises:
    UserError, signals.Stopped: As for `barrier`.
  """
  require_shared(workdir)
  while (name := _heard(_numbered("call"), "the next phase")) != _END:
    yield name
    barrier(f"the end of {name}")


def _call(name: str) -> None:
  if count() > 1:
    put(f"{_numbered('call')}/0", name)


def agree(name: str, value: str) -> str:
  """Host 0's `value`, on all hosts.

  Raises:
    UserError, signals.Stopped: As for `barrier`.
  """
  if count() == 1:
    return value
  key = _numbered(f"agree/{name}")
  if is_first():
    put(f"{key}/0", value)
  return _heard(key, name)


def require_shared(workdir: epath.Path) -> None:
  """All hosts look whether they see the same `workdir`.

  Raises:
    UserError: One does not.
  """
  if count() == 1:
    return
  key = _numbered("workdir")
  if is_first():
    token = secrets.token_hex(16)
    file = workdir / f".shared-{token}{atomic.TEMPORARY}"
    file.write_text(token)
    put(f"{key}/token/0", token)
  token = _heard(f"{key}/token", "the look at the workdir")
  file = workdir / f".shared-{token}{atomic.TEMPORARY}"
  due = time.monotonic() + (0 if is_first() else _SHARED_SECONDS)
  while not (seen := _holds(file, token)) and time.monotonic() < due:
    time.sleep(0.2)
  put(f"{key}/seen/{index()}", "yes" if seen else "no")
  _wait(
    "the look at the workdir", lambda: len(folder(f"{key}/seen")) == count()
  )
  blind = [h for h, said in folder(f"{key}/seen").items() if said == "no"]
  if is_first():
    file.unlink(missing_ok=True)
  if blind:
    raise UserError(
      f"the workdir {workdir} is not the same on all hosts (host "
      f"{', '.join(sorted(blind))} does not see what host 0 writes there): "
      "choose a --workdir in a bucket (gs://...) or on a disk that all share"
    )


def _holds(file: epath.Path, token: str) -> bool:
  try:
    return file.read_text() == token
  except OSError:
    return False


def leave(code: int) -> None:
  """The last call of a process; does not return where it or hosts failed."""
  if count() == 1:
    return
  if not code:
    try:
      # Nobody is missed from here on: all have done their work.
      last_words("all is done", code=0)
      barrier("the end")
    except (UserError, signals.Stopped) as error:
      host_watch.end_at_once(str(error) or "stopped at the very end")
    host_watch.stop()
    jax.distributed.shutdown()
    return
  host_watch.stop()
  host_watch.linger(code)
  # Not `sys.exit`: JAX would wait for hosts that are gone.
  os._exit(code)


def _wait(name: str, is_over: Callable[[], bool]) -> None:
  pause = 0.01
  while True:
    problem = host_watch.problem()
    try:
      if is_over():
        return
    except jax.errors.JaxRuntimeError:
      problem = problem or host_watch.gone("host 0")
    if problem:
      raise UserError(f"at the barrier {name!r}: {problem}")
    if signals.requested() and host_watch.has_any_ended():
      raise signals.Stopped
    time.sleep(pause)
    pause = min(2 * pause, 0.5)


def _heard(key: str, name: str) -> str:
  """What host 0 has put below `key`."""
  _wait(name, lambda: bool(folder(key)))
  return folder(key)["0"]


def _line(error: Exception) -> str:
  return str(error).strip().split("\n", 1)[0][:200]


_numbers: dict[str, int] = {}


def _numbered(name: str) -> str:
  """The key of this use of `name`, the same on all hosts."""
  _numbers[name] = _numbers.get(name, 0) + 1
  return f"{name}/{_numbers[name]}"
