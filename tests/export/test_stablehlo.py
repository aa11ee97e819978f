# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import numpy as np

from gd_jax.export import stablehlo
from gd_jax.models import families


def test_it_equals_the_student_at_every_batch_and_length(
  student, tokens, logits_of
):
  # Dies if: the mask is not made from the tokens.
  module, params = student
  made = jax.export.deserialize(
    bytearray(stablehlo.build(families.spec_of(module), params))
  )
  assert set(made.platforms) == {"cpu", "cuda", "tpu"}
  for some in (tokens, tokens[3:4, :3]):
    logits, probabilities = made.call(some)
    np.testing.assert_allclose(logits, logits_of(student, some), atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


def test_no_path_of_this_machine_is_in_it(student):
  # Dies if: source lines are kept.
  module, params = student
  made = stablehlo.build(families.spec_of(module), params)
  assert b".py" not in made
