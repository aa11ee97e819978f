# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/, corpus/, soft_labels/ -> students/ARM/SEED/: small classifiers.

The arms differ in the rows a student sees and in their targets, and in nothing
else: vocabulary, initial embeddings, steps, batch size, learning rates and the
rule that selects are shared, and so is the randomness of one seed. With no
generated texts, gd is kd to the last bit.
"""

import dataclasses
import functools
import os
import threading
import time
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices
from gd_jax.data import student_rows, tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.progress import Progress
from gd_jax.training import (
  baselines,
  distill_loop,
  side_by_side,
  student_folder,
  student_setting,
)
from gd_jax.training.arms import ARMS

NAME = "students"
_UNFINISHED = "unfinished"
_GROUPS = "groups.json"
_SAVE_SECONDS = 15.0


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
  rows = student_rows.read(
    workdir,
    num_texts=c.num_texts,
    min_confidence=c.min_confidence,
    balance=c.balance,
    with_rules=any(arm in ARMS and ARMS[arm].rules for arm in c.arms),
  )
  if not devices.is_first():
    devices.barrier("the vocabulary is made")
  made = _vocabulary(c, workdir, rows)
  if devices.is_first():
    devices.barrier("the vocabulary is made")
  store, heldout = rows.encoded(
    functools.partial(
      vocabulary.encode, made.tokenizer, max_tokens=c.max_tokens
    )
  )
  setting = student_setting.Setting(
    c, config.seed, workdir / NAME, rows, made, store, heldout
  )
  if not rows.heldout:
    progress.warn(
      "students: no row is held out, so the last parameters count as the best"
      " and the first learning rate is taken; raise data.heldout_fraction"
    )
  if student_setting.TFIDF in c.arms and devices.is_first():
    _fit_tfidf(setting)
  _take_over(setting, progress)
  _train(setting, progress)
  devices.barrier("the students are trained")
  if not devices.is_first():
    return {}
  _take_over(setting, progress)
  (setting.folder / _UNFINISHED).rmtree(missing_ok=True)
  num_trained = sum(arm in ARMS for arm in c.arms) * c.num_seeds
  return {
    "students": num_trained + (student_setting.TFIDF in c.arms),
    "train_rows": len(rows.train),
    "heldout_rows": len(rows.heldout),
    "generated_rows": len(rows.generated),
    "rule_rows": len(rows.made),
    "vocabulary": made.tokenizer.get_vocab_size(),
    "heldout_accuracy": _heldout_accuracies(setting),
  }


def _vocabulary(
  c: config_dict.ConfigDict, workdir: epath.Path, rows
) -> vocabulary.Vocabulary:
  """The one that stands if it is of these texts and teacher, else a new one."""
  folder, teacher = workdir / NAME, workdir / "teacher"
  vocab_size, embed_width, embeddings_from = student_setting.words(c)
  source = artefacts.digest(
    [
      artefacts.read_json(teacher / "params.json")["digest"],
      artefacts.sha256_file(teacher / "tokenizer.json"),
      rows.texts,
      [vocab_size, embed_width, embeddings_from],
    ]
  )
  made = vocabulary.load(folder, source=source)
  if made is None:
    tokenizer, teacher_ids = vocabulary.prune(
      tokenizers.load(teacher), rows.texts, vocab_size=vocab_size
    )
    embeddings = None
    if embeddings_from == "teacher":
      params = checkpoints.load_params(teacher)
      embeddings = vocabulary.teacher_embeddings(
        np.asarray(params["bert"]["word"]["embedding"]),
        teacher_ids,
        width=embed_width,
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


def _train(setting: student_setting.Setting, progress: Progress) -> None:
  """Trains all; a student is written once all of its learning rates are."""
  c = setting.config
  num_params = _count(setting.spec)
  num_working = _count(setting.spec, embeddings=False)
  on_cpu = devices.platform() == "cpu"
  work = num_working * _tokens_per_step(setting)
  mode = side_by_side.choose_mode(
    c.mode, work=work, platform=devices.platform()
  )
  groups, done = _groups(setting, together=mode == "vmap")
  if not groups:
    return
  trials = [trial for group in groups for trial in group]
  workers = min(len(groups), (os.cpu_count() or 1) if on_cpu else 1)
  program = setting.program(alone=len(groups) == len(trials))
  progress.say(
    f"students: {len(trials)} trainings of {c.model} ({num_params:,}"
    f" parameters, {num_working:,} without embeddings),"
    f" {c.total_steps:,} steps of {c.batch_size} rows,"
    f" {'all in one program' if mode == 'vmap' else f'{workers} at a time'};"
    f" {len(setting.rows.train):,} labelled and"
    f" {len(setting.rows.generated):,} generated rows;"
    f" {devices.about(6 * work * len(trials) * c.total_steps)}"
  )
  total, guard = len(trials) * c.total_steps, threading.Lock()
  waiting: dict[str, list[student_folder.Ended]] = {}
  with progress.bar(NAME, total, unit="steps") as bar:

    def advance(steps: int) -> None:
      with guard:
        bar.advance(steps)

    jobs = [
      functools.partial(_train_group, setting, program, group, i, advance)
      for i, group in enumerate(groups)
    ]
    start = time.monotonic()
    for i, outcomes in side_by_side.run_jobs(jobs, workers=workers):
      for trial, outcome in zip(groups[i], outcomes, strict=True):
        name = trial.recipe.name
        if name in done:
          continue
        ended = waiting.setdefault(name, [])
        ended.append((trial, outcome))
        if len(ended) < len(c.learning_rates):
          continue
        seconds = time.monotonic() - start
        if devices.is_first():
          _write_best(setting, name, ended, seconds, progress)
        else:
          path = _handed_over(setting, trial.recipe)
          student_folder.hand_over(path, ended, seconds=seconds)


def _handed_over(
  setting: student_setting.Setting, recipe: student_folder.Recipe
) -> epath.Path:
  """Where another host than the first leaves a student for host 0 to write."""
  digest = artefacts.digest(dataclasses.asdict(recipe))
  return setting.folder / _UNFINISHED / f"{digest[:16]}.msgpack"


def _take_over(setting: student_setting.Setting, progress: Progress) -> None:
  """Host 0 writes what others, of this run or an earlier one, have trained."""
  if not devices.is_first():
    return
  trials: dict[str, list[student_folder.Trial]] = {}
  for trial in setting.trials():
    trials.setdefault(trial.recipe.name, []).append(trial)
  for name, of_name in trials.items():
    recipe = of_name[0].recipe
    path = _handed_over(setting, recipe)
    if path.exists() and not recipe.is_done(setting.folder):
      ended, seconds = student_folder.take_over(path, of_name)
      _write_best(setting, name, ended, seconds, progress)


def _groups(
  setting: student_setting.Setting, *, together: bool
) -> tuple[list[list[student_folder.Trial]], set[str]]:
  """(what this host trains together, the names of the students done)."""
  trials = {trial.name: trial for trial in setting.trials()}
  recipes = {trial.recipe.name: trial.recipe for trial in trials.values()}
  done = {
    name for name, recipe in recipes.items() if recipe.is_done(setting.folder)
  }
  ready = {name for name, trial in trials.items() if trial.recipe.name in done}
  # All trials of a student are one host's.
  number = {name: i for i, name in enumerate(recipes)}
  note = setting.folder / _GROUPS
  groups = side_by_side.groups(
    list(trials),
    ready,
    together=together,
    earlier=artefacts.read_json(note) if note.exists() else [],
    owner=lambda name: devices.owner(number[trials[name].recipe.name]),
  )
  devices.barrier("all know what is to be trained")
  if devices.is_first():
    artefacts.write_json(note, groups)
  return [
    [trials[name] for name in group]
    for group in groups
    if not ready.issuperset(group)
    and devices.owns(number[trials[group[0]].recipe.name])
  ], done


def _train_group(
  setting: student_setting.Setting, program, group, i: int, advance, poll
):
  # A folder of its own for each such group: another one's state is no use.
  recipes = [
    [dataclasses.asdict(trial.recipe), trial.learning_rate] for trial in group
  ]
  return distill_loop.fit(
    program,
    [trial.student for trial in group],
    setting.store,
    setting.heldout,
    resume=checkpoints.own_resume(
      setting.folder / _UNFINISHED / artefacts.digest(recipes)[:16],
      every_seconds=_SAVE_SECONDS,
    ),
    worker=i,
    stopping=poll,
    advance=advance,
  )


def _write_best(
  setting: student_setting.Setting,
  name: str,
  ended: list[student_folder.Ended],
  seconds: float,
  progress: Progress,
) -> None:
  rates = list(setting.config.learning_rates)
  ended.sort(key=lambda x: rates.index(x[0].learning_rate))
  for trial, outcome in ended:
    if outcome.record["diverged"]:
      progress.warn(
        f"students: {name} diverged at learning rate {trial.learning_rate}"
      )
  best = student_folder.best_of(ended)
  if best is None:
    raise UserError(
      f"students: {name} diverged at every learning rate: lower "
      "config.students.learning_rates"
    )
  best[0].recipe.write(
    setting.folder,
    lambda folder: student_folder.fill(folder, best, ended, spec=setting.spec),
    seconds=seconds,
  )


def _tokens_per_step(setting: student_setting.Setting) -> float:
  """A batch's rows are padded to the longest of like ones: some 8 more."""
  mean = np.count_nonzero(setting.store["tokens"], axis=1).mean()
  return setting.config.batch_size * (8 + mean)


def _heldout_accuracies(setting: student_setting.Setting) -> dict[str, float]:
  """The mean over seeds for each arm; none where no row is held out."""
  c, found = setting.config, {}
  for arm in (arm for arm in c.arms if arm in ARMS and setting.rows.heldout):
    summaries = [
      artefacts.read_json(setting.folder / arm / str(seed) / "summary.json")
      for seed in range(c.num_seeds)
    ]
    found[arm] = float(np.mean([s["heldout"]["accuracy"] for s in summaries]))
  return found


def _count(spec: dict[str, Any], *, embeddings: bool = True) -> int:
  shapes = jax.eval_shape(
    lambda: families.init_params(families.build(spec), jax.random.key(0))
  )
  return families.count_params(shapes, embeddings=embeddings)
