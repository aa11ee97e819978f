# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/, corpus/, soft_labels/ -> students/ARM/SEED/: small classifiers.

The arms differ in the rows a student sees and in their targets, and in nothing
else: vocabulary, initial embeddings, steps, batch size, learning rates and the
rule that selects are shared, and so is the randomness of one seed. With no
generated texts, gd is kd to the last bit.
"""

import dataclasses
import difflib
import functools
import hashlib
import os
import time
from collections.abc import Collection, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices, rngs, workdirs
from gd_jax.data import student_rows, tokenizers, vocabulary
from gd_jax.data.mixture import Mixture
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.progress import Progress
from gd_jax.training import baselines, distill, distill_loop, side_by_side
from gd_jax.training import metrics as metrics_lib
from gd_jax.training.arms import ARMS

NAME = "students"
TFIDF = "tfidf"


_MODEL_FIELDS = {
  "res_cnn": ("embed_width", "num_filters", "num_blocks", "dropout"),
  "kim_cnn": ("embed_width", "num_filters", "dropout"),
}
# Fields that can't change what one student becomes.
_NOT_OF_ONE_STUDENT = frozenset({"arms", "num_seeds", "num_texts", "mode"})


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A student at one of the learning rates that are tried."""

  arm: str
  seed: int
  learning_rate: float
  student: distill_loop.Student

  @property
  def name(self) -> str:
    return f"{self.arm}/{self.seed}"


@dataclasses.dataclass(frozen=True)
class Setting:
  """All that the students of a run share."""

  config: config_dict.ConfigDict  # config.students
  run_seed: int
  folder: epath.Path
  rows: student_rows.StudentRows
  vocabulary: vocabulary.Vocabulary
  store: student_rows.Arrays
  heldout: student_rows.Arrays

  def recipe(self, arm: str, seed: int) -> tuple[dict, dict]:
    """(config, inputs) of one student's manifest."""
    fields = {
      name: list(value) if isinstance(value, tuple) else value
      for name, value in self.config.items()
      if name not in _NOT_OF_ONE_STUDENT
    }
    config = {"arm": arm, "seed": seed, "run_seed": self.run_seed, **fields}
    seen = len(self.rows.train)
    if arm in ARMS and ARMS[arm].generated:
      seen = len(self.store["label"])
    arrays = [self.store[name][:seen] for name in sorted(self.store)]
    arrays += [self.heldout[name] for name in sorted(self.heldout)]
    arrays += [self.vocabulary.embeddings]
    inputs = {
      "rows": _digest(arrays),
      "tokenizer": artefacts.digest(self.vocabulary.tokenizer.to_str()),
    }
    return config, inputs


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
  _check(c)
  rows = student_rows.read(workdir, num_texts=c.num_texts)
  made = _vocabulary(c, workdir, rows)
  store, heldout = rows.encoded(
    functools.partial(
      vocabulary.encode, made.tokenizer, max_tokens=c.max_tokens
    )
  )
  setting = Setting(c, config.seed, workdir / NAME, rows, made, store, heldout)
  if not rows.heldout:
    progress.warn(
      "students: no row is held out, so the last parameters count as the best"
      " and the first learning rate is taken; raise data.heldout_fraction"
    )
  if TFIDF in c.arms and not _is_done(setting, TFIDF, 0):
    _fit_tfidf(setting)
  candidates = _candidates(setting)
  if candidates:
    _train(setting, candidates, progress)
  (setting.folder / "unfinished").rmtree(missing_ok=True)
  return {
    "train_rows": len(rows.train),
    "heldout_rows": len(rows.heldout),
    "generated_rows": len(rows.generated),
    "vocabulary": made.tokenizer.get_vocab_size(),
    "heldout_accuracy": _heldout_accuracies(setting),
  }


def _check(c: config_dict.ConfigDict) -> None:
  """Refuses fields that have a value no student can be trained with."""
  choices = {
    "model": sorted(_MODEL_FIELDS),
    "loss": distill.LOSSES,
    "mode": side_by_side.MODES,
    "embeddings": ("teacher", "random"),
  }
  for field, allowed in choices.items():
    _check_choice(field, c[field], allowed)
  for arm in c.arms:
    _check_choice("arms", arm, [*ARMS, TFIDF])
  for field in ("num_seeds", "total_steps", "batch_size", "eval_every_steps"):
    if c[field] < 1:
      raise UserError(f"config.students.{field} is {c[field]}: at least 1")
  if not 0 < c.labelled_fraction <= 1:
    raise UserError(
      "config.students.labelled_fraction is a share above 0 and at most 1, "
      f"not {c.labelled_fraction}"
    )
  if not c.learning_rates:
    raise UserError(
      "config.students.learning_rates is empty: give at least one"
    )


