# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables in a README, between marks that scripts find again."""

import pathlib

NOT_RUN = "not run"


def in_markdown(lines: list[list[str]]) -> str:
  """A table whose first line is its head."""
  lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
  return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def fill(readme: pathlib.Path, name: str, lines: list[list[str]]) -> None:
  """Puts a table between the marks of `name` in a README."""
  begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
  before, rest = readme.read_text().split(begin)
  _, after = rest.split(end)
  readme.write_text(before + begin + in_markdown(lines) + end + after)
