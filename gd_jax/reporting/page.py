# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""index.html: one file that needs no network and runs no script.

Every number comes from results.json or from the run's own files; every text
passes through Jinja's autoescape.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gd_jax.reporting import accuracy_view, corpus_view, matrices, view, words

_HERE = pathlib.Path(__file__).parent


def render(
  results: Mapping[str, Any],
  *,
  examples: Sequence[Mapping[str, Any]],
  confusions: Mapping[str, Any],
  curves: Sequence[Mapping[str, Any]],
) -> str:
  """The page as HTML.

  Args:
    results: as in results.json.
    examples: {"text", "label", "probability"} of generated texts.
    confusions: [C C] counts of (true, predicted) by arm.
    curves: from `curves.groups`.
  """
  # Late: only a report needs it.
  import jinja2

  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
  )
  css = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
  return environment.get_template("page.html").render(
    css=css,
    **view.head(results),
    **accuracy_view.accuracy(results),
    **view.the_arms(results),
    **view.size(results),
    **accuracy_view.price(results),
    calibration=accuracy_view.reliability(results),
    **view.time(results),
    health=corpus_view.health(results),
    examples=corpus_view.examples(examples),
    matrices=matrices.of(confusions, results["labels"]),
    curves=_curves(curves),
    versions=", ".join(
      f"{name} {version}" for name, version in results["versions"].items()
    ),
    config=[
      {"name": name, "value": words.visible(repr(value))}
      for name, value in _flat(results["config"])
    ],
  )


def _curves(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
  if not groups:
    return None
  return {
    "note": (
      "Over optimizer steps. Solid: held-out rows; dashed: the mean over "
      "training steps. Restarts are drawn apart; a student's line is the mean "
      "of its seeds, as far as all of them went."
    ),
    "groups": groups,
  }


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
  """(dotted name, value) of every field."""
  fields = []
  for name, value in config.items():
    if isinstance(value, Mapping):
      fields += _flat(value, f"{prefix}{name}.")
    else:
      fields.append((prefix + name, value))
  return fields
