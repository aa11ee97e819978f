# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: flags -> pipeline.run(config, workdir, phases).

Example:
  python -m gd_jax.main --config=configs/trec.py --workdir=runs/trec
"""

import logging
import os
import pathlib
import re
import shlex
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

# Said before JAX and its friends are imported, so that they keep quiet too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from absl import flags
from absl import logging as absl_logging
from etils import epath
from ml_collections import config_flags

from gd_jax import (
  command_flags,
  config_files,
  devices,
  emptied,
  failures,
  hosts,
  hub,
  pipeline,
  pipes,
  profiling,
  signals,
  sweeps,
  verifier,
  workdirs,
)
from gd_jax.errors import UserError
from gd_jax.planning import machines, plan
from gd_jax.progress import Progress

FLAGS = flags.FLAGS

emptied.allow()


def _define_config() -> flags.FlagHolder:
  try:
    return config_flags.DEFINE_config_file(
      "config", None, "A config file, perhaps with an argument: FILE.py:quick."
    )
  except flags.Error as error:  # this opens a --flagfile, before flags are read
    hosts.tell(failures.one_line(error).removeprefix("ERROR:: "))
    raise SystemExit(2) from error


_CONFIG = _define_config()
_WORKDIR = flags.DEFINE_string("workdir", None, "Where artefacts are kept.")
_PHASES = flags.DEFINE_list(
  "phases", None, f"Run only these, of {','.join(pipeline.NAMES)}."
)
_REDO = flags.DEFINE_list(
  "redo", [], "Clear these phases and all that depends on them, then run."
)
_REUSE = flags.DEFINE_multi_string(
  "reuse", [], "Take over from this workdir each phase that matches."
)
_SWEEP = flags.DEFINE_bool(
  "sweep", False, "Run every point of the config's sweep(add)."
)
_VERIFY = flags.DEFINE_bool(
  "verify", False, "Check every artefact of the workdir and stop."
)
_PROFILE = flags.DEFINE_string(
  "profile", None, "Write a trace of the run here, for xprof or TensorBoard."
)
_DRY_RUN = flags.DEFINE_bool(
  "dry_run", False, "Print what each phase would need and take, and stop."
)
_DEVICES = flags.DEFINE_string(
  "devices", "cpu", "With --dry_run: v5e-8, v4-8, h200, cpu and the like."
)
_DISTRIBUTED = flags.DEFINE_bool(
  "distributed", False, "Several hosts: those of this TPU pod or Slurm job."
)
_COORDINATOR = flags.DEFINE_string(
  "coordinator", None, "Several hosts: HOST:PORT of the first one."
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", None, "With --coordinator: how many hosts there are."
)
_PROCESS_ID = flags.DEFINE_integer(
  "process_id", None, "With --coordinator: this host's number, 0 the first."
)


def cli() -> None:
  """The console script `gd-jax`."""
  pipes.escape_unknown_characters()
  try:
    code = main()
  except Exception as error:
    if hosts.count() == 1:
      raise
    traceback.print_exc()
    hosts.last_words(
      f"{type(error).__name__}: {failures.one_line(error)}", code=1
    )
    code = 1
  hosts.leave(code)
  sys.exit(code)


def main() -> int:
  """Runs the command line in `sys.argv` and returns the exit code.

  0: done. 1: --verify found something. 2: bad input, said in one line. 75:
  another host is gone, likewise. 130, 143: stopped by Ctrl-C, SIGTERM; the
  same command goes on.
  """
  progress = Progress()
  if answer := command_flags.answer(FLAGS, sys.argv[1:]):
    with pipes.reader_may_leave():
      print(answer)
    return 0
  try:
    _parse(sys.argv)
    _keep_quiet()
    devices.keep_compiled(str(hub.cache_dir() / "compiled"))
    signals.install()
    hosts.start(
      automatic=_DISTRIBUTED.value,
      coordinator=_COORDINATOR.value,
      num_processes=_NUM_PROCESSES.value,
      process_id=_PROCESS_ID.value,
    )
    progress.quiet = not hosts.is_first()
    return _run(progress)
  except signals.Stopped:
    code = signals.exit_code()
    hosts.last_words("it was stopped", code=code, stopped=True)
    progress.say(
      "stopped; the same command goes on from there: "
      + shlex.join(_as_given(sys.argv))
      + _warned_of_redo()
    )
    return code
  except KeyboardInterrupt:
    return _complain(
      "interrupted at once; the same command goes on from the last save"
      f"{_warned_of_redo()}",
      code=130,
    )
  except Exception as error:
    # A collective breaks off when a host is gone.
    known = failures.as_user_error(error) or hosts.explanation(error)
    if known is None:
      raise
    return _complain(str(known), code=known.exit_code)


def _run(progress: Progress) -> int:
  assert _WORKDIR.value is not None, "_parse has looked"
  workdir = workdirs.place(_WORKDIR.value)
  if _VERIFY.value:
    return _verify(workdir, progress)
  if _DRY_RUN.value:
    return _plan(workdir)
  options = {
    "phases": _PHASES.value,
    "redo": _REDO.value,
    "reuse": [workdirs.place(other) for other in _REUSE.value],
    "progress": progress,
  }
  profile = _PROFILE.value and os.fspath(workdirs.place(_PROFILE.value))
  with profiling.trace(profile):
    if _SWEEP.value:
      file = _config_file()
      points = sweeps.points_of(file)
      sweeps.run(_CONFIG.value, points, workdir, **options)
    else:
      pipeline.run(_CONFIG.value, workdir, **options)
  return 0


def _verify(workdir: epath.Path, progress: Progress) -> int:
  problems = verifier.verify(workdir, phases=_PHASES.value, progress=progress)
  with pipes.reader_may_leave():
    for problem in problems:
      print(problem)
  if not problems:
    progress.say(f"{workdir}: what was looked at is as its manifests say")
  return 1 if problems else 0


def _plan(workdir: epath.Path) -> int:
  machine = machines.parse(_DEVICES.value)
  lines, texts = plan.make(_CONFIG.value, workdir, machine)
  with pipes.reader_may_leave():
    for line in plan.describe(lines, texts, machine):
      print(line)
  return 0


def _parse(argv: list[str]) -> None:
  # Config files import their neighbours as `configs.NAME`.
  sys.path.insert(0, os.getcwd())
  try:
    rest = FLAGS(argv)
    if FLAGS["config"].value is not None or FLAGS["config"].present:
      config_files.require(pathlib.Path(_config_file()))
    _ = _CONFIG.value  # a config that did not load raises only here
    emptied.check(FLAGS["config"])
  except UserError:
    raise
  except (AttributeError, KeyError) as error:
    if (file := _raised_in(error)) is not None:
      line = f"{file}: {type(error).__name__}: {failures.one_line(error)}"
      raise UserError(line) from error
    raise UserError(
      f"unknown config field: {failures.one_line(error)}"
    ) from error
  except Exception as error:  # config files raise what they like
    raise UserError(_wrong_with_config(error)) from error
  if len(rest) > 1:
    raise UserError(
      f"don't know what to do with {rest[1]!r}: flags are --NAME=VALUE"
    )
  if not _WORKDIR.value:
    raise UserError("--workdir is missing: say where artefacts shall be kept")
  if _CONFIG.value is None and not _VERIFY.value:
    raise UserError("--config is missing: try --config=configs/trec.py")
  command_flags.refuse_idle(FLAGS)


def _raised_in(error: Exception) -> str | None:
  """The config file whose own code has raised, or None."""
  frames = traceback.extract_tb(error.__traceback__)
  files = [frame.filename for frame in frames if frame.name == "get_config"]
  return files[0] if files else None


def _wrong_with_config(error: Exception) -> str:
  """One line on what absl, ml_collections or a config file has raised."""
  line = failures.one_line(error)
  if isinstance(error, SyntaxError):
    return f"{error.filename}, line {error.lineno}: {line}"
  named = re.match(r"flag --config=([^:]+): Error whilst parsing", str(error))
  if named and named[1] not in line:
    return f"{named[1]}: {line}"
  return line


def _config_file() -> str:
  """The config's file, without the argument behind the colon."""
  name = config_flags.get_config_filename(FLAGS["config"])
  return name.partition(":")[0]


