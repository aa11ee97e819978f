# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

from etils import epath

from gd_jax.sampling.sampler import Block, Row
from gd_jax.sampling.tally import Tally


def block(lengths, *, steps, seconds):
  rows = [Row(row_id=i, tokens=[1] * n, log_prob=-1.0) for i, n in lengths]
  return Block(rows=rows, steps=steps, seconds=seconds, slots=4)


# Dies if: a rate divides by the wrong sum, slots without a row count as used,
# or a second run forgets the first.
def test_sums_and_rates_over_blocks_and_runs(tmp_path):
  path = epath.Path(tmp_path) / "timing.json"
  first = Tally(path)
  first.add(block([(0, 3), (1, 5)], steps=4, seconds=2.0))
  first.write()
  second = Tally(path)
  second.add(block([(2, 4)], steps=2, seconds=1.0))
  assert second.summary() == {
    "rows": 3,
    "tokens": 12,
    "steps": 6,
    "slot_steps": 24,
    "seconds": 3.0,
    "rows_per_second": 1.0,
    "tokens_per_second": 4.0,
    "slot_use": 0.5,
  }
  assert second.rows == 3
  assert second.rates() == {
    "corpus/rows_per_second": 1.0,
    "corpus/tokens_per_second": 4.0,
    "corpus/slot_use": 0.5,
  }
  assert second.live() == {"tokens/s": "4", "slots in use": "50%"}


def test_nothing_drawn(tmp_path):
  summary = Tally(epath.Path(tmp_path) / "timing.json").summary()
  assert set(summary.values()) == {0}
