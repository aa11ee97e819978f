# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""config.students and the rows -> the trainings to be done."""

import dataclasses
import difflib
import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, rngs
from gd_jax.data import student_rows, tokenizers, vocabulary
from gd_jax.data.mixture import Mixture
from gd_jax.errors import UserError
from gd_jax.models import bilstm, blend_cnn, families
from gd_jax.training import distill, distill_loop, side_by_side, student_folder
from gd_jax.training.arms import ARMS

TFIDF = "tfidf"
# What a model, by its name in families.FAMILIES, takes from config.students;
# its other sizes are its own.
MODEL_FIELDS = {
  "res_cnn": ("embed_width", "num_filters", "num_blocks", "dropout"),
  "kim_cnn": ("embed_width", "num_filters", "dropout"),
  "blend_cnn": (),
  "bilstm": ("dropout",),
}
# Fields that can't change what one student becomes.
_NOT_OF_ONE_STUDENT = frozenset(
  {"arms", "num_seeds", "num_texts", "second_round", "mode"}
)


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

  def recipe(self, arm: str, seed: int) -> student_folder.Recipe:
    """What the student depends on: of the rows, those alone that it reads."""
    fields = {
      name: list(value) if isinstance(value, tuple) else value
      for name, value in self.config.items()
      if name not in _NOT_OF_ONE_STUDENT
    }
    labelled = len(self.rows.train) + len(self.rows.heldout)
    parts = [slice(0, len(self.rows.train))]
    if arm in ARMS and ARMS[arm].texts:
      first, n = self._unlabelled(arm)
      parts.append(slice(first, first + n))
    # In one piece where the rows lie in one.
    if len(parts) == 2 and parts[0].stop == parts[1].start:
      parts = [slice(0, parts[1].stop)]
    arrays = [
      self.store[name][part] for part in parts for name in sorted(self.store)
    ]
    arrays += [self.heldout[name] for name in sorted(self.heldout)]
    arrays += [self.vocabulary.embeddings]
    return student_folder.Recipe(
      arm=arm,
      seed=seed,
      config={"arm": arm, "seed": seed, "run_seed": self.run_seed, **fields},
      inputs={
        "rows": _digest(arrays),
        "texts": artefacts.digest(self.rows.texts[:labelled]),
        "tokenizer": artefacts.digest(
          tokenizers.to_json(self.vocabulary.tokenizer)
        ),
      },
    )

  @property
  def spec(self) -> dict[str, Any]:
    """The students' model, for `families.build`."""
    return spec_of(
      self.config,
      vocab_size=len(self.vocabulary.teacher_ids),
      num_classes=self.rows.num_classes,
    )

  @property
  def tokens_per_step(self) -> float:
    """A batch's rows are padded to the longest of like ones: some 8 more."""
    mean = np.count_nonzero(self.store["tokens"], axis=1).mean()
    return self.config.batch_size * (8 + mean)

  def count_params(self, *, embeddings: bool = True) -> int:
    """Those of one student, looked-up embeddings among them or not."""
    module = families.build(self.spec)
    shapes = jax.eval_shape(
      lambda: families.init_params(module, jax.random.key(0))
    )
    return families.count_params(shapes, embeddings=embeddings)

  def _unlabelled(self, arm: str) -> tuple[int, int]:
    """(the first of the rows beside labelled ones, how many) in the store."""
    first = len(self.rows.train)
    for kind, texts in self.rows.unlabelled.items():
      if kind == ARMS[arm].texts:
        return first, len(texts)
      first += len(texts)
    return len(self.rows.train), 0

  def program(self, *, alone: bool) -> distill.Program:
    """What trains them: one at a time, or side by side."""
    return make_program(
      self.config, self.spec, self.vocabulary.embeddings, alone=alone
    )

  def trials(self) -> list[student_folder.Trial]:
    """All that are wanted; the learning rates of one student in a row."""
    c = self.config
    return [
      self._trial(recipe, rate)
      for arm in c.arms
      if arm in ARMS
      for recipe in (self.recipe(arm, seed) for seed in range(c.num_seeds))
      for rate in c.learning_rates
    ]

  def _trial(
    self, recipe: student_folder.Recipe, learning_rate: float
  ) -> student_folder.Trial:
    # No randomness below depends on the arm: arms are compared seed by seed.
    c, arm = self.config, ARMS[recipe.arm]
    first, num_generated = self._unlabelled(recipe.arm)
    student = distill_loop.Student(
      mixture=Mixture(
        num_labelled=len(self.rows.train),
        num_generated=num_generated,
        first_generated=first,
        batch_size=c.batch_size,
        labelled_fraction=c.labelled_fraction,
        seed=rngs.derived_seed(self.run_seed, "students", recipe.seed),
      ),
      knobs=arm.knobs(
        learning_rate=learning_rate,
        temperature=c.temperature,
        labelled_weight=c.labelled_weight,
        hard_weight=c.hard_weight,
      ),
      rng=rngs.stream(self.run_seed, "students", recipe.seed),
    )
    return student_folder.Trial(recipe, learning_rate, student)


