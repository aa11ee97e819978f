# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""TF-IDF and a linear SVM: what a user would try first."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load, save

from gd_jax import artefacts
from gd_jax.errors import UserError

_TERMS, _WEIGHTS = "vocabulary.json", "weights.safetensors"


@dataclasses.dataclass(frozen=True)
class TfidfSvm:
  """A fitted model; all it is lies in these arrays.

  Attributes:
    terms: Words and pairs of words, in the order of their columns.
    idf: Inverse document frequencies.
    coef: One row of weights for each class seen, or a single one for two
      classes.
    intercept: One for each row of `coef`.
    classes: The labels seen, sorted.
    num_classes: Of the task.
  """

  terms: Sequence[str]
  idf: Float[np.ndarray, " F"]
  coef: Float[np.ndarray, "R F"]
  intercept: Float[np.ndarray, " R"]
  classes: Int[np.ndarray, " K"]
  num_classes: int

  def scores(self, texts: Sequence[str]) -> Float[np.ndarray, "N C"]:
    """Signed distances from each class's plane; the largest is the answer.

    A class that was never seen gets less than every other one.
    """
    vectorizer = _vectorizer(
      vocabulary={t: i for i, t in enumerate(self.terms)}
    )
    vectorizer.idf_ = self.idf
    distances = vectorizer.transform(texts) @ self.coef.T + self.intercept
    if len(self.classes) == 2:
      distances = np.concatenate([-distances, distances], axis=1)
    lowest = distances.min(axis=1, keepdims=True, initial=0.0) - 1
    scores = np.repeat(lowest, self.num_classes, axis=1)
    scores[:, self.classes] = distances
    return scores

  def save(self, folder: epath.Path) -> None:
    """Writes it without pickle: the terms as JSON, the rest as safetensors."""
    terms = {"terms": list(self.terms), "num_classes": self.num_classes}
    artefacts.write_json(folder / _TERMS, terms)
    names = ("idf", "coef", "intercept", "classes")
    arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in names}
    artefacts.write_atomic(folder / _WEIGHTS, save(arrays))

  @property
  def num_params(self) -> int:
    """Numbers stored: weights, intercepts and frequencies."""
    return self.idf.size + self.coef.size + self.intercept.size


def fit(
  texts: Sequence[str], labels: Sequence[int], *, num_classes: int
) -> TfidfSvm:
  """Fits on all rows given: sublinear TF, words and pairs of them, C = 1.

  Raises:
    UserError: All rows have one label, or no row has a word.
  """
  from sklearn.svm import LinearSVC

  if len(set(labels)) < 2:
    raise UserError(
      "tfidf: all labelled rows have the same label; leave it out of"
      " config.students.arms, or add rows of another class"
    )
  vectorizer = _vectorizer()
  try:
    features = vectorizer.fit_transform(texts)
  except ValueError as error:  # "empty vocabulary"
    raise UserError(
      f"tfidf: no labelled row has a word ({error}); leave it out of"
      " config.students.arms"
    ) from error
  # The seed is of the order in which the solver visits rows.
  svm = LinearSVC(C=1.0, random_state=0, max_iter=10_000)
  svm.fit(features, np.asarray(labels))
  return TfidfSvm(
    terms=list(vectorizer.get_feature_names_out()),
    idf=vectorizer.idf_,
    coef=svm.coef_,
    intercept=np.broadcast_to(svm.intercept_, (len(svm.coef_),)),
    classes=svm.classes_,
    num_classes=num_classes,
  )


def load_svm(folder: epath.Path) -> TfidfSvm:
  """What `TfidfSvm.save` wrote; it scores texts to the same bits.

  Raises:
    UserError: A file is missing or damaged.
  """
  terms = artefacts.read_json(folder / _TERMS)
  try:
    arrays = load((folder / _WEIGHTS).read_bytes())
    fields: dict[str, Any] = {**terms, **arrays}
    return TfidfSvm(**fields)
  except (OSError, SafetensorError, TypeError) as error:
    raise UserError(
      f"{folder / _WEIGHTS} can't be read ({error}): "
      "run again with --redo=students"
    ) from error


def _vectorizer(**settings):
  from sklearn.feature_extraction.text import TfidfVectorizer

  return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), **settings)
