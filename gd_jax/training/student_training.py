# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""All students of a setting: trained together or apart, each written once.

Of several hosts each trains its own; host 0 writes them all.
"""

import dataclasses
import functools
import threading
import time

from etils import epath

from gd_jax import artefacts, devices, own_resume
from gd_jax.errors import UserError
from gd_jax.progress import Progress
from gd_jax.training import (
  distill_loop,
  side_by_side,
  student_folder,
  student_setting,
)

NAME = "students"
_UNFINISHED = "unfinished"
_GROUPS = "groups.json"
_SAVE_SECONDS = 15.0


def train_all(setting: student_setting.Setting, progress: Progress) -> None:
  """Trains all that are not done; when it returns they can be read."""
  _take_over(setting, progress)
  _train(setting, progress)
  devices.barrier("the students are trained")
  _take_over(setting, progress)
  if devices.is_first():
    (setting.folder / _UNFINISHED).rmtree(missing_ok=True)
  devices.barrier("the students are written")


def _train(setting: student_setting.Setting, progress: Progress) -> None:
  """Trains all; a student is written once all of its learning rates are."""
  c = setting.config
  num_params = setting.count_params()
  num_working = setting.count_params(embeddings=False)
  on_cpu = devices.platform() == "cpu"
  work = num_working * setting.tokens_per_step
  mode = side_by_side.choose_mode(
    c.mode, work=work, platform=devices.platform()
  )
  groups, done = _groups(setting, together=mode == "vmap")
  left = {
    i: group
    for i, group in enumerate(groups)
    if not done.issuperset(trial.recipe.name for trial in group)
  }
  if not left:
    return
  trials = [trial for group in left.values() for trial in group]
  num_devices = len(devices.local_devices())
  workers = min(len(left), devices.num_cores() if on_cpu else num_devices)
  # Of all groups: a student that a killed run has begun is gone on with by the
  # program that began it, whichever groups were done by then.
  program = setting.program(alone=all(len(group) == 1 for group in groups))
  progress.say(
    f"students: {len(trials)} trainings of {c.model} ({num_params:,}"
    f" parameters, {num_working:,} without embeddings),"
    f" {c.total_steps:,} steps of {c.batch_size} rows,"
    f" in {len(left)} program(s), {workers} at a time;"
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

    several = len(left) > 1
    jobs = [
      functools.partial(
        _train_group, setting, program, group, i if several else None, advance
      )
      for i, group in left.items()
    ]
    start = time.monotonic()
    for job, outcomes in side_by_side.run_jobs(jobs, workers=workers):
      for trial, outcome in zip([*left.values()][job], outcomes, strict=True):
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
  """(what this host trains, or has trained, together; the students done)."""
  trials = {trial.name: trial for trial in setting.trials()}
  recipes = {trial.recipe.name: trial.recipe for trial in trials.values()}
  done = {
    name for name, recipe in recipes.items() if recipe.is_done(setting.folder)
  }
  ready = {name for name, trial in trials.items() if trial.recipe.name in done}
  num_devices = len(devices.local_devices())
  of_cores = num_devices == 1 and devices.platform() == "cpu"
  # All trials of a student are one host's.
  number = {name: i for i, name in enumerate(recipes)}
  note = setting.folder / _GROUPS
  groups = side_by_side.groups(
    list(trials),
    ready,
    together=together,
    earlier=artefacts.read_json(note) if note.exists() else [],
    place=side_by_side.places(
      {
        name: devices.owner(number[trial.recipe.name])
        for name, trial in trials.items()
        if name not in ready
      },
      devices.num_cores() if of_cores else num_devices,
      are_devices=not of_cores,
    ).__getitem__,
  )
  devices.barrier("all know what is to be trained")
  if devices.is_first():
    artefacts.write_json(note, groups)
  return [
    [trials[name] for name in group]
    for group in groups
    if devices.owns(number[trials[group[0]].recipe.name])
  ], done


def _train_group(
  setting: student_setting.Setting, program, group, worker, advance, poll
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
    resume=own_resume.of_this_host(
      setting.folder / _UNFINISHED / artefacts.digest(recipes)[:16],
      every_seconds=_SAVE_SECONDS,
    ),
    worker=worker,
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
