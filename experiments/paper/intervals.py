# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Differences between arms within a draw, with intervals over draws and rows.

Legend: D draws, N evaluation rows, R resamples.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from experiments.paper import stored

RESAMPLES, LEVEL = 2000, 0.95
# Below such a gap between teacher and kd its closed share says little.
LEAST_GAP = 0.05
# Resamples of the rows that are in memory at a time.
_AT_ONCE = 250

# {arm: {draw: [N], the share of seeds that got each row right}}
Scores = Mapping[str, Mapping[int, np.ndarray]]

# Two draws' intervals hold the truth as often as not; see the table `coverage`.
ENOUGH_DRAWS = 3


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A number with the interval that holds 95% of its resamples.

  Attributes:
    value: The number.
    low: The interval's lower end.
    high: Its upper end.
    draws: Those it is over, which all of its arms have.
  """

  value: float
  low: float
  high: float
  draws: tuple[int, ...]

  @property
  def better(self) -> bool:
    """Whether the interval lies above 0."""
    return self.low > 0


def load(
  out: pathlib.Path, keep: Callable[[dict[str, Any]], bool] = lambda run: True
) -> dict[str, dict[int, np.ndarray]]:
  """The scores in what `collect.py` stored in `out`; none if it did not.

  Args:
    out: Without a suffix.
    keep: keep(run) -> whether a run counts.
  """
  return of(filter(keep, stored.load(out)))


def of(runs: Iterable[stored.Run]) -> dict[str, dict[int, np.ndarray]]:
  """The scores of runs; of an arm's several in one draw, the last one's."""
  found: dict[str, dict[int, np.ndarray]] = {}
  for run in runs:
    for arm, rows in run["rows"].items():
      found.setdefault(arm, {})[run["draw"]] = rows / run["seeds"][arm]
  return found


def others(draws: Collection[int], of_row: Collection[int]) -> str:
  """Said where a cell has other draws than its row, fewer as a rule."""
  noun = "draw" if len(draws) == 1 else "draws"
  return f" ({len(draws)} {noun})" if {*draws} != {*of_row} else ""


def paired(scores: Scores, *arms: str) -> dict[str, np.ndarray]:
  """{arm: [D N]} of the draws that all of `arms` have; D may be 0."""
  draws = set.intersection(*({*scores.get(arm, {})} for arm in arms))
  return {
    arm: np.stack([scores[arm][draw] for draw in sorted(draws)])
    for arm in arms
    if draws
  }


def resampled(
  values: Mapping[str, np.ndarray], *, seed: int = 0
) -> dict[str, np.ndarray]:
  """{arm: [R] means}: draws and rows with replacement, alike for all arms."""
  num_draws, num_rows = next(iter(values.values())).shape
  rng = np.random.default_rng(seed)
  found: dict[str, list[np.ndarray]] = {arm: [] for arm in values}
  for _ in range(RESAMPLES // _AT_ONCE):
    rows = rng.multinomial(
      num_rows, np.full(num_rows, 1 / num_rows), size=_AT_ONCE
    )
    draws = rng.multinomial(
      num_draws, np.full(num_draws, 1 / num_draws), size=_AT_ONCE
    )
    for arm, value in values.items():
      sums = ((rows @ value.T) * draws).sum(axis=1)
      found[arm].append(sums / (num_rows * num_draws))
  return {arm: np.concatenate(parts) for arm, parts in found.items()}


def _estimate(
  scores: Scores, arms: tuple[str, ...], number: Callable[..., Any]
) -> Estimate | None:
  """number(mean of each arm), of the means and of resampled ones.

  None where no draw has all arms.
  """
  values = paired(scores, *arms)
  if not values:
    return None
  value = number(*(values[arm].mean() for arm in arms))
  again = resampled(values)
  low, high = _ends(number(*(again[arm] for arm in arms)))
  draws = set.intersection(*({*scores[arm]} for arm in arms))
  return Estimate(float(value), float(low), float(high), tuple(sorted(draws)))


def difference(scores: Scores, arm: str, than: str) -> Estimate | None:
  """mean(arm) - mean(than), paired: each resample is one of both."""
  return _estimate(scores, (arm, than), lambda a, b: a - b)


def ratio(scores: Scores, arm: str, to: str) -> Estimate | None:
  """mean(arm) / mean(to), paired."""
  return _estimate(scores, (arm, to), lambda a, b: a / b)


def gap_closed(scores: Scores, arm: str = "gd") -> Estimate | None:
  """(arm - kd) / (teacher - kd), a ratio of means; None for a small gap."""
  arms = (arm, "kd", "teacher")
  means = {name: value.mean() for name, value in paired(scores, *arms).items()}
  # 0.95 - 0.90 is a little less than 0.05 to a computer.
  if not means or means["teacher"] - means["kd"] < LEAST_GAP - 1e-9:
    return None
  return _estimate(scores, arms, lambda a, kd, top: (a - kd) / (top - kd))


def coverage(num_draws: int, *, trials: int = 10_000) -> float:
  """How often an interval of `difference` holds the truth, where draws differ.

  Simulated: each draw's difference is normal around a true one of 0, and
  evaluation rows add no noise. Few draws show too little of how much draws
  differ, so that this is below LEVEL.
  """
  rng = np.random.default_rng(0)
  again = resampled(
    {str(trial): rng.normal(size=(num_draws, 1)) for trial in range(trials)}
  )
  low, high = _ends(np.stack([*again.values()]))
  return float(np.mean((low <= 0) & (high >= 0)))


def _ends(values: np.ndarray) -> np.ndarray:
  """[2 ...]: what holds LEVEL of the last dimension between them."""
  tail = (1 - LEVEL) / 2
  return np.quantile(values, [tail, 1 - tail], axis=-1)


def spread(by_draw: Mapping[int, np.ndarray]) -> str:
  """ "83.7 ± 1.2": the mean, and the std over draws where there are several."""
  means = 100 * np.array([values.mean() for values in by_draw.values()])
  if len(means) == 1:
    return f"{means[0]:.1f}"
  return f"{means.mean():.1f} ± {means.std(ddof=1):.1f}"


def in_words(estimate: Estimate, *, points: bool = True) -> str:
  """ "+5.1 [1.9, 8.3]" in points, or a share as it is.

  Bold is what is better, of draws enough to say so.
  """
  if points:
    value, low, high = (
      100 * x for x in (estimate.value, estimate.low, estimate.high)
    )
    words = f"{value:+.1f} [{low:.1f}, {high:.1f}]"
    is_bold = estimate.better and len(estimate.draws) >= ENOUGH_DRAWS
    return f"**{words}**" if is_bold else words
  return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
