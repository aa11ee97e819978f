# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from docs import make_configs


def test_the_page_is_what_the_configs_say():
  # Dies if: a field, a comment or a value of configs/ changes and
  # `python docs/make_configs.py` is not run.
  assert make_configs.PAGE.read_text("utf-8") == make_configs.page()


def test_a_field_has_a_unit_and_says_when_to_change_it():
  source = (
    "def _data():\n  # [rows] Of a step. Change with memory.\n  c.n = 1\n"
  )
  fields = make_configs.read_fields(source)
  assert fields["data.n"] == ("n", "rows", "Of a step.", "Change with memory.")
  with pytest.raises(ValueError, match="n: "):
    make_configs.read_fields(source.replace("Change", "Use"))
