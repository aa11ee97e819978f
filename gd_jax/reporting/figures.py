# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page's charts as pictures for a paper or slides, PNG and SVG."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epath
from jaxtyping import Num

from gd_jax.reporting import (
  accuracy_view,
  arms,
  calibration,
  drawing,
  matrices,
  svgs,
  view,
  words,
)

if TYPE_CHECKING:
  from matplotlib.figure import Figure

Results = Mapping[str, Any]

# A label for each row of a larger matrix can't be read.
_MOST_LABELS = 60


def write(
  folder: epath.Path,
  results: Results,
  confusions: Mapping[str, Num[np.ndarray, "C C"]],
) -> None:
  """Writes every picture of a run into `folder`.

  accuracy, accuracy_by_params, accuracy_by_latency, calibration (of the arms
  that give probabilities) and confusion_ARM.

  Args:
    folder: is made.
    results: as in results.json.
    confusions: counts of (true, predicted) by arm.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with drawing.style():
    drawing.save(accuracy(results), folder, "accuracy")
    for field, title in accuracy_view.PRICES.items():
      name = f"accuracy_by_{field.partition('_')[0]}"
      drawing.save(price(results, field, title), folder, name)
    if any(arm["calibration"] for arm in results["arms"].values()):
      drawing.save(reliability(results), folder, "calibration")
    for name, counts in confusions.items():
      figure = confusion(counts, results["labels"], title=_of(results, name))
      drawing.save(figure, folder, f"confusion_{name}")


def accuracy(results: Results) -> "Figure":
  """Bars from zero; whiskers are deviations over seeds."""
  found = [*reversed(view.ordered(results["arms"]))]
  figure = drawing.new(6, 0.9 + 0.34 * len(found))
  axes = figure.subplots()
  for y, (name, arm) in enumerate(found):
    score = arm["accuracy"]
    axes.barh(
      y,
      100 * score["mean"],
      height=0.62,
      color=drawing.colour(name),
      xerr=None if score["std"] is None else 100 * score["std"],
      error_kw={"elinewidth": 1.2, "capsize": 3, "ecolor": "#1f2328"},
    )
    edge = 100 * (score["mean"] + (score["std"] or 0.0))
    axes.text(edge + 1.5, y, words.spread(score), va="center")
  axes.set_yticks(range(len(found)), [drawing.name(name) for name, _ in found])
  axes.set_xlim(0, 118)
  axes.spines["bottom"].set_bounds(0, 100)
  axes.set_xticks(range(0, 101, 20))
  axes.tick_params(axis="y", length=0)
  axes.grid(axis="x")
  axes.set_xlabel(f"accuracy, % {_of_texts(results)}{_spread(results)}")
  return figure


def price(results: Results, field: str, title: str) -> "Figure":
  """Accuracy over what it costs, logarithmic; every arm by its name."""
  found = view.ordered(results["arms"])
  figure = drawing.new(6, 3.8)
  axes = figure.subplots()
  x = [arm[field] for _, arm in found]
  y = [100 * arm["accuracy"]["mean"] for _, arm in found]
  for (name, _), at, value in zip(found, x, y, strict=True):
    axes.plot(
      at,
      value,
      color=drawing.colour(name),
      marker=drawing.marker(name),
      markersize=8,
      markeredgecolor="white",
      markeredgewidth=0.8,
    )
  scale = svgs.log_scale(x)
  axes.set_xscale("log")
  axes.set_xlim(scale.low, scale.high)
  axes.set_xticks(scale.ticks, [words.short(tick) for tick in scale.ticks])
  axes.set_xticks([], minor=True)
  axes.grid()
  axes.margins(y=0.12)
  axes.set_xlabel(title.partition(" over ")[2] + ", log scale")
  axes.set_ylabel(f"accuracy, % {_of_texts(results)}")
  axes.set_title(drawing.name(results["task"]))
  drawing.name_points(axes, [name for name, _ in found], x, y)
  return figure


def reliability(results: Results) -> "Figure":
  """A reliability diagram for each arm that gives probabilities."""
  found = [
    (name, arm["calibration"])
    for name, arm in view.ordered(results["arms"])
    if arm["calibration"] is not None
  ]
  columns = min(3, len(found))
  rows = math.ceil(len(found) / columns)
  figure = drawing.new(2.5 * columns + 0.3, 2.6 * rows + 0.5)
  # Dots at 100% reach beyond their axes.
  figure.get_layout_engine().set(w_pad=0.14, h_pad=0.1)  # pyright: ignore
  panels = figure.subplots(
    rows, columns, sharex=True, sharey=True, squeeze=False
  ).ravel()
  for axes, (name, measured) in zip(panels, found, strict=False):
    bins, colour = measured["bins"], drawing.colour(name)
    x = [100 * found["confidence"] for found in bins]
    y = [100 * found["accuracy"] for found in bins]
    axes.plot([0, 100], [0, 100], "--", color="#5c636b", linewidth=0.9)
    sizes = [max(6.0, 420 * found["share"]) for found in bins]
    axes.scatter(x, y, sizes, color=colour, alpha=0.6, zorder=3, clip_on=False)
    axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axes.set_xticks(range(0, 101, 25))
    axes.set_yticks(range(0, 101, 25))
    axes.grid()
    ece = words.spread(measured["ece"])
    axes.set_title(f"{drawing.name(name)}: ECE {ece}%")
  for axes in panels[len(found) :]:
    axes.set_axis_off()
  figure.supxlabel(
    f"confidence, %. ECE: Guo et al. 2017, eq. 3, {calibration.NUM_BINS} bins; "
    "± std over seeds.\nA dot's area is its share of the texts.",
    fontsize=8,
  )
  figure.supylabel("right answers, %", fontsize=9)
  return figure


def confusion(
  counts: Num[np.ndarray, "C C"], labels: Sequence[str], *, title: str
) -> "Figure":
  """Shades are shares of the true class, numbers are texts."""
  size = len(labels)
  shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
  is_small = size <= matrices.MOST_CLASSES
  side = 0.46 * size if is_small else min(0.2 * size, 12)
  figure = drawing.new(max(side, 1.6) + 2.4, max(side, 1.6) + 1.5)
  axes = figure.subplots()
  image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
  if is_small:
    for (i, j), share in np.ndenumerate(shares):
      axes.text(
        j,
        i,
        matrices.cell_text(float(counts[i, j])),
        ha="center",
        va="center",
        fontsize=8,
        color="white" if share > matrices.DEEP else "#1f2328",
      )
  if size <= _MOST_LABELS:
    shown = [drawing.name(label) for label in labels]
    letters = 8 if is_small else 6
    axes.set_xticks(
      range(size), shown, rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(size), shown)
    axes.tick_params(labelsize=letters)
  axes.tick_params(length=0)
  axes.spines[:].set_visible(False)
  axes.set_xlabel("predicted class")
  axes.set_ylabel("true class")
  axes.set_title(title)
  bar = figure.colorbar(image, shrink=0.7, ticks=[0, 0.5, 1])
  bar.ax.set_yticklabels(["0%", "50%", "100%"])
  bar.set_label("share of the true class")
  bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
  return figure


def _of(results: Results, name: str) -> str:
  seeds = results["arms"][name]["num_seeds"]
  mean = f", mean of {seeds} seeds" if seeds > 1 else ""
  return f"{drawing.name(results['task'])}, {drawing.name(name)}{mean}"


def _of_texts(results: Results) -> str:
  count = words.count(results["num_evaluated"])
  return f"of {count} {results['evaluate_on']} texts"


def _spread(results: Results) -> str:
  found = arms.in_order(results["arms"])
  seeds = {results["arms"][name]["num_seeds"] for name in found} - {1}
  return f" (± std over {max(seeds)} seeds)" if seeds else ""
