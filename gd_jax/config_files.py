# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Config files for whoever has no command line."""

import contextlib
import copy
import difflib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import config_dict

import gd_jax
from gd_jax import failures
from gd_jax.errors import UserError

# Beside the package, where it is used from its clone.
_CLONE = pathlib.Path(gd_jax.__file__).resolve().parents[1]


def load(
  name: str | os.PathLike[str], fields: Mapping[str, Any] | None = None
) -> config_dict.ConfigDict:
  """The config of a file, as `--config=NAME` and `--config.FIELD=VALUE` give.

  Example:
    config = load("configs/trec.py:quick", {"students.num_seeds": 2})

  Args:
    name: FILE.py, perhaps with an argument behind a colon. A relative path is
      looked for in the current folder, then in the clone of the repository.
    fields: dotted names of fields, and their values.

  Returns:
    A locked config: fields can be set, but none can be added by a slip.

  Raises:
    UserError: there is no such file, argument or field, or the file gives no
      config, in one line.
  """
  name = os.fspath(name)
  path, colon, argument = name.partition(":")
  file = _find(pathlib.Path(path))
  require_python(file)
  spec = importlib.util.spec_from_file_location("_loaded_config", file)
  assert spec is not None and spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  try:
    with _neighbours_importable():
      spec.loader.exec_module(module)
      config = module.get_config(*([argument] if colon else []))
  except Exception as error:  # config files raise what they like
    raise UserError(f"{name}: {failures.one_line(error)}") from error
  if not isinstance(config, config_dict.ConfigDict):
    raise UserError(
      f"{name}: get_config() returns a {type(config).__name__}, which is no "
      "ml_collections.ConfigDict"
    )
  return with_fields(config, fields or {}, source="load_config")


def with_fields(
  config: config_dict.ConfigDict, fields: Mapping[str, Any], *, source: str
) -> config_dict.ConfigDict:
  """A locked copy of `config` with other values.

  Args:
    config: is left as it is.
    fields: dotted names and values.
    source: who says so, for the error.

  Raises:
    UserError: a field that the config does not have, or of the wrong type, or
      None where that can't be.
  """
  changed = copy.deepcopy(config)  # Fields still know if they can be None.
  with changed.unlocked():
    for name, value in fields.items():
      section, _, field = name.rpartition(".")
      target: Any = changed
      for part in section.split(".") if section else ():
        target = target.get(part) if _is_section(target) else None
      if not _is_section(target) or field not in target:
        near = difflib.get_close_matches(name, [*_names(changed)], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(
          f"{source} names a field the config lacks: {name}{hint}"
        )
      empties = value is None and target[field] is not None
      try:
        target[field] = value
      except TypeError as error:
        raise UserError(
          f"{source} can't set {name}={value!r}: {error}"
        ) from error
      if empties:
        require_emptiable(target, field, name=name)
  return changed.lock()


def require_emptiable(
  section: config_dict.ConfigDict, field: str, *, name: str
) -> None:
  """Raises UserError for a field that was set to None and can't be.

  Args:
    section: has the field, as it is now.
    field: without its section.
    name: with its section, for the error.
  """
  # A placeholder that is empty keeps its type, any other field takes None's.
  if section.get_type(field) is type(None):
    raise UserError(f"config.{name} can't be None")


def require(file: pathlib.Path) -> None:
  """Raises UserError with the nearest name if the config file is not there."""
  if file.is_file():
    return
  beside = [path.name for path in file.parent.glob("*.py")]
  near = difflib.get_close_matches(file.name, beside, n=1)
  hint = f"did you mean {file.parent / near[0]}?" if near else "check its path"
  raise UserError(f"there is no config file {file}: {hint}")


def require_python(file: pathlib.Path) -> None:
  """Raises UserError for a file that can't be imported by its name."""
  if file.suffix != ".py":
    raise UserError(f"{file} is no config file: its name ends in .py")


def _find(file: pathlib.Path) -> pathlib.Path:
  if not file.is_file() and not file.is_absolute():
    in_clone = _CLONE / file
    if in_clone.is_file():
      return in_clone
    if not file.parent.is_dir() and in_clone.parent.is_dir():
      require(in_clone)
  require(file)
  return file


@contextlib.contextmanager
def _neighbours_importable() -> Iterator[None]:
  """Config files import their neighbours as `configs.NAME`."""
  added = [
    folder for folder in (os.getcwd(), str(_CLONE)) if folder not in sys.path
  ]
  sys.path += added
  try:
    yield
  finally:
    for folder in added:
      sys.path.remove(folder)


def _is_section(value: Any) -> bool:
  return isinstance(value, config_dict.ConfigDict)


def _names(config: config_dict.ConfigDict, prefix: str = "") -> Iterator[str]:
  for name in config:
    yield prefix + name
    if _is_section(config.get(name)):
      yield from _names(config.get(name), f"{prefix}{name}.")