def _check_choice(field: str, value: str, allowed: Collection[str]) -> None:
  if value not in allowed:
    near = difflib.get_close_matches(str(value), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UserError(
      f"config.students.{field}: {value!r} is none of "
      f"{', '.join(allowed)}{hint}"
    )


def _vocabulary(
  c: config_dict.ConfigDict, workdir: epath.Path, rows
) -> vocabulary.Vocabulary:
  """The one that stands if it is of these texts and teacher, else a new one."""
  folder, teacher = workdir / NAME, workdir / "teacher"
  source = artefacts.digest(
    [
      artefacts.read_json(teacher / "params.json")["digest"],
      artefacts.sha256_file(teacher / "tokenizer.json"),
      rows.texts,
      [c.vocab_size, c.embed_width, c.embeddings],
    ]
  )
  made = vocabulary.load(folder, source=source)
  if made is None:
    tokenizer, teacher_ids = vocabulary.prune(
      tokenizers.load(teacher), rows.texts, vocab_size=c.vocab_size
    )
    embeddings = None
    if c.embeddings == "teacher":
      params = checkpoints.load_params(teacher)
      embeddings = vocabulary.teacher_embeddings(
        np.asarray(params["bert"]["word"]["embedding"]),
        teacher_ids,
        width=c.embed_width,
      )
    made = vocabulary.Vocabulary(tokenizer, teacher_ids, embeddings)
    vocabulary.save(folder, made, source=source)
  return made


def _digest(arrays: Sequence[np.ndarray | None]) -> str:
  sha = hashlib.sha256()
  for array in arrays:
    if array is not None:
      sha.update(f"{array.dtype}{array.shape}".encode())
      sha.update(np.ascontiguousarray(array).tobytes())
  return sha.hexdigest()


def _is_done(setting: Setting, arm: str, seed: int) -> bool:
  folder = setting.folder / arm / str(seed)
  return artefacts.is_done(folder, *setting.recipe(arm, seed))


def _write(setting: Setting, arm: str, seed: int, *, seconds: float, save):
  """Fills students/ARM/SEED by save(folder) -> summary."""
  folder = setting.folder / arm / str(seed)
  config, inputs = setting.recipe(arm, seed)
  workdirs.clear(folder)
  artefacts.begin(folder, config=config, inputs=inputs)
  summary = {"arm": arm, "seed": seed, **save(folder)}
  artefacts.write_json(folder / "summary.json", summary)
  artefacts.finish(
    folder, config=config, inputs=inputs, counts={}, seconds=seconds
  )


def _fit_tfidf(setting: Setting) -> None:
  # It has nothing to select, hence no use for held-out rows: it learns from
  # them, too, and is the stronger for it.
  start = time.monotonic()
  rows = [*setting.rows.train, *setting.rows.heldout]
  model = baselines.fit(
    [row["text"] for row in rows],
    [row["label"] for row in rows],
    num_classes=setting.rows.num_classes,
  )

  def save(folder):
    model.save(folder)
    return {"train_rows": len(rows), "params_total": model.num_params}

  _write(setting, TFIDF, 0, seconds=time.monotonic() - start, save=save)


def _candidates(setting: Setting) -> list[Candidate]:
  """Students to be trained, those of one arm and seed in a row."""
  c = setting.config
  found = []
  for arm in (arm for arm in c.arms if arm in ARMS):
    for seed in range(c.num_seeds):
      if not _is_done(setting, arm, seed):
        found += [_candidate(setting, arm, seed, r) for r in c.learning_rates]
  return found


def _candidate(setting, arm: str, seed: int, learning_rate: float) -> Candidate:
  c, rules = setting.config, ARMS[arm]
  student = distill_loop.Student(
    mixture=Mixture(
      num_labelled=len(setting.rows.train),
      num_generated=len(setting.rows.generated) if rules.generated else 0,
      batch_size=c.batch_size,
      labelled_fraction=c.labelled_fraction,
      seed=rngs.derived_seed(setting.run_seed, NAME, seed),
    ),
    knobs=rules.knobs(
      learning_rate=learning_rate,
      temperature=c.temperature,
      labelled_weight=c.labelled_weight,
      hard_weight=c.hard_weight,
    ),
    rng=rngs.stream(setting.run_seed, NAME, seed),
  )
  return Candidate(arm, seed, learning_rate, student)


def _train(
  setting: Setting, candidates: Sequence[Candidate], progress: Progress
) -> None:
  """Trains all candidates; a student is written once all of its rates are."""
  c = setting.config
  spec = _spec(setting)
  num_params = _count(spec)
  mode = side_by_side.choose_mode(
    c.mode, num_params=num_params, platform=devices.platform()
  )
  alone = mode == "sequential"
  groups = [[x] for x in candidates] if alone else [[*candidates]]
  # Groups of one also if the only student has the program for itself.
  alone = all(len(group) == 1 for group in groups)
  workers = (os.cpu_count() or 1) if devices.platform() == "cpu" else 1
  workers = min(workers, len(groups))
  program = distill.Program(
    families.build(spec | {"conv": "lax" if alone else "im2col"}),
    distill.Settings(
      total_steps=c.total_steps,
      warmup_fraction=c.warmup_fraction,
      weight_decay=c.weight_decay,
      loss=c.loss,
      eval_every_steps=c.eval_every_steps,
      patience=c.patience,
    ),
    embeddings=setting.vocabulary.embeddings,
    alone=alone,
  )
  progress.say(
    f"students: {len(candidates)} trainings of {c.model} ({num_params:,}"
    f" parameters), {c.total_steps} steps of {c.batch_size} rows,"
    f" {'all in one program' if mode == 'vmap' else f'{workers} at a time'};"
    f" {len(setting.rows.train):,} labelled and"
    f" {len(setting.rows.generated):,} generated rows"
  )
  total = len(candidates) * c.total_steps
  pending: dict[str, list] = {}
  with progress.bar(NAME, total, unit="steps") as bar:
    jobs = [
      functools.partial(_train_group, setting, program, group, i, bar)
      for i, group in enumerate(groups)
    ]
    for i, (outcomes, seconds) in side_by_side.run_jobs(jobs, workers=workers):
      for each, outcome in zip(groups[i], outcomes, strict=True):
        pending.setdefault(each.name, []).append((each, outcome, seconds))
        if len(pending[each.name]) == len(c.learning_rates):
          _write_best(setting, spec, pending.pop(each.name), progress)


def _train_group(setting, program, group: Sequence[Candidate], i, bar, poll):
  start = time.monotonic()
  recipes = [[*setting.recipe(x.arm, x.seed), x.learning_rate] for x in group]
  working = setting.folder / "unfinished" / artefacts.digest(recipes)[:16]
  outcomes = distill_loop.fit(
    program,
    [x.student for x in group],
    setting.store,
    setting.heldout,
    resume=checkpoints.Resume(working, every_seconds=15.0),
    worker=i,
    stopping=poll,
    advance=bar.advance,
  )
  return outcomes, (time.monotonic() - start) / len(group)


def _spec(setting: Setting) -> dict[str, Any]:
  c = setting.config
  return {
    "family": c.model,
    "vocab_size": setting.vocabulary.tokenizer.get_vocab_size(),
    "num_classes": setting.rows.num_classes,
    **{field: c[field] for field in _MODEL_FIELDS[c.model]},
  }


def _write_best(setting: Setting, spec, tried, progress: Progress) -> None:
  """Keeps the learning rate that did best on held-out rows; ties: the first."""
  tried = sorted(
    tried, key=lambda x: setting.config.learning_rates.index(x[0].learning_rate)
  )
  usable = [x for x in tried if x[1].record["best"]]
  for each, outcome, _ in tried:
    if outcome.record["diverged"]:
      progress.warn(
        f"students: {each.name} diverged at learning rate {each.learning_rate}"
      )
  if not usable:
    raise UserError(
      f"students: {tried[0][0].name} diverged at every learning rate: lower "
      "config.students.learning_rates"
    )
  chosen, outcome, _ = max(
    usable, key=lambda x: distill_loop.rank(x[1].record["best"]["scores"])
  )

  def save(folder):
    checkpoints.save_params(folder, outcome.params)
    module = families.build(spec)
    artefacts.write_json(folder / "model.json", families.spec_of(module))
    writer = metrics_lib.MetricsWriter(folder)
    for row in outcome.history:
      step, *_ = row.values()
      writer.write(step, {k: v for k, v in row.items() if k != "step"})
    writer.close()
    best = outcome.record["best"]
    return {
      "learning_rate": chosen.learning_rate,
      "step": best["step"],
      "heldout": best["scores"],
      "steps": outcome.record["steps"],
      "total_steps": setting.config.total_steps,
      "tried": [
        {"learning_rate": each.learning_rate, **result.record}
        for each, result, _ in tried
      ],
      "train_rows": chosen.student.mixture.num_labelled,
      "generated_rows": chosen.student.mixture.num_generated,
      "heldout_rows": len(setting.rows.heldout),
      "params_total": families.count_params(outcome.params),
    }

  seconds = sum(spent for _, _, spent in tried)
  _write(setting, chosen.arm, chosen.seed, seconds=seconds, save=save)


def _heldout_accuracies(setting: Setting) -> dict[str, float]:
  """The mean over seeds for each arm that is done; none without such rows."""
  c, found = setting.config, {}
  for arm in (arm for arm in c.arms if arm in ARMS and setting.rows.heldout):
    scores = [
      artefacts.read_json(setting.folder / arm / str(seed) / "summary.json")
      for seed in range(c.num_seeds)
    ]
    found[arm] = float(np.mean([s["heldout"]["accuracy"] for s in scores]))
  return found


def _count(spec: dict[str, Any]) -> int:
  shapes = jax.eval_shape(
    lambda: families.init_params(families.build(spec), jax.random.key(0))
  )
  return families.count_params(shapes)
