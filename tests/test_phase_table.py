# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from configs import common
from gd_jax import phase_table


# Dies if: a phase comes before one that it reads.
def test_each_phase_reads_earlier_ones():
  before = set()
  for phase in phase_table.PHASES:
    assert before.issuperset(phase.reads)
    assert set(phase.reads).issuperset(phase.follows)
    before.add(phase.name)


@pytest.mark.parametrize("phase", phase_table.PHASES, ids=lambda p: p.name)
def test_all_its_fields_are_there(phase):
  # Dies if: a field is misspelt, and so decides nothing or refuses nothing.
  config = common.get_config("trec")
  names = [*phase.also, *phase.grows, phase.model, phase.texts, phase.reading]
  names += [f"{phase.name}.{field}" for field in phase.free]
  for name in filter(None, names):
    section = config
    *path, last = name.split(".")
    for part in path:
      section = section[part]
    assert last in section, name
