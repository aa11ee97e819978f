# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Signs of life between hosts, and how one ends when another has.

A host that dies would leave the others in a collective for ever, or JAX would
abort them without a word to the user. So each writes a number into the
coordination service's store every second, and looks at the others'.
"""

import json
import os
import sys
import threading
import time
from typing import Any

import jax
from jax._src import distributed  # Its store can be had in no other way.

from gd_jax import aborts, environment, signals
from gd_jax.errors import UserError

# An environment variable: seconds without a sign of life until a host is given
# up, in place of _SECONDS.
SECONDS = "GD_JAX_HOST_SECONDS"
_SECONDS = 60.0
# Another: seconds that hosts have to come together, in place of the above.
JOIN_SECONDS = "GD_JAX_JOIN_SECONDS"
# The exit code where another host is gone or did not come: unlike bad input,
# the same command may do better. sysexits.h has it for such.
LOST = 75
_BEAT_SECONDS = 1.0
# How long a host that hears of another's end may take to end by itself.
_GRACE_SECONDS = 5.0
_ADVICE = (
  "look at its own output; the same command goes on from what was saved, on "
  "fewer hosts too"
)


def count() -> int:
  """How many hosts, that is processes, take part."""
  return distributed.global_state.num_processes or 1


def index() -> int:
  """This host's number, 0 .. count() - 1."""
  return distributed.global_state.process_id


def coordinator() -> str:
  """HOST:PORT at which host 0 keeps the store."""
  address = distributed.global_state.coordinator_address
  assert address is not None, "there are several hosts"
  return address


def silence() -> float:
  """Seconds without a sign of life after which a host is given up.

  Raises:
    UserError: The environment holds no number of them.
  """
  return environment.seconds(SECONDS, _SECONDS)


def joining() -> float:
  """Seconds within which all hosts have to have come.

  Raises:
    UserError: As for `silence`.
  """
  return environment.seconds(JOIN_SECONDS, silence())


def put(key: str, value: str) -> None:
  """Puts a value where all hosts can read it.

  Raises:
    jax.errors.JaxRuntimeError: Host 0 is gone, and the store with it.
  """
  _store().key_value_set(f"gd_jax/{key}", value, allow_overwrite=True)


def folder(key: str) -> dict[str, str]:
  """The values below `key`, by the last parts of their names.

  Raises:
    jax.errors.JaxRuntimeError: As for `put`.
  """
  found = _store().key_value_dir_get(f"gd_jax/{key}/")
  return {name.rpartition("/")[2]: value for name, value in found}


def _store() -> Any:
  return distributed.global_state.client


def gone(who: str, *, seconds: float = 0.0) -> UserError:
  """What is said of a host that is given up."""
  heard = f" for {seconds:.0f} s" if seconds else ""
  return UserError(
    f"{who} was not heard of{heard} and is given up: {_ADVICE}", exit_code=LOST
  )


def end_at_once(line: str, *, code: int) -> None:
  """Ends this process from any thread, whatever main waits for."""
  aborts.tell(line)
  os._exit(code)


def tell(line: str) -> None:
  """Prints why this process ends; of several threads the first one's line."""
  if count() == 1:
    print(f"gd-jax: {line}", file=sys.stderr)
  else:
    sys.stderr.flush()
    aborts.tell(line)


class _Watch(threading.Thread):
  """Gives this host's signs of life, and listens for the others'.

  A host that is silent for too long or says that it has ended ends this one,
  too: main gets some seconds to do so by itself, as from a barrier; where it
  hangs in a collective that will never end, the process is ended from here.
  A host that was asked to stop asks all.
  """

  def __init__(self):
    super().__init__(daemon=True)
    start = time.monotonic()
    self._beats = {str(host): ("", start) for host in range(count())}
    self._number = 0
    self.ended: dict[str, dict[str, Any]] = {}
    self.problem: UserError | None = None
    self.leaving = threading.Event()

  def run(self) -> None:
    while not self.leaving.wait(_BEAT_SECONDS):
      try:
        self._exchange()
        self.problem = self._find()
      except jax.errors.JaxRuntimeError:
        self.problem = gone("host 0")
      if self.problem and not self.leaving.wait(_GRACE_SECONDS):
        line, code = str(self.problem), self.problem.exit_code
        aborts.tell(line)
        last_words(line, code=code)
        linger(code)
        os._exit(code)

  def _exchange(self) -> None:
    self._number += 1
    put(f"alive/{index()}", str(self._number))
    now = time.monotonic()
    for host, beat in folder("alive").items():
      if self._beats[host][0] != beat:
        self._beats[host] = beat, now
    self.ended = {
      host: json.loads(text)
      for host, text in folder("ended").items()
      if host != str(index())
    }
    if signals.requested():
      put(f"stop/{index()}", "1")
    elif folder("stop"):
      signals.ask_to_stop()

  def _find(self) -> UserError | None:
    for host, said in self.ended.items():
      if said["code"] and not (said["stopped"] and signals.requested()):
        return UserError(
          f"host {host} has ended: {said['line']}",
          exit_code=LOST if said["code"] == LOST else 2,
        )
    now = time.monotonic()
    for host, (_, heard) in self._beats.items():
      if host not in self.ended and now - heard > silence():
        return gone(f"host {host}", seconds=now - heard)
    return None


_watch: _Watch | None = None


def begin() -> None:
  """From now on this host looks, and is seen."""
  global _watch
  _watch = _Watch()
  _watch.start()


def stop() -> None:
  """This host ends by itself, and no longer needs to be ended."""
  if _watch is not None:
    _watch.leaving.set()
    _watch.join(_GRACE_SECONDS)  # It would ask a store that is closed.


def problem() -> UserError | None:
  """Why this host can't go on: another's end."""
  return _watch.problem if _watch is not None else None


def has_any_ended() -> bool:
  """Whether a host has ended, for whatever reason."""
  return _watch is not None and bool(_watch.ended)


def explanation(error: Exception) -> UserError | None:
  """The `problem` behind an error of JAX's, waited for: None for no such.

  A collective breaks off before the host that left it is missed.
  """
  if not isinstance(error, jax.errors.JaxRuntimeError):
    return problem()
  due = time.monotonic() + silence() + 5 * _BEAT_SECONDS
  while _watch is not None and time.monotonic() < due:
    if _watch.problem:
      return _watch.problem
    time.sleep(0.1)
  return None


def last_words(line: str, *, code: int, stopped: bool = False) -> None:
  """Tells the other hosts that, and why, this one ends.

  Where it failed, the user was told.
  """
  if code:
    aborts.told()
  if _watch is not None:
    said = {"line": line, "code": code, "stopped": stopped}
    try:
      put(f"ended/{index()}", json.dumps(said))
    except jax.errors.JaxRuntimeError:
      return  # Nobody is left who would read it.


def linger(code: int) -> None:
  """Host 0 keeps the store until the others have read why it ends."""
  due = time.monotonic() + _GRACE_SECONDS + 5 * _BEAT_SECONDS
  try:
    if str(index()) not in folder("ended"):
      last_words(f"exit code {code}", code=code)
    while index() == 0 and time.monotonic() < due:
      if len(folder("ended")) == count():
        time.sleep(_BEAT_SECONDS)
        return
      time.sleep(0.1)
  except jax.errors.JaxRuntimeError:
    return