def spec_of(c: Any, *, vocab_size: int, num_classes: int) -> dict[str, Any]:
  """The students' model by config.students, for `families.build`."""
  return {
    "family": c.model,
    "vocab_size": vocab_size,
    "num_classes": num_classes,
    **model_fields(c, c.model),
  }


def make_module(spec: dict[str, Any], *, alone: bool) -> Any:
  """What trains by itself, or side by side with others in one program."""
  # Of models without convolutions the spec has no such field.
  if "conv" in families.spec_of(families.build(spec)):
    spec = spec | {"conv": "lax" if alone else "im2col"}
  return families.build(spec)


def make_program(
  c: Any, spec: dict[str, Any], embeddings: np.ndarray | None, *, alone: bool
) -> distill.Program:
  """What trains students by config.students.

  Args:
    c: The section.
    spec: Their model.
    embeddings: Where their word vectors start [V E]; None: as the model says.
    alone: One at a time, or side by side.
  """
  return distill.Program(
    make_module(spec, alone=alone),
    distill.Settings(
      total_steps=c.total_steps,
      warmup_fraction=c.warmup_fraction,
      weight_decay=c.weight_decay,
      loss=c.loss,
      eval_every_steps=c.eval_every_steps,
      patience=c.patience,
      mix=c.mix,
      select_from=c.select_from,
    ),
    embeddings=embeddings,
    alone=alone,
  )


def model_fields(c: Any, model: str) -> dict[str, Any]:
  """The sizes that `model` takes from config.students."""
  return {field: c[field] for field in MODEL_FIELDS[model]}


def words(c: Any) -> tuple[int | None, int, str]:
  """(vocab_size, embed_width, embeddings) of the students' word vectors.

  Those of config.students, but for the earlier works: BlendCNN had all of
  BERT's word pieces and learned their vectors, the BiLSTM started from
  pretrained vectors of 300 numbers.
  """
  if c.model == "blend_cnn":
    return None, blend_cnn.BlendCnn.embed_width, "random"
  if c.model == "bilstm":
    return c.vocab_size, bilstm.BiLstm.embed_width, c.embeddings
  return c.vocab_size, c.embed_width, c.embeddings


def check(c: Any) -> None:
  """Refuses fields that have a value no student can be trained with."""
  choices = {
    "model": sorted(MODEL_FIELDS),
    "loss": distill.LOSSES,
    "mode": side_by_side.MODES,
    "embeddings": ("teacher", "random"),
  }
  for field, allowed in choices.items():
    _check_choice(field, c[field], allowed)
  if c.left_out is not None:
    _check_choice("left_out", c.left_out, ("nearest",))
  if not c.arms:
    raise UserError(
      f"config.students.arms is empty: give some of {', '.join(ARMS)}, {TFIDF}"
    )
  for arm in c.arms:
    _check_choice("arms", arm, [*ARMS, TFIDF])
  if len({*c.arms}) < len(c.arms):
    raise UserError(
      f"config.students.arms is {tuple(c.arms)!r}: name each arm once"
    )
  for field in ("num_seeds", "total_steps", "batch_size", "eval_every_steps"):
    if c[field] < 1:
      raise UserError(f"config.students.{field} is {c[field]}: at least 1")
  if c.batch_size == 1 and c.labelled_fraction < 1:
    raise UserError(
      "config.students.batch_size is 1, and a batch has labelled and generated"
      " rows: at least 2"
    )
  if c.second_round is not None:
    if not 0 < c.second_round < 1:
      raise UserError(
        f"config.students.second_round is {c.second_round}: a share between 0"
        " and 1, or None"
      )
    if c.num_texts is None:
      raise UserError(
        "config.students.second_round needs config.students.num_texts: how many"
        " texts both rounds have together, fewer than config.corpus.num_texts"
      )
    if c.balance is not None:
      raise UserError(
        "config.students.second_round and config.students.balance do not go"
        " together: what is disputed may be of one class; set one to None"
      )
  if not 0 < c.labelled_fraction <= 1:
    raise UserError(
      "config.students.labelled_fraction is a share above 0 and at most 1, "
      f"not {c.labelled_fraction}"
    )
  if c.mix is not None and c.mix <= 0:
    raise UserError(
      f"config.students.mix is {c.mix}: None, or the Beta's parameter above 0"
    )
  if c.min_confidence is not None and not 0 <= c.min_confidence < 1:
    raise UserError(
      "config.students.min_confidence is a probability below 1 or None, "
      f"not {c.min_confidence}"
    )
  if c.balance is not None and c.balance < 1:
    raise UserError(
      f"config.students.balance is {c.balance}: None, or at least 1, an equal "
      "share for each class"
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


def _digest(arrays: Sequence[np.ndarray | None]) -> str:
  sha = hashlib.sha256()
  for array in arrays:
    if array is not None:
      sha.update(f"{array.dtype}{array.shape}".encode())
      sha.update(np.ascontiguousarray(array).tobytes())
  return sha.hexdigest()
