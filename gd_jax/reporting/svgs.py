# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The bricks of a chart: round axes, and SVG built as trees of elements.

A tree needs no escaping by hand, whatever a class or an arm is named.
"""

import dataclasses
import math
from collections.abc import Sequence
from xml.etree import ElementTree

from markupsafe import Markup

Element = ElementTree.Element


@dataclasses.dataclass(frozen=True)
class Scale:
  """A linear or logarithmic axis from `low` to `high` with its `ticks`."""

  low: float
  high: float
  ticks: tuple[float, ...]
  is_log: bool = False

  def percent(self, value: float) -> float:
    """Where `value` lies, in per cent of the axis."""
    low, high = self.low, self.high
    if self.is_log:
      low, high, value = map(math.log10, (low, high, value))
    return 100 * (value - low) / (high - low)


def scale(
  values: Sequence[float],
  *,
  num_ticks: int = 5,
  from_zero: bool = False,
) -> Scale:
  """An axis with round ticks (1, 2 or 5 times a power of ten) over `values`.

  Args:
    values: what must lie on the axis.
    num_ticks: about how many ticks.
    from_zero: whether the axis starts at 0, as a bar's must.
  """
  low, high = min(values), max(values)
  if from_zero:
    low = 0.0
  span = (high - low) or abs(high) or 1.0
  raw = span / num_ticks
  power = 10.0 ** math.floor(math.log10(raw))
  step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
  first = math.floor(low / step + 1e-9)
  last = math.ceil(high / step - 1e-9)
  if last == first:
    # Away from where shares end: neither below 0 nor above 1.
    first, last = (first - 1, last) if high > 0 else (first, last + 1)
  ticks = tuple(round(step * i, 12) for i in range(first, last + 1))
  return Scale(ticks[0], max(ticks[-1], high), ticks)


def log_scale(values: Sequence[float], *, margin: float = 1.6) -> Scale:
  """A logarithmic axis over positive `values`, with room at both ends.

  Its ticks are powers of ten; where fewer than three of them lie on it, 2 and 5
  times them as well.
  """
  low, high = min(values) / margin, max(values) * margin
  powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

  def ticks(factors: Sequence[int]) -> list[float]:
    # Of a power below one, dividing is exact where multiplying is not.
    every = [
      factor * 10.0**power if power >= 0 else factor / 10.0**-power
      for power in powers
      for factor in factors
    ]
    return [tick for tick in every if low <= tick <= high]

  tens = ticks((1,))
  return Scale(
    low, high, tuple(tens if len(tens) >= 3 else ticks((1, 2, 5))), is_log=True
  )


def apart(
  wanted: Sequence[float], *, least: float, low: float, high: float
) -> list[float]:
  """Where labels go that shall stand at `wanted` but not on each other.

  Args:
    wanted: where each label's middle would best lie.
    least: between the middles of two labels.
    low: the least a middle may be.
    high: the most a middle may be.

  Returns:
    Of all such places the nearest by least squares, as long as there is room
    for all of them between `low` and `high`.
  """
  order = sorted(range(len(wanted)), key=lambda i: wanted[i])
  # Isotonic regression: neighbours that would overlap move as one block.
  blocks: list[tuple[float, int]] = []  # (mean, size)
  for rank, i in enumerate(order):
    mean, size = wanted[i] - rank * least, 1
    while blocks and blocks[-1][0] > mean:
      other, n = blocks.pop()
      mean, size = (mean * size + other * n) / (size + n), size + n
    blocks.append((mean, size))
  flat = [mean for mean, size in blocks for _ in range(size)]
  top = max(low, high - (len(wanted) - 1) * least)
  places = [0.0] * len(wanted)
  for rank, i in enumerate(order):
    places[i] = min(max(flat[rank], low), top) + rank * least
  return places


def percent(value: float) -> str:
  return f"{value:.2f}%"


def short(value: float) -> str:
  return f"{value:.1f}"


def from_zero(values: Sequence[float]) -> Scale:
  """An axis from 0 to the largest value, for bars that stand without ticks."""
  return Scale(0.0, max([*values, 0.0]) or 1.0, ())


def element(tag: str, **attributes: object) -> Element:
  names = {"class_": "class", "text_anchor": "text-anchor"}
  return ElementTree.Element(
    tag, {names.get(name, name): str(v) for name, v in attributes.items()}
  )


def add(parent: Element, tag: str, **attributes: object) -> Element:
  child = element(tag, **attributes)
  parent.append(child)
  return child


def markup(svg: Element) -> Markup:
  # short_empty_elements off: HTML's parser knows no empty-element tags.
  return Markup(
    ElementTree.tostring(svg, encoding="unicode", short_empty_elements=False)
  )
