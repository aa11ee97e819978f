# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The arms that are neural students: what each sees and what it is taught."""

import dataclasses

from gd_jax.training import distill


@dataclasses.dataclass(frozen=True)
class Arm:
  """What makes an arm; "hard" is the share of hard labels in a row's loss.

  Attributes:
    generated: Whether it sees generated rows.
    labelled_hard: On labelled rows; None: config.students.hard_weight.
    generated_hard: On generated rows.
    rules: Whether texts made by word rules take the place of generated ones.
  """

  generated: bool
  labelled_hard: float | None
  generated_hard: float = 0.0
  rules: bool = False

  def knobs(
    self,
    *,
    learning_rate: float,
    temperature: float,
    labelled_weight: float,
    hard_weight: float,
  ) -> distill.Knobs:
    """What a student of this arm is trained with."""
    hard = self.labelled_hard
    return distill.Knobs(
      learning_rate=learning_rate,
      temperature=temperature,
      labelled_weight=labelled_weight,
      labelled_hard=hard_weight if hard is None else hard,
      generated_hard=self.generated_hard,
    )


# gd differs from kd by generated rows; gd_hard from gd by their targets, and
# rules_kd by where the texts come from.
ARMS = {
  "gold": Arm(generated=False, labelled_hard=1.0),
  "kd": Arm(generated=False, labelled_hard=None),
  "rules_kd": Arm(generated=True, labelled_hard=None, rules=True),
  "gd_hard": Arm(generated=True, labelled_hard=None, generated_hard=1.0),
  "gd": Arm(generated=True, labelled_hard=None),
}
