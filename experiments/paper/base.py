# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the sweeps of this folder share: a task's own config, and its draws."""

import importlib

from ml_collections import config_dict

# Those whose training files have enough rows that a draw leaves over.
CEILINGS = ("trec", "sst2", "ag_news")
TASKS = ("trec", "sst2", "ag_news", "dbpedia")
# A task with students.left_out=nearest, which became the default when the first
# draws had been run: a row of its own beside that of None.
NEAREST = "_nearest"


def get_config(task: str, **students: object) -> config_dict.ConfigDict:
  """The unlocked config of `task` with these fields of config.students.

  DBPedia's labelled rows here are 100 a class and no more, so that draws of 100
  would be one draw: its draws have 80. "dbpedia_100" is the run with all.
  With NEAREST at the end of its name, a task has students.left_out=nearest,
  else None.

  Raises:
    ValueError: another task.
  """
  drawn = task.removesuffix(NEAREST)
  name = drawn.removesuffix("_100")
  if name not in TASKS or drawn not in (*TASKS, "dbpedia_100"):
    raise ValueError(
      f"name a task, as in FILE.py:trec; {task!r} is none of {', '.join(TASKS)}"
    )
  made = importlib.import_module(f"configs.{name}").get_config().unlock()
  if drawn == "dbpedia":
    made.data.labels_per_class = 80
  made.students.left_out = "nearest" if task.endswith(NEAREST) else None
  # As all results have it; the default came after them.
  made.students.select_from = None
  made.students.update(students)
  if "real_kd" in made.students.arms and name not in CEILINGS:
    made.students.arms = tuple(a for a in made.students.arms if a != "real_kd")
  if name in CEILINGS:
    # In all sweeps, that they may share teachers; read where real_kd is.
    made.data.unlabelled = "train"
    if "real_kd" not in made.students.arms:
      made.soft_labels.real_texts = 0
  return made


def draws(number: int) -> list[dict[str, int]]:
  """Fresh rows, teacher, generator, corpus and students for each."""
  return [{"data.seed": draw, "seed": draw} for draw in range(number)]
