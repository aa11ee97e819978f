# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/, corpus/, soft_labels/ -> students/ARM/SEED/: small classifiers.

The arms differ in the rows a student sees and in their targets, and in nothing
else: vocabulary, initial embeddings, steps, batch size, learning rates and the
rule that selects are shared, and so is the randomness of one seed. With no
generated texts, gd is kd to the last bit.
"""

import functools
import json
import time
from collections.abc import Collection
from typing import Any

import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices, hosts, hub
from gd_jax.data import student_rows, tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.models import hf_configs
from gd_jax.progress import Progress
from gd_jax.training import (
  arms,
  baselines,
  second_round,
  student_setting,
  student_training,
)

NAME = "students"


def run(
  config: config_dict.ConfigDict, workdir: epath.Path, progress: Progress
) -> dict[str, Any]:
  """Trains every arm and seed that is not done already.

  Returns:
    Counts of rows and students, and each arm's mean held-out accuracy.

  Raises:
    UserError: A field or an artefact is not as it must be, or every learning
      rate diverged.
    signals.Stopped: A signal came; the next call goes on from there.
  """
  c = config.students
  student_setting.check(c)
  rows = _read(c, workdir, num_texts=c.num_texts)
  if c.second_round is not None:
    rows = _after_first_round(config, workdir, rows, progress)
  setting = _setting(c, workdir, rows, workdir / NAME, seed=config.seed)
  if not rows.heldout:
    progress.warn(
      "students: no row is held out, so the last parameters count as the best"
      " and the first learning rate is taken; raise data.heldout_fraction"
    )
  if student_setting.TFIDF in c.arms and devices.is_first():
    _fit_tfidf(setting)
  student_training.train_all(setting, progress)
  if not devices.is_first():
    return {}
  num_trained = sum(arm in arms.ARMS for arm in c.arms) * c.num_seeds
  return {
    "students": num_trained + (student_setting.TFIDF in c.arms),
    "train_rows": len(rows.train),
    "heldout_rows": len(rows.heldout),
    "generated_rows": len(rows.generated),
    "rule_rows": len(rows.made),
    "real_rows": len(rows.real),
    "vocabulary": len(setting.vocabulary.teacher_ids),
    "heldout_accuracy": _heldout_accuracies(setting),
  }


def _read(
  c: config_dict.ConfigDict, workdir: epath.Path, *, num_texts: int | None
) -> student_rows.StudentRows:
  return student_rows.read(
    workdir,
    num_texts=num_texts,
    min_confidence=c.min_confidence,
    balance=c.balance,
    kinds=arms.kinds(c.arms),
  )


def _after_first_round(
  config: config_dict.ConfigDict,
  workdir: epath.Path,
  rows: student_rows.StudentRows,
  progress: Progress,
) -> student_rows.StudentRows:
  """`rows`, with as many generated ones, of which the last ones are disputed.

  Raises:
    UserError: There are no others to choose from.
  """
  c = config.students
  budget, pool = len(rows.generated), _read(c, workdir, num_texts=None)
  if len(pool.generated) == budget:
    raise UserError(
      "config.students.second_round chooses from texts beyond"
      f" config.students.num_texts, and there are none beyond {budget:,}: raise"
      " config.corpus.num_texts"
    )
  number = round(c.second_round * budget)
  progress.say(
    f"students: a first round with {budget - number:,} texts, to choose"
    f" {number:,} of {len(pool.generated) - budget + number:,} others"
  )
  first = c.copy_and_resolve_references()
  with first.unlocked():
    first.update(
      arms=(second_round.ARM,),
      num_seeds=second_round.NUM_STUDENTS,
      second_round=None,
    )
  setting = _setting(
    first,
    workdir,
    rows.with_generated(pool, range(budget - number)),
    workdir / NAME / second_round.FOLDER,
    seed=config.seed,
  )
  student_training.train_all(setting, progress)
  chosen = ""
  if hosts.is_first():
    disputes = second_round.disputes(setting, pool)
    found = second_round.choose(disputes, first=budget - number, number=number)
    chosen = json.dumps(found.tolist())
  # Other processors round otherwise, and might choose others.
  chosen = hosts.agree("the second round's texts", chosen)
  return rows.with_generated(pool, json.loads(chosen))


def _setting(
  c: config_dict.ConfigDict,
  workdir: epath.Path,
  rows: student_rows.StudentRows,
  folder: epath.Path,
  *,
  seed: int,
) -> student_setting.Setting:
  """Of students in `folder`; makes their vocabulary."""
  folder.mkdir(parents=True, exist_ok=True)
  if not devices.is_first():
    devices.barrier("the vocabulary is made")
  made = _vocabulary(c, workdir / "teacher", rows, folder)
  if devices.is_first():
    devices.barrier("the vocabulary is made")
  store, heldout = rows.encoded(
    functools.partial(
      vocabulary.encode, made.tokenizer, max_tokens=c.max_tokens
    )
  )
  return student_setting.Setting(c, seed, folder, rows, made, store, heldout)


def require(
  config: config_dict.ConfigDict,
  workdir: epath.Path,
  cleared: Collection[str],
  progress: Progress,
) -> None:
  """Looks at the teacher that stays, or the model that a new one begins with.

  Raises:
    UserError: The students' words don't fit it, or that model is not there.
    PretrainedError: That model's folder is no good.
  """
  del progress
  vocab_size, width, embeddings = student_setting.words(config.students)
  if "teacher" not in cleared and (workdir / "teacher/model.json").exists():
    folder = workdir / "teacher"
    its_width = artefacts.read_json(folder / "model.json")["config"]["width"]
  else:
    c = config.teacher
    folder = hub.resolve(c.init, allow_download=c.allow_download)
    its_width = hf_configs.read_bert(folder).width
  if embeddings == "teacher":
    vocabulary.require_width(width, its_width)
  vocabulary.require_room(tokenizers.load(folder), vocab_size)


def _vocabulary(
  c: config_dict.ConfigDict,
  teacher: epath.Path,
  rows: student_rows.StudentRows,
  folder: epath.Path,
) -> vocabulary.Vocabulary:
  """The one that stands if it is of these texts and teacher, else a new one."""
  vocab_size, embed_width, embeddings_from = student_setting.words(c)
  # As older ones have it where nothing is asked for.
  nearest = [] if c.left_out is None else [c.left_out]
  source = artefacts.digest(
    [
      artefacts.read_json(teacher / "params.json")["digest"],
      artefacts.sha256_file(teacher / "tokenizer.json"),
      rows.texts,
      [vocab_size, embed_width, embeddings_from, *nearest],
    ]
  )
  made = vocabulary.load(folder, source=source)
  if made is None:
    table = embeddings = None
    if nearest or embeddings_from == "teacher":
      params = checkpoints.load_params(teacher)
      table = np.asarray(params["bert"]["word"]["embedding"])
    tokenizer, teacher_ids = vocabulary.prune(
      tokenizers.load(teacher),
      rows.texts,
      vocab_size=vocab_size,
      table=table if nearest else None,
    )
    if table is not None and embeddings_from == "teacher":
      embeddings = vocabulary.teacher_embeddings(
        table, teacher_ids, width=embed_width
      )
    made = vocabulary.Vocabulary(tokenizer, teacher_ids, embeddings)
    vocabulary.save(folder, made, source=source)
  return made


def _fit_tfidf(setting: student_setting.Setting) -> None:
  recipe = setting.recipe(student_setting.TFIDF, 0)
  if recipe.is_done(setting.folder):
    return
  # It has nothing to select, hence no use for held-out rows: it learns from
  # them, too, and is the stronger for it.
  start = time.monotonic()
  rows = [*setting.rows.train, *setting.rows.heldout]
  model = baselines.fit(
    [row["text"] for row in rows],
    [row["label"] for row in rows],
    num_classes=setting.rows.num_classes,
  )

  def fill(folder):
    model.save(folder)
    return {"train_rows": len(rows), "params_total": model.num_params}

  recipe.write(setting.folder, fill, seconds=time.monotonic() - start)


def _heldout_accuracies(setting: student_setting.Setting) -> dict[str, float]:
  """The mean over seeds for each arm; none where no row is held out."""
  c, found = setting.config, {}
  for arm in (
    arm for arm in c.arms if arm in arms.ARMS and setting.rows.heldout
  ):
    summaries = [
      artefacts.read_json(setting.folder / arm / str(seed) / "summary.json")
      for seed in range(c.num_seeds)
    ]
    found[arm] = float(np.mean([s["heldout"]["accuracy"] for s in summaries]))
  return found
