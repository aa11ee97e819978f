# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from gd_jax.training import second_round

DISPUTES = np.array([9.0, 0.1, 0.5, 0.2, 0.5, 0.7])


# Dies if: the least disputed are taken, a row of the first round is taken
# twice, or of equal ones a later one goes before.
def test_the_most_disputed_are_chosen():
  choose = second_round.choose
  assert choose(DISPUTES, first=1, number=2).tolist() == [0, 2, 5]
  assert choose(DISPUTES, first=2, number=3).tolist() == [0, 1, 2, 4, 5]
  assert choose(DISPUTES, first=0, number=0).tolist() == []
  assert choose(DISPUTES, first=5, number=3).tolist() == [*range(6)]
