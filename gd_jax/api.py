# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""For notebooks and scripts: the pipeline, and each phase by its name.

    from gd_jax import api
    config = api.load_config("configs/quickstart.py:quick")
    api.teacher(config, "runs/quick")   # this phase alone
    api.run(config, "runs/quick")       # all; what is done is skipped

Each call holds the workdir's lock and keeps to its manifests like the command
line: what is done already is skipped, what was made otherwise is refused.
Unlike the command line it leaves signals, warnings and logging to the caller.
An interrupt therefore stops at once; the same call goes on from the last save.
"""

import os
from collections.abc import Collection, Sequence
from typing import TypedDict, Unpack

import jax
from etils import epath

from gd_jax import devices, failures, hub, pipeline
from gd_jax.config_files import load as load_config
from gd_jax.errors import UserError
from gd_jax.progress import Progress
from gd_jax.recipes import Config

__all__ = [
  "corpus",
  "data",
  "export",
  "generator",
  "load_config",
  "report",
  "run",
  "soft_labels",
  "students",
  "teacher",
]

_KEPT = "jax_compilation_cache_dir"


class Options(TypedDict, total=False):
  """What each phase's function takes beside config and workdir.

  Attributes:
    redo: clear the phase first, with all that depends on it.
    reuse: other workdirs; a phase that is done there from the same config and
      inputs is taken over.
    quiet: print nothing.
  """

  redo: bool
  reuse: Sequence[epath.PathLike] | epath.PathLike
  quiet: bool


def run(
  config: Config,
  workdir: epath.PathLike,
  *,
  phases: Collection[str] | str | None = None,
  redo: Collection[str] | str = (),
  reuse: Sequence[epath.PathLike] | epath.PathLike = (),
  quiet: bool = False,
) -> epath.Path:
  """Runs the phases in order, each one only where it is not done already.

  Args:
    config: from `load_config`, or any config with a section per phase.
    workdir: where the artefacts lie or shall lie.
    phases: names of the only phases to run; None: all.
    redo: names of phases to clear first, with all that depends on them.
    reuse: other workdirs; a phase that is done there from the same config and
      inputs is taken over.
    quiet: print nothing.

  Returns:
    The workdir.

  Raises:
    UserError: anything the user can mend, in one line.
  """
  if isinstance(config, str | os.PathLike):
    raise UserError(
      f"{config} is a config's name: give gd_jax.load_config({str(config)!r})"
    )
  # Who has set a folder of their own keeps it.
  if getattr(jax.config, _KEPT) is None:
    devices.keep_compiled(str(hub.cache_dir() / "compiled"))
  try:
    return pipeline.run(
      config,
      workdir,
      phases=[phases] if isinstance(phases, str) else phases,
      redo=[redo] if isinstance(redo, str) else redo,
      reuse=[reuse] if isinstance(reuse, str | os.PathLike) else reuse,
      progress=Progress(quiet=quiet),
    )
  except Exception as error:
    explained = failures.as_user_error(error)
    if explained is None or explained is error:
      raise
    raise explained from error


def _phase(
  name: str,
  config: Config,
  workdir: epath.PathLike,
  *,
  redo: bool = False,
  reuse: Sequence[epath.PathLike] | epath.PathLike = (),
  quiet: bool = False,
) -> epath.Path:
  """Runs one phase alone and returns its folder."""
  again = [name] if redo else []
  there = run(
    config, workdir, phases=[name], redo=again, reuse=reuse, quiet=quiet
  )
  return there / name


def data(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Draws the labelled rows: WORKDIR/data."""
  return _phase("data", config, workdir, **options)


def teacher(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Finetunes BERT on the labelled rows: WORKDIR/teacher."""
  return _phase("teacher", config, workdir, **options)


def generator(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Finetunes GPT-2 on the text alone: WORKDIR/generator."""
  return _phase("generator", config, workdir, **options)


def corpus(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Draws new texts from the generator: WORKDIR/corpus."""
  return _phase("corpus", config, workdir, **options)


def soft_labels(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Writes the teacher's logits on the corpus: WORKDIR/soft_labels."""
  return _phase("soft_labels", config, workdir, **options)


def students(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Distils every arm and seed: WORKDIR/students."""
  return _phase("students", config, workdir, **options)


def report(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Scores all arms, draws the pictures and the page: WORKDIR/report."""
  return _phase("report", config, workdir, **options)


def export(
  config: Config, workdir: epath.PathLike, **options: Unpack[Options]
) -> epath.Path:
  """Writes a student for use without JAX: WORKDIR/export."""
  return _phase("export", config, workdir, **options)
