# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page says of accuracy: bars, differences, its price, calibration."""

from collections.abc import Mapping
from typing import Any

from gd_jax.reporting import calibration, charts, plots, svgs, view, words


def accuracy(results: Mapping[str, Any]) -> dict[str, Any]:
  """Bars from zero, then every seed and interval on a closer scale."""
  found = results["arms"]
  axis = svgs.Scale(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
  rows = [
    view.row(
      results,
      name,
      plots.bar(
        arm["accuracy"]["mean"],
        axis,
        kind=view.kind(name),
        title=f"{name}: {words.spread(arm['accuracy'])}%, "
        f"{words.over(arm['accuracy'])}",
        spread=arm["accuracy"]["std"],
      ),
      words.spread(arm["accuracy"]),
    )
    for name, arm in view.ordered(found)
  ]
  return {
    "accuracy": {
      "note": (
        f"Per cent of {words.count(results['num_evaluated'])} "
        f"{results['evaluate_on']} texts. {results['spread']['std']}"
      ),
      "rows": rows,
      "ticks": plots.ticks(axis, ["0", "25", "50", "75", "100%"]),
    },
    "closer": _closer(results),
    "differences": _differences(results),
  }


def _closer(results: Mapping[str, Any]) -> dict[str, Any]:
  values = [
    value
    for arm in results["arms"].values()
    for value in (*arm["accuracy"]["interval"], *arm["accuracy"]["per_seed"])
  ]
  axis = svgs.scale(values)
  rows = []
  for name, arm in view.ordered(results["arms"]):
    score = arm["accuracy"]
    bounds = "–".join(map(words.percent, score["interval"]))
    svg = plots.interval(
      score["mean"],
      score["interval"],
      axis,
      kind=view.kind(name),
      title=f"{name}: {words.percent(score['mean'])}%, interval {bounds}",
      dots=score["per_seed"] if len(score["per_seed"]) > 1 else (),
    )
    rows.append(view.row(results, name, svg, bounds))
  return {
    "note": (
      "The scale does not start at zero. Small dots are seeds, the large one "
      f"is their mean. {results['spread']['interval']}"
    ),
    "rows": rows,
    "ticks": plots.ticks(axis, [words.percent(tick) for tick in axis.ticks]),
  }


def _differences(results: Mapping[str, Any]) -> dict[str, Any] | None:
  pairs = results["differences"]
  if not pairs:
    return None
  bounds = [bound for pair in pairs for bound in pair["interval"]]
  axis = svgs.scale([*bounds, 0.0])
  rows = []
  for pair in pairs:
    low, high = map(words.points, pair["interval"])
    svg = plots.interval(
      pair["mean"],
      pair["interval"],
      axis,
      kind=view.kind(pair["than"]),
      title=f"{pair['arm']} − {pair['than']}: {words.points(pair['mean'])} "
      f"points, interval {low} to {high}",
    )
    rows.append(
      {
        "name": f"against {words.visible(pair['than'])}",
        "svg": svg,
        "value": words.points(pair["mean"]),
        "note": f"{low} to {high}",
        "strong": False,
      }
    )
  return {
    "arm": words.visible(pairs[0]["arm"]),
    "note": (
      "Points of accuracy, on the same texts. An interval that holds 0 leaves "
      "open which of the two is better. "
      f"{results['spread']['difference']}"
    ),
    "rows": rows,
    "ticks": plots.ticks(axis, [words.points(tick) for tick in axis.ticks]),
  }


# Field of an arm -> what accuracy is drawn against.
PRICES = {
  "params_total": "Accuracy (%) over parameters",
  "latency_ms": "Accuracy (%) over latency (ms)",
}


def price(results: Mapping[str, Any]) -> dict[str, Any]:
  """Accuracy over parameters and over latency, all arms."""
  panels = []
  for field, title in PRICES.items():
    points = [
      charts.Point(
        arm[field],
        arm["accuracy"]["mean"],
        kind=view.kind(name),
        label=name,
      )
      for name, arm in view.ordered(results["arms"])
    ]
    panels.append({"name": title, "svg": charts.scatter(points, title=title)})
  return {
    "price": {
      "note": (
        f"{results['speed']['latency_words']} Both scales are logarithmic, and "
        "those of accuracy do not start at zero. Student arms share their "
        "architecture, hence their size and latency; a point is the mean over "
        "seeds."
      ),
      "panels": panels,
    }
  }


def reliability(results: Mapping[str, Any]) -> dict[str, Any] | None:
  """A reliability diagram for each arm whose scores are probabilities."""
  panels = []
  for name, arm in view.ordered(results["arms"]):
    found = arm["calibration"]
    if found is not None:
      ece = words.spread(found["ece"])
      svg = charts.reliability(
        found["bins"],
        kind=view.kind(name),
        title=f"{name}: share of right answers over confidence, ECE {ece}%",
      )
      panels.append(
        {"name": words.visible(name), "note": f"ECE {ece}%", "svg": svg}
      )
  if not panels:
    return None
  left_out = sorted(calibration.WITHOUT_PROBABILITIES & {*results["arms"]})
  remark = f" {left_out[0]} gives no probabilities." if left_out else ""
  return {
    "note": (
      "Right answers (up, %) among the texts of about equal confidence (along, "
      "%): on the dashed line a model is right as often as it is sure, below "
      "it is too sure of itself. A dot's area is its share of the texts, of "
      f"all seeds. ECE is {calibration.SOURCE}; ± as above.{remark}"
    ),
    "panels": panels,
  }
