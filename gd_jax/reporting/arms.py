# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The arms of a run in words, and in the order in which a reader meets them."""

from collections.abc import Iterable

WORDS = {
  "teacher": (
    "The large model, finetuned on the labelled texts. It gives the soft "
    "labels and is what the students try to match."
  ),
  "tfidf": (
    "TF-IDF features and a linear SVM on the labelled texts: what one would "
    "try first."
  ),
  "gold": "The student trained on the labelled texts alone.",
  "kd": (
    "The student trained on the labelled texts with the teacher's soft labels; "
    "no generated text."
  ),
  "rules_kd": (
    "kd, plus texts made from the labelled ones by word rules (masking, "
    "replacing, cutting), with the teacher's soft labels."
  ),
  "real_kd": (
    "kd, plus real texts of the task whose labels nobody saw, with the "
    "teacher's soft labels: what a perfect generator would give."
  ),
  "gd_hard": (
    "kd, plus generated texts that carry only the teacher's most likely label."
  ),
  "gd_pretrained": (
    "gd with a generator that had first read general text, as GPT-2 had."
  ),
  "gd_domain": (
    "gd with a generator that had first read unlabelled text of the task's own "
    "domain."
  ),
  "gd": (
    "kd, plus generated texts with the teacher's soft labels: "
    "generation-distillation, the method."
  ),
}

# What the method is compared with, in the order of the questions: does it
# help over no student method, over distillation alone, over hard labels, over
# word rules; what does it lose against real texts and against the teacher?
_COMPARED_WITH = (
  *("tfidf", "gold", "kd", "gd_hard", "rules_kd"),
  *("real_kd", "teacher"),
)


def in_order(names: Iterable[str]) -> list[str]:
  """Known arms as in `WORDS`, the method last; others by name before it."""
  known = [*WORDS]
  last = known.index("gd")

  def place(name: str) -> tuple[float, str]:
    return (known.index(name) if name in WORDS else last - 0.5, name)

  return sorted(names, key=place)


def in_words(name: str) -> str:
  """What an arm is, in a sentence."""
  return WORDS.get(name, "Another arm of this run.")


def headline(names: Iterable[str]) -> str:
  """The arm a report speaks of first: gd, else the nearest thing there is."""
  there = set(names)
  for name in ("gd", "gd_hard", "kd", "gold"):
    if name in there:
      return name
  students = in_order(there - {"teacher", "tfidf"})
  return (students or in_order(there))[-1]


def comparisons(names: Iterable[str]) -> list[tuple[str, str]]:
  """(arm, than) pairs whose difference is worth an interval."""
  there = set(names)
  arm = headline(there)
  return [(arm, than) for than in _COMPARED_WITH if than in there - {arm}]
