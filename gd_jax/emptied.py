# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""--config.FIELD=None empties a field: else it would be read as text."""

import operator
from typing import Any

from absl import flags
from ml_collections import config_flags

from gd_jax import config_files


class _OrNone(flags.ArgumentParser):
  """As `parser`, but for None."""

  def __init__(self, parser: flags.ArgumentParser):
    self._parser = parser
    self.syntactic_help = parser.syntactic_help

  def parse(self, argument: Any) -> Any:
    return None if argument == "None" else self._parser.parse(argument)

  def flag_type(self) -> str:
    return self._parser.flag_type()


def allow() -> None:
  """From now on the fields of configs can be emptied."""
  for kind, parser in (
    (int, flags.IntegerParser()),
    (float, flags.FloatParser()),
    (str, flags.ArgumentParser()),
  ):
    config_flags.register_flag_parser_for_type(kind, _OrNone(parser))


def check(flag: Any) -> None:
  """Looks at the fields that were given, once they are parsed.

  Args:
    flag: The config's, of `absl.flags`.

  Raises:
    UserError: One is empty now that can't be.
  """
  if not flag.present:
    return
  for path, value in config_flags.get_override_values(flag).items():
    section, _, field = path.rpartition(".")
    parent = operator.attrgetter(section)(flag.value) if section else flag.value
    if value is None:
      config_files.require_emptiable(parent, field, name=path)
