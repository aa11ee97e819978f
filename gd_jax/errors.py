# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The exceptions that a user is meant to read."""


class UserError(Exception):
  """Something the user can mend; `main` prints its one line and exits.

  The text says what is wrong, where (file, line, field), and what to do.

  Attributes:
    exit_code: 2, but for what the same command may mend by itself.
  """

  def __init__(self, line: str = "", *, exit_code: int = 2):
    super().__init__(line)
    self.exit_code = exit_code

  def _render_traceback_(self) -> list[str]:
    """What a notebook shows of it: IPython asks, and leaves its own out."""
    return [f"gd-jax: {self}"]


class InUseError(UserError):
  """Another live process holds what this one asked for."""


def first_line(error: object) -> str:
  """The beginning of what a library's error says, for a line of our own."""
  return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
