# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Numbers and texts as a reader meets them, in the terminal and on the page."""

import unicodedata
from collections.abc import Mapping
from typing import Any


def percent(share: float) -> str:
  """A share in per cent, one decimal: 0.859 -> "85.9"."""
  return f"{100 * share:.1f}"


def points(share: float) -> str:
  """A difference of shares in points, signed: -0.012 -> "−1.2"."""
  rounded = round(100 * share, 1)
  if rounded == 0:
    return "0.0"
  return f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}"


def spread(score: Mapping[str, Any]) -> str:
  """Mean and deviation in per cent: "85.9 ± 0.6"; "85.9" for one seed."""
  if score["std"] is None:
    return percent(score["mean"])
  return f"{percent(score['mean'])} ± {percent(score['std'])}"


def over(score: Mapping[str, Any]) -> str:
  """What the spread is over: "std over 5 seeds"."""
  n = len(score["per_seed"])
  return "1 seed" if n == 1 else f"std over {n} seeds"


def count(n: float) -> str:
  """12000 -> "12,000"."""
  return f"{n:,.0f}"


def short(n: float) -> str:
  """Three digits that matter: 22713216 -> "22.7 M", 3383.2 -> "3,380"."""
  for unit, suffix in ((1e9, " G"), (1e6, " M")):
    if n >= unit:
      return f"{n / unit:.3g}{suffix}"
  return f"{float(f'{n:.3g}'):,.0f}" if n >= 100 else f"{n:.3g}"


def times(ratio: float) -> str:
  """21.3 -> "21×", 2.14 -> "2.1×"."""
  return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def duration(seconds: float) -> str:
  """3725 -> "1 h 2 min"; 250 -> "4 min 10 s"; 4.2 -> "4.2 s"."""
  if seconds < 10:
    return f"{seconds:.1f} s"
  whole = round(seconds)
  if whole < 60:
    return f"{whole} s"
  minutes, rest = divmod(whole, 60)
  if minutes < 60:
    return f"{minutes} min {rest} s"
  hours, minutes = divmod(round(whole / 60), 60)
  return f"{hours} h {minutes} min"


# Characters that turn the direction of what follows them, past the text's end.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
  """`text` without what a terminal or an HTML parser would act upon.

  Control characters, direction overrides and lone surrogates become U+FFFD;
  tabs and line ends become blanks. Letters of every script stay.
  """
  return "".join(
    " "
    if letter in "\t\n\r\u2028\u2029"
    else "\ufffd"
    if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
    else letter
    for letter in text
  )
