# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The exceptions that a user is meant to read."""


class UserError(Exception):
  """Something the user can mend; `main` prints its one line and exits with 2.

  The text says what is wrong, where (file, line, field), and what to do.
  """

  def _render_traceback_(self) -> list[str]:
    """What a notebook shows of it: IPython asks, and leaves its own out."""
    return [f"gd-jax: {self}"]


class InUseError(UserError):
  """Another live process holds what this one asked for."""
