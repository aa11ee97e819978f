# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Numbers that environment variables give."""

import math
import os

from gd_jax.errors import UserError


def seconds(variable: str, default: float) -> float:
  """The seconds that an environment variable gives, else `default`.

  Raises:
    UserError: It holds no finite number above 0.
  """
  text = os.environ.get(variable)
  if text is None:
    return default
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not 0 < value < math.inf:
    raise UserError(
      f"the environment's {variable} is {text!r}, no number of seconds above 0"
    )
  return value
