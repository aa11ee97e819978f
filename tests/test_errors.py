# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
from gd_jax.errors import UserError


def test_a_notebook_shows_the_line_alone():
  # Dies if: IPython finds no such method, and prints the whole stack.
  assert UserError("mend it")._render_traceback_() == ["gd-jax: mend it"]
