# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one exception that a user is meant to read."""


class UserError(Exception):
  """Something the user can mend; `main` prints its one line and exits with 2.

  The text says what is wrong, where (file, line, field), and what to do.
  """
