# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Many runs of one config: each point of `sweep(add)` in a folder of its own.

A config file may define, beside `get_config`,

    def sweep(add):
      for temperature in (1.0, 2.0, 4.0):
        add(**{"students.temperature": temperature})

Points share whatever they have in common: a phase that another point has done
from the same config and inputs is taken over, so ten students never cost ten
teachers.
"""

import hashlib
import importlib.util
import pathlib
import re
from collections.abc import Collection, Sequence
from typing import Any

from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, config_checks, config_files, hosts, pipeline
from gd_jax.errors import UserError
from gd_jax.progress import Progress
from gd_jax.reporting import sweep_figure, table

Point = dict[str, Any]

_MAX_NAME_LENGTH = 100


def points_of(config_file: str) -> list[Point]:
  """The points that the `sweep(add)` of a config file adds, in order.

  Raises:
    UserError: the file has no `sweep`, or it adds nothing, or is no Python.
  """
  config_files.require_python(pathlib.Path(config_file))
  spec = importlib.util.spec_from_file_location("_swept_config", config_file)
  assert spec is not None and spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  points: list[Point] = []
  try:
    spec.loader.exec_module(module)
    if hasattr(module, "sweep"):
      module.sweep(lambda **overrides: points.append(overrides))
  except Exception as error:  # a config file's code raises what it likes
    raise UserError(
      f"the sweep of {config_file}: {type(error).__name__}: {error}; each point"
      " is add(**{'students.temperature': 2.0})"
    ) from error
  if not points:
    what = "adds no point" if hasattr(module, "sweep") else "is not there"
    raise UserError(
      f"{config_file}: its sweep {what}: define sweep(add) beside get_config,"
      " and call add(**{'students.temperature': 2.0}) for each point"
    )
  return points


def folder_name(point: Point) -> str:
  """A folder name for a point, the same wherever it stands in the sweep."""
  plain = ",".join(f"{name}={value}" for name, value in sorted(point.items()))
  safe = re.sub(r"[^A-Za-z0-9._=,-]+", "_", plain).strip("._") or "base"
  if safe == plain and len(safe) <= _MAX_NAME_LENGTH:
    return safe
  tag = hashlib.sha256(plain.encode("utf-8")).hexdigest()[:8]
  return f"{safe[:_MAX_NAME_LENGTH]}-{tag}"


def apply(config: config_dict.ConfigDict, point: Point) -> Any:
  """A locked copy of `config` with `point`'s fields.

  Raises:
    UserError: as for `config_files.with_fields`.
  """
  return config_files.with_fields(config, point, source="the sweep")


def run(
  config: config_dict.ConfigDict,
  points: Sequence[Point],
  workdir: epath.PathLike,
  *,
  phases: Collection[str] | None = None,
  redo: Collection[str] = (),
  reuse: Sequence[epath.PathLike] = (),
  progress: Progress | None = None,
) -> list[epath.Path]:
  """Runs the pipeline at every point, then shows all in a table and a plot.

  Args:
    config: what all points share.
    points: each a dict of dotted field names and values.
    workdir: holds a folder per point.
    phases: as for `pipeline.run`.
    redo: as for `pipeline.run`.
    reuse: as for `pipeline.run`; earlier points are added to it.
    progress: as for `pipeline.run`.

  Returns:
    The points' workdirs, in order.
  """
  progress = progress or Progress()
  workdir = epath.Path(workdir)
  folders = [workdir / folder_name(point) for point in points]
  configs = [apply(config, point) for point in points]
  for point_config in configs:  # all of them before the first begins
    config_checks.check(point_config)
  for number, (folder, point_config) in enumerate(
    zip(folders, configs, strict=True), start=1
  ):
    progress.say(f"point {number}/{len(points)}: {folder.name}")
    # What is to be redone is not taken over from points that are still to be.
    known = folders[: number - 1] if redo else folders
    others = [
      other for other in known if other != folder and pipeline.is_workdir(other)
    ]
    pipeline.run(
      point_config,
      folder,
      phases=phases,
      redo=redo,
      reuse=[*reuse, *others],
      progress=progress,
    )
  if not hosts.is_first():
    return folders
  results = [
    (point, artefacts.read_json(folder / "report" / "results.json"))
    for point, folder in zip(points, folders, strict=True)
    if (folder / "report" / "results.json").exists()
  ]
  artefacts.write_json(
    workdir / "sweep.json",
    [{"point": point, "results": result} for point, result in results],
  )
  if results:
    sweep_figure.write(results, workdir)
    table.print_sweep(results)
    progress.say(f"the sweep as a plot: {workdir / 'sweep.svg'}, sweep.png")
  return folders
