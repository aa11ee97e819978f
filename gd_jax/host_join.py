# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a host comes to the others, and what it says where it can't.

The beginning of `hosts`: by flags or the environment, by a TPU pod or Slurm.
"""

import os
import socket
import threading
import time

import jax

from gd_jax import aborts, host_watch
from gd_jax.errors import UserError, first_line


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
    UserError: Something is missing, the others can't be reached, or this
      host's devices can't be used.
  """
  coordinator = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
  if coordinator is None and not automatic:
    if num_processes is not None or process_id is not None:
      raise UserError(
        "--num_processes and --process_id do nothing without "
        "--coordinator=HOST:PORT: add it"
      )
    return
  if num_processes is None:
    num_processes = _number("JAX_NUM_PROCESSES")
  if process_id is None:
    process_id = _number("JAX_PROCESS_ID")
  if not automatic:
    _check(coordinator, num_processes, process_id)
    assert coordinator is not None, "_check has looked"
    if process_id:
      _reach(coordinator)
  jax.config.update("jax_cpu_collectives_implementation", "gloo")
  # It would take SIGTERM for itself, and `signals` then hears nothing.
  jax.config.update("jax_enable_preemption_service", False)
  patience, seconds = host_watch.joining(), host_watch.silence()
  giving_up = threading.Timer(patience, _nobody_came, [coordinator, patience])
  giving_up.daemon = True
  giving_up.start()
  try:
    jax.distributed.initialize(
      coordinator,
      num_processes,
      process_id,
      # Ours come first: JAX ends the process without a word to the user.
      initialization_timeout=int(2 * patience + 30),
      heartbeat_timeout_seconds=int(3 * seconds + 60),
      shutdown_timeout_seconds=int(seconds),
    )
  except (ValueError, RuntimeError) as error:
    raise UserError(
      f"the hosts could not be joined ({first_line(error)}): give "
      "--coordinator=HOST:PORT --num_processes=N --process_id=I, or on a TPU "
      "pod or under Slurm --distributed"
    ) from error
  finally:
    giving_up.cancel()
  if host_watch.count() > 1:
    host_watch.begin()
    gone = host_watch.gone("host 0")
    aborts.explain(host_watch.coordinator(), str(gone), code=gone.exit_code)
    _open_devices()


def _number(variable: str) -> int | None:
  """The value of an environment variable, None where there is none."""
  value = os.environ.get(variable)
  if value is not None and not value.isdigit():
    raise UserError(f"the environment's {variable} is {value!r}, no number")
  return None if value is None else int(value)


def _open_devices() -> None:
  """Opens all hosts' devices at once: each waits there for all others.

  Later, one may have something to compute where another, whose part an earlier
  run has done, has not and waits at a barrier.
  """
  try:
    jax.devices()
  except RuntimeError as error:
    if why := host_watch.problem():
      raise UserError(
        f"before the devices were open: {why}", exit_code=why.exit_code
      ) from error
    raise UserError(
      f"the devices can't be used ({first_line(error)})"
    ) from error


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
  host = host.strip("[]")  # Of an IPv6 address.
  start, patience = time.monotonic(), host_watch.joining()
  while True:
    try:
      socket.create_connection((host, int(port)), timeout=5).close()
      return
    except OSError as error:
      if time.monotonic() - start > patience:
        raise UserError(
          f"host 0 does not answer at {coordinator} after {patience:.0f} s "
          f"({first_line(error)}): start it, or mend --coordinator",
          exit_code=host_watch.LOST,
        ) from error
      time.sleep(0.2)


def _nobody_came(coordinator: str | None, patience: float) -> None:
  host_watch.end_at_once(
    f"not all hosts joined at {coordinator or 'the coordinator'} within "
    f"{patience:.0f} s: start the same command on every host, each with its "
    f"own --process_id, or raise {host_watch.JOIN_SECONDS}",
    code=host_watch.LOST,
  )
