# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several hosts in one run: who leads, who waits for whom.

The part of `devices` that is about processes, in a file of its own for its
length. Every host runs the same command; `jax.distributed` joins them. Host 0
alone runs the pipeline, and calls the others to the phases that are for all.
What they have to tell each other stands in the key-value store of JAX's own
coordination service, which host 0 keeps; `host_join` brings them together,
`host_watch` looks who is alive.
"""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator

import jax
from etils import epath

from gd_jax import atomic, host_watch, signals
from gd_jax.errors import UserError
from gd_jax.host_join import start
from gd_jax.host_watch import (
  count,
  explanation,
  folder,
  index,
  last_words,
  problem,
  tell,
)

__all__ = ["count", "explanation", "index", "last_words", "start", "tell"]

# A disk shared by network shows a new file late.
_SHARED_SECONDS = 15.0
_END = "end"


def is_first() -> bool:
  """Whether this is host 0, which alone writes what is not shared out."""
  return index() == 0


def barrier(name: str) -> None:
  """Waits until every host is at the barrier `name`, while all are alive.

  Raises:
    UserError: A host is gone; names the barrier, the seconds and the mend.
    signals.Stopped: All were asked to stop, and one has.
  """
  if count() > 1:
    key = _numbered(f"barrier/{name}")
    _put(f"{key}/{index()}", "1", name=name)
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
    _put(f"{_numbered('call')}/0", name, name=name)


def agree(name: str, value: str) -> str:
  """Host 0's `value`, on all hosts.

  Raises:
    UserError, signals.Stopped: As for `barrier`.
  """
  if count() == 1:
    return value
  key = _numbered(f"agree/{name}")
  if is_first():
    _put(f"{key}/0", value, name=name)
  return _heard(key, name)


def require_shared(workdir: epath.Path) -> None:
  """All hosts look whether they see the same `workdir`.

  Raises:
    UserError: One does not.
  """
  if count() == 1:
    return
  key, look = _numbered("workdir"), "the look at the workdir"
  if is_first():
    token = secrets.token_hex(16)
    file = workdir / f".shared-{token}{atomic.TEMPORARY}"
    file.write_text(token)
    _put(f"{key}/token/0", token, name=look)
  token = _heard(f"{key}/token", look)
  file = workdir / f".shared-{token}{atomic.TEMPORARY}"
  due = time.monotonic() + (0 if is_first() else _SHARED_SECONDS)
  while not (seen := _holds(file, token)) and time.monotonic() < due:
    time.sleep(0.2)
  _put(f"{key}/seen/{index()}", "yes" if seen else "no", name=look)
  _wait(look, lambda: len(folder(f"{key}/seen")) == count())
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
    except UserError as error:
      host_watch.end_at_once(str(error), code=error.exit_code)
    except signals.Stopped:
      host_watch.end_at_once("stopped at the very end", code=2)
    host_watch.stop()
    try:
      jax.distributed.shutdown()
    except jax.errors.JaxRuntimeError:
      # One was killed behind the last barrier: nothing is lost by it, but JAX
      # would complain once more at exit.
      sys.stdout.flush()
      sys.stderr.flush()
      os._exit(0)
    return
  host_watch.stop()
  host_watch.linger(code)
  # Not `sys.exit`: JAX would wait for hosts that are gone.
  os._exit(code)


def _put(key: str, value: str, *, name: str) -> None:
  """Puts a value for the barrier `name`.

  Raises:
    UserError: Host 0 is gone, and the store with it.
  """
  try:
    host_watch.put(key, value)
  except jax.errors.JaxRuntimeError as error:
    why = problem() or host_watch.gone("host 0")
    raise UserError(
      f"at the barrier {name!r}: {why}", exit_code=why.exit_code
    ) from error


def _wait(name: str, is_over: Callable[[], bool]) -> None:
  pause = 0.01
  while True:
    why = problem()
    try:
      if is_over():
        return
    except jax.errors.JaxRuntimeError:
      why = why or host_watch.gone("host 0")
    if why:
      raise UserError(
        f"at the barrier {name!r}: {why}", exit_code=why.exit_code
      )
    if signals.requested() and host_watch.has_any_ended():
      raise signals.Stopped
    time.sleep(pause)
    pause = min(2 * pause, 0.5)


def _heard(key: str, name: str) -> str:
  """What host 0 has put below `key`."""
  _wait(name, lambda: bool(folder(key)))
  return folder(key)["0"]


_numbers: dict[str, int] = {}


def _numbered(name: str) -> str:
  """The key of this use of `name`, the same on all hosts."""
  _numbers[name] = _numbers.get(name, 0) + 1
  return f"{name}/{_numbers[name]}"