def _keep_quiet() -> None:
  """Libraries speak only when something is wrong."""
  # Orbax logs errors with their tracebacks, and then raises them.
  absl_logging.set_verbosity(absl_logging.FATAL)
  logging.getLogger("asyncio").setLevel(logging.CRITICAL)
  sys.unraisablehook = _unraisable
  threading.excepthook = _in_a_thread
  for name in ("jax", "orbax", "flax", "tensorflow_datasets", "transformers"):
    logging.getLogger(name).setLevel(logging.ERROR)
  warnings.filterwarnings("ignore", category=DeprecationWarning)
  warnings.filterwarnings("ignore", category=FutureWarning)


def _unraisable(unraisable: Any) -> None:
  error = unraisable.exc_value
  # TensorStore's threads tell of writes to a loop that has given up on them.
  if not _says_full(error) and "loop is closed" not in str(error):
    sys.__unraisablehook__(unraisable)


def _in_a_thread(raised: threading.ExceptHookArgs) -> None:
  # TensorBoard's, whose queue is closed under it as the program leaves.
  is_left_behind = (
    raised.thread is not None
    and raised.thread.daemon
    and not threading.main_thread().is_alive()
  )
  if not is_left_behind and not _says_full(raised.exc_value):
    threading.__excepthook__(raised)


def _says_full(error: BaseException | None) -> bool:
  """Whether a writer that is closed at exit tells what was said before."""
  return isinstance(error, OSError) and error.errno in failures.FULL


def _as_given(argv: Sequence[str]) -> list[str]:
  """The command line that can be given again, in a shell without the venv."""
  if argv[0].endswith(".py"):  # python -m gd_jax.main
    return [sys.executable, "-m", "gd_jax.main", *argv[1:]]
  return [*argv]


def _warned_of_redo() -> str:
  redo = FLAGS["redo"].value if FLAGS.is_parsed() else None
  if not redo:
    return ""
  return (
    " (leave --redo out if it has begun to make them anew: it would remove"
    f" {', '.join(redo)} once more)"
  )


def _complain(line: str, *, code: int = 2) -> int:
  hosts.tell(line)
  hosts.last_words(line, code=code)
  return code


if __name__ == "__main__":
  cli()
