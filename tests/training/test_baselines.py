# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from gd_jax.errors import UserError
from gd_jax.training import baselines

TEXTS = [
  "the kettle leaks",
  "kettle arrived broken",
  "my toaster smokes a lot",
  "the toaster sparks",
  "where is the parcel",
  "parcel never came",
]
LABELS = [0, 0, 1, 1, 2, 2]
UNSEEN = ["kettle and toaster", "the parcel leaks", "", "entirely new words"]


def reference_scores(texts, labels, unseen):
  vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
  svm = LinearSVC(C=1.0, random_state=0, max_iter=10_000)
  svm.fit(vectorizer.fit_transform(texts), labels)
  return svm.decision_function(vectorizer.transform(unseen)), svm


# Dies if: any setting of the vectorizer or the SVM is left out, or columns are
# matched to the wrong terms.
def test_scores_are_scikit_learns_own():
  model = baselines.fit(TEXTS, LABELS, num_classes=3)
  expected, _ = reference_scores(TEXTS, LABELS, UNSEEN)
  np.testing.assert_allclose(model.scores(UNSEEN), expected, rtol=1e-12)


def test_learns_its_rows():
  model = baselines.fit(TEXTS, LABELS, num_classes=3)
  assert model.scores(TEXTS).argmax(axis=1).tolist() == LABELS


# Dies if: weights are stored in float32, or the idf is computed anew.
def test_saved_and_loaded_it_scores_to_the_same_bits(tmp_path):
  from etils import epath

  model = baselines.fit(TEXTS, LABELS, num_classes=3)
  model.save(epath.Path(tmp_path))
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    "vocabulary.json",
    "weights.safetensors",
  ]
  loaded = baselines.load_svm(epath.Path(tmp_path))
  np.testing.assert_array_equal(loaded.scores(UNSEEN), model.scores(UNSEEN))
  assert loaded.num_params == model.num_params > 0


# Dies if: the one row of weights of a two-class SVM is taken for class 0.
def test_two_classes():
  model = baselines.fit(TEXTS[:4], LABELS[:4], num_classes=2)
  expected, svm = reference_scores(TEXTS[:4], LABELS[:4], TEXTS[:4])
  answers = model.scores(TEXTS[:4]).argmax(axis=1)
  np.testing.assert_array_equal(
    answers, svm.classes_[(expected > 0).astype(int)]
  )


@pytest.mark.parametrize("present", [[0, 2], [0, 1, 3]])
def test_a_class_never_seen_is_never_the_answer(present):
  texts = [
    text for text, _ in zip(TEXTS, range(2 * len(present)), strict=False)
  ]
  labels = [label for label in present for _ in range(2)]
  scores = baselines.fit(texts, labels, num_classes=4).scores(UNSEEN)
  assert scores.shape == (len(UNSEEN), 4)
  assert set(scores.argmax(axis=1)) <= set(present)
  absent = [c for c in range(4) if c not in present]
  assert (
    scores[:, absent].max(axis=1).tolist()
    < scores[:, present].min(axis=1).tolist()
  )


def test_refuses_what_cannot_be_learned():
  with pytest.raises(UserError, match="same label"):
    baselines.fit(TEXTS, [1] * len(TEXTS), num_classes=3)
  with pytest.raises(UserError, match="no labelled row has a word"):
    baselines.fit(["!", "?"], [0, 1], num_classes=2)


def test_damage_is_said(tmp_path):
  from etils import epath

  folder = epath.Path(tmp_path)
  baselines.fit(TEXTS, LABELS, num_classes=3).save(folder)
  whole = (folder / "weights.safetensors").read_bytes()
  (folder / "weights.safetensors").write_bytes(whole[:-9])
  with pytest.raises(UserError, match="--redo=students"):
    baselines.load_svm(folder)
