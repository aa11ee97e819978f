# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Differences between arms within a draw, with intervals over draws and rows.

Legend: D draws, N evaluation rows, R resamples.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

RESAMPLES, LEVEL = 2000, 0.95
# Below such a gap between teacher and kd its closed share says little.
LEAST_GAP = 0.05

Scores = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A number with the interval that holds 95% of its resamples."""

  value: float
  low: float
  high: float

  @property
  def better(self) -> bool:
    """Whether the interval lies above 0."""
    return self.low > 0


def load(
  out: pathlib.Path, keep: Callable[[dict[str, Any]], bool] = lambda run: True
) -> dict[str, np.ndarray]:
  """{arm: [D N], the share of seeds that got each row right}, by draw.

  An arm that is missing in a draw that another arm has is left out.

  Args:
    out: What `collect.py` wrote, without a suffix.
    keep: keep(run) -> whether a run counts.
  """
  if not out.with_suffix(".json").exists():
    return {}
  runs = json.loads(out.with_suffix(".json").read_text())
  found: dict[str, dict[int, np.ndarray]] = {}
  with np.load(out.with_suffix(".npz")) as arrays:
    for i, run in enumerate(runs):
      for arm, seeds in run["seeds"].items() if keep(run) else ():
        found.setdefault(arm, {})[run["draw"]] = arrays[f"{i}/{arm}"] / seeds
  draws = sorted({draw for by_draw in found.values() for draw in by_draw})
  return {
    arm: np.stack([by_draw[draw] for draw in draws])
    for arm, by_draw in found.items()
    if sorted(by_draw) == draws
  }


def resampled(scores: Scores, *, seed: int = 0) -> dict[str, np.ndarray]:
  """{arm: [R] means}: draws and rows with replacement, alike for all arms."""
  num_draws, num_rows = next(iter(scores.values())).shape
  rng = np.random.default_rng(seed)
  rows = rng.multinomial(
    num_rows, np.full(num_rows, 1 / num_rows), size=RESAMPLES
  ).astype(np.float32)
  draws = rng.multinomial(
    num_draws, np.full(num_draws, 1 / num_draws), size=RESAMPLES
  )
  return {
    arm: ((rows @ values.T.astype(np.float32)) * draws).sum(axis=1)
    / (num_rows * num_draws)
    for arm, values in scores.items()
  }


def _estimate(value: float, samples: np.ndarray) -> Estimate:
  tail = (1 - LEVEL) / 2
  low, high = np.quantile(samples, [tail, 1 - tail])
  return Estimate(float(value), float(low), float(high))


def difference(scores: Scores, arm: str, than: str) -> Estimate:
  """mean(arm) - mean(than), paired: each resample is one of both."""
  pair = {name: scores[name] for name in (arm, than)}
  again = resampled(pair)
  value = pair[arm].mean() - pair[than].mean()
  return _estimate(value, again[arm] - again[than])


def gap_closed(scores: Scores, arm: str = "gd") -> Estimate | None:
  """(arm - kd) / (teacher - kd), a ratio of means; None for a small gap."""
  used = {name: scores[name] for name in (arm, "kd", "teacher")}
  means = {name: values.mean() for name, values in used.items()}
  gap = means["teacher"] - means["kd"]
  if gap < LEAST_GAP:
    return None
  again = resampled(used)
  samples = (again[arm] - again["kd"]) / (again["teacher"] - again["kd"])
  return _estimate((means[arm] - means["kd"]) / gap, samples)


def spread(scores: np.ndarray) -> str:
  """ "83.7 ± 1.2": the mean, and the std over draws where there are several."""
  means = 100 * scores.mean(axis=1)
  if len(means) == 1:
    return f"{means[0]:.1f}"
  return f"{means.mean():.1f} ± {means.std(ddof=1):.1f}"


def in_words(estimate: Estimate, *, points: bool = True) -> str:
  """ "+5.1 [1.9, 8.3]" in points, or a share as it is."""
  if points:
    value, low, high = (
      100 * x for x in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value:+.1f} [{low:.1f}, {high:.1f}]"
  return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
