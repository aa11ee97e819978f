# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page says: summary, arms, size and speed, time."""

from collections.abc import Mapping
from typing import Any

from gd_jax.reporting import arms, plots, svgs, words

Results = Mapping[str, Any]
View = dict[str, Any]

# What the style sheet has a colour of its own for.
_COLOURED = frozenset(
  {"teacher", "tfidf", "gold", "kd", "rules_kd", "real_kd", "gd_hard", "gd"}
)


def kind(arm: str) -> str:
  """An arm's colour class; arms without a colour of their own share one."""
  return arm if arm in _COLOURED else "other"


def head(results: Results) -> View:
  """Title, summary in a sentence or two, warnings and the four tiles."""
  found = results["arms"]
  name = arms.headline(found)
  return {
    "task": words.visible(results["task"]),
    "lede": _lede(results, name),
    "warnings": [words.visible(line) for line in _warnings(results)],
    "tiles": _tiles(results, name),
  }


def _lede(results: Results, name: str) -> str:
  arm = results["arms"][name]
  drawn = f"{words.count(results['num_labelled'])} labelled texts"
  wanted = results["labels_per_class"]
  if wanted is not None:
    short = results["num_labelled"] < wanted * results["num_classes"]
    drawn += f" ({'at most ' * short}{words.count(wanted)} per class)"
  if results["num_synthetic"]:
    drawn += f" and {words.count(results['num_synthetic'])} generated ones"
  sentence = (
    f"{drawn}, {results['num_classes']} classes: {name} has "
    f"{words.short(arm['params_total'])} parameters and gets "
    f"{words.percent(arm['accuracy']['mean'])}% of "
    f"{words.count(results['num_evaluated'])} {results['evaluate_on']} texts "
    "right."
  )
  teacher = results["arms"].get("teacher")
  if teacher is None or name == "teacher":
    return sentence
  size = words.short(teacher["params_total"])
  score = words.percent(teacher["accuracy"]["mean"])
  return f"{sentence} Its teacher, with {size}, gets {score}%."


def _warnings(results: Results) -> list[str]:
  lines = []
  if results["evaluate_on"] != "test":
    lines.append(
      f"Scored on the {results['evaluate_on']} rows, for making choices: final "
      "numbers are those on the test rows."
    )
  if results["unseen_labels"]:
    lines.append(results["spread"]["unseen"])
  return lines


def _tiles(results: Results, name: str) -> list[View]:
  found = results["arms"]
  arm, teacher = found[name], found.get("teacher")
  score = arm["accuracy"]
  tiles = [
    _tile(f"Accuracy of {name}", f"{words.spread(score)}%", words.over(score))
  ]
  if teacher is None or name == "teacher":
    return [
      *tiles,
      _tile(
        "Macro F1",
        f"{words.spread(arm['macro_f1'])}%",
        "mean over the training classes",
      ),
      _tile("Parameters", words.short(arm["params_total"]), "embeddings too"),
      _tile("Speed", words.short(arm["examples_per_second"]), "texts a second"),
    ]
  kept = score["mean"] / max(teacher["accuracy"]["mean"], 1e-9)
  smaller = teacher["params_total"] / arm["params_total"]
  faster = arm["examples_per_second"] / teacher["examples_per_second"]
  return [
    *tiles,
    _tile(
      "Of the teacher’s accuracy",
      f"{words.percent(kept)}%",
      f"the teacher has {words.percent(teacher['accuracy']['mean'])}%",
    ),
    _tile(
      f"{'Smaller' if smaller >= 1 else 'Larger'} than the teacher",
      words.times(max(smaller, 1 / smaller)),
      f"{words.short(arm['params_total'])} against "
      f"{words.short(teacher['params_total'])} parameters",
    ),
    _tile(
      f"{'Faster' if faster >= 1 else 'Slower'} than the teacher",
      words.times(max(faster, 1 / faster)),
      f"{words.short(arm['examples_per_second'])} against "
      f"{words.short(teacher['examples_per_second'])} texts a second",
    ),
  ]


def _tile(name: str, value: str, note: str) -> View:
  return {"name": name, "value": value, "note": note}


def the_arms(results: Results) -> View:
  """What each arm is, and the whole table."""
  headline = arms.headline(results["arms"])
  rows = []
  for name, arm in ordered(results["arms"]):
    held_out = arm["heldout_accuracy"]
    rows.append(
      {
        "name": words.visible(name),
        "kind": kind(name),
        "words": arms.in_words(name),
        "strong": name == headline,
        "cells": [
          words.spread(arm["accuracy"]),
          words.spread(arm["macro_f1"]),
          "–" if held_out is None else words.percent(held_out),
          str(arm["num_seeds"]),
          words.count(arm["params_total"]),
          words.count(arm["params_without_embeddings"]),
          words.short(arm["examples_per_second"]),
          words.short(arm["examples_per_second_with_tokenizing"]),
        ],
      }
    )
  return {
    "arms": {
      "note": (
        "All student arms share vocabulary, tokenizer, initial embeddings, "
        "number of steps, batch size, learning-rate search and stopping rule. "
        "Held-out rows are labelled rows kept back for selection; they choose, "
        "so their accuracy is a little too kind."
      ),
      "heads": [
        "arm",
        "accuracy",
        "macro F1",
        "held out",
        "seeds",
        "parameters",
        "without embeddings",
        "texts/s",
        "with tokenizing",
      ],
      "rows": rows,
    }
  }


def size(results: Results) -> View:
  """Parameters and speed, as bars from zero."""

  def rows(field: str) -> list[View]:
    values = {name: arm[field] for name, arm in ordered(results["arms"])}
    axis = svgs.from_zero([*values.values()])
    return [
      row(
        results,
        name,
        plots.bar(
          value, axis, kind=kind(name), title=f"{name}: {words.short(value)}"
        ),
        words.short(value),
      )
      for name, value in values.items()
    ]

  return {
    "size": {
      "note": ("Parameters count embeddings too. " + results["speed"]["words"]),
      "params": rows("params_total"),
      "speed": rows("examples_per_second"),
    }
  }


def time(results: Results) -> View:
  """Seconds of each phase, the longest first."""
  seconds = results["seconds"]
  axis = svgs.from_zero([*seconds.values()])
  return {
    "time": {
      "note": (
        f"{words.duration(sum(seconds.values()))} in all, on "
        f"{results['platform']}. A phase that was taken over from another run "
        "shows the time it took there."
      ),
      "rows": [
        {
          "name": phase.replace("_", " "),
          "svg": plots.bar(
            value,
            axis,
            kind="teacher",
            title=f"{phase}: {words.duration(value)}",
          ),
          "value": words.duration(value),
          "note": "",
          "strong": False,
        }
        for phase, value in sorted(seconds.items(), key=lambda item: -item[1])
      ],
    }
  }


def ordered(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
  """(name, arm) pairs in reading order."""
  return [(name, found[name]) for name in arms.in_order(found)]


def row(results: Results, name: str, svg: Any, value: str) -> View:
  """One line of a chart whose lines are arms."""
  return {
    "name": words.visible(name),
    "svg": svg,
    "value": value,
    "note": "",
    "strong": name == arms.headline(results["arms"]),
  }
