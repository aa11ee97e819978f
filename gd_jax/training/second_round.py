# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A second round of generated texts: those on which students err most.

A corpus has more texts than students may see. Students of a first round learn
from some; of the others, those are taken on which teacher and students differ
most. The budget of texts is the same as without.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from gd_jax import checkpoints, devices
from gd_jax.data import batches, student_rows, vocabulary
from gd_jax.models import families
from gd_jax.training import distill_loop, losses, predict, student_setting

# The first round's folder under students/, and its arm.
FOLDER, ARM = "first_round", "gd"
# How many students it has. Not config.students.num_seeds, or one more seed
# would choose other texts and all students would be trained anew.
NUM_STUDENTS = 3


def choose(
  disputes: Float[np.ndarray, " N"], *, first: int, number: int
) -> Int[np.ndarray, " K"]:
  """`first` rows as they come, then the `number` most disputed later ones.

  Of equal ones, the earlier. In the order of the rows; fewer where there are
  no more.

  Args:
    disputes: Of each row.
    first: What the first round saw.
    number: What the second adds.
  """
  order = np.argsort(-disputes[first:], kind="stable")[:number]
  return np.concatenate([np.arange(first), first + np.sort(order)])


def disputes(
  setting: student_setting.Setting, rows: student_rows.StudentRows
) -> Float[np.ndarray, " M"]:
  """KL(teacher || student) at temperature 1 on each generated row, in nats.

  The mean over the students of `setting`, which are trained.
  """
  c, mesh = setting.config, devices.local_mesh()
  label_step = predict.make_label_step(families.build(setting.spec), mesh)
  arrays = batches.from_rows(_encoded(setting, rows.generated))
  found = [
    losses.kl(
      jnp.asarray(
        predict.predict_logits(
          label_step,
          checkpoints.load_params(setting.folder / ARM / str(seed)),
          arrays,
          num_classes=rows.num_classes,
          batch_size=distill_loop.EVAL_ROWS,
          mesh=mesh,
        )
      ),
      jnp.asarray(rows.generated_logits),
    )
    for seed in range(c.num_seeds)
  ]
  return np.mean(found, axis=0)


def _encoded(
  setting: student_setting.Setting, texts: Sequence[str]
) -> list[list[int]]:
  return vocabulary.encode(
    setting.vocabulary.tokenizer, texts, max_tokens=setting.config.max_tokens
  )
