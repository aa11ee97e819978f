# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The arms that are neural students: what each sees and what it is taught."""

import dataclasses
from collections.abc import Iterable

from gd_jax.training import distill


@dataclasses.dataclass(frozen=True)
class Arm:
  """What makes an arm; "hard" is the share of hard labels in a row's loss.

  Attributes:
    texts: Which rows it sees beside labelled ones: "generated" ones, those made
      by word "rules", or "real" ones without labels; None: no others.
    labelled_hard: On labelled rows; None: config.students.hard_weight.
    generated_hard: On those others.
  """

  texts: str | None
  labelled_hard: float | None
  generated_hard: float = 0.0

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
# rules_kd and real_kd by where the texts come from.
ARMS = {
  "gold": Arm(None, labelled_hard=1.0),
  "kd": Arm(None, labelled_hard=None),
  "rules_kd": Arm("rules", labelled_hard=None),
  "real_kd": Arm("real", labelled_hard=None),
  "gd_hard": Arm("generated", labelled_hard=None, generated_hard=1.0),
  "gd": Arm("generated", labelled_hard=None),
}


def kinds(names: Iterable[str]) -> set[str]:
  """What texts the arms of these names see beside labelled ones."""
  found = {ARMS[name].texts for name in names if name in ARMS}
  return {kind for kind in found if kind is not None}
