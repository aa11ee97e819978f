# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all figures share: colours, markers, letters, and how they are saved.

Matplotlib is imported late, and never through pyplot: whoever draws in a
notebook keeps their backend and their settings.
"""

import contextlib
import functools
import io
import pathlib
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from etils import epath

from gd_jax import artefacts
from gd_jax.reporting import svgs, view, words

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

_CSS = pathlib.Path(__file__).parent / "page.css"
_DPI = 160
# No date, by kind of file.
_METADATA = {"png": {"Software": None}, "svg": {"Date": None}}
_STYLE: dict[Any, Any] = {
  "font.family": "sans-serif",
  "font.size": 9,
  "axes.titlesize": 9,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.edgecolor": "#5c636b",
  "axes.labelcolor": "#1f2328",
  "axes.axisbelow": True,
  "grid.color": "#e4e1da",
  "xtick.color": "#5c636b",
  "ytick.color": "#5c636b",
  "legend.frameon": False,
  # Of words that stay words one can search, copy and correct.
  "svg.fonttype": "none",
  # The same picture is the same bytes.
  "svg.hashsalt": "gd_jax",
  # A class may be named $x$.
  "text.parse_math": False,
}
# Besides its colour, for whoever sees no colours.
_MARKERS = {
  "teacher": "s",
  "tfidf": "X",
  "gold": "D",
  "kd": "^",
  "rules_kd": "P",
  "real_kd": "h",
  "gd_hard": "v",
  "gd_pretrained": "<",
  "gd_domain": ">",
  "gd": "o",
}
_LONGEST_NAME = 26


@contextlib.contextmanager
def style() -> Iterator[None]:
  """The settings that hold while a figure is made and saved."""
  import matplotlib

  with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
    # A script that the font lacks: the SVG's reader may have one that knows it.
    warnings.filterwarnings("ignore", message="Glyph .* missing")
    yield


def new(width: float, height: float) -> "Figure":
  """An empty figure; inches."""
  from matplotlib.figure import Figure

  return Figure(figsize=(width, height), layout="constrained")


def save(
  figure: "Figure",
  folder: epath.Path,
  name: str,
  kinds: Sequence[str] = tuple(_METADATA),
) -> None:
  """Writes FOLDER/NAME.KIND for each of `kinds`, "png" and "svg" if not said.

  Their bytes tell no time.
  """
  # Laid out once, not for each file.
  figure.draw_without_rendering()
  figure.set_layout_engine("none")
  for kind in kinds:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=_DPI, metadata=_METADATA[kind])
    artefacts.write_atomic(folder / f"{name}.{kind}", buffer.getvalue())


@functools.cache
def _colours() -> dict[str, str]:
  """The page's own, of its light scheme."""
  found = re.findall(r"--(\w+): (#\w{6});", _CSS.read_text(encoding="utf-8"))
  return dict(reversed(found))  # the first of a name wins


def colour(arm: str) -> str:
  """An arm's colour on white."""
  kind = view.kind(arm)
  return _colours()["method" if kind == "gd" else kind]


def marker(arm: str) -> str:
  """An arm's own marker."""
  return _MARKERS.get(arm, "*")


def name(label: str) -> str:
  """A label as it stands in a figure: visible, and not too long."""
  shown = words.visible(label)
  if len(shown) > _LONGEST_NAME:
    return shown[: _LONGEST_NAME - 1] + "…"
  return shown


def name_points(
  axes: "Axes", names: Sequence[str], x: Sequence[float], y: Sequence[float]
) -> None:
  """Writes each name beside its point, moved apart where they would overlap."""
  figure = axes.get_figure(root=True)
  assert figure is not None
  figure.draw_without_rendering()  # the layout is known from here on
  # A window's unit is a dot; offsets are in points.
  unit = 72 / figure.dpi
  window = axes.get_window_extent()
  places = [
    (px * unit, py * unit)
    for px, py in axes.transData.transform([*zip(x, y, strict=True)])
  ]
  left, right = window.x0 * unit, window.x1 * unit
  is_far = [px > left + 0.62 * (right - left) for px, _ in places]
  for side in (False, True):
    chosen = [i for i, far in enumerate(is_far) if far == side]
    moved = svgs.apart(
      [places[i][1] for i in chosen],
      least=11,
      low=window.y0 * unit + 6,
      high=window.y1 * unit - 6,
    )
    for i, to in zip(chosen, moved, strict=True):
      axes.annotate(
        name(names[i]),
        (x[i], y[i]),
        xytext=(-15 if side else 15, to - places[i][1]),
        textcoords="offset points",
        ha="right" if side else "left",
        va="center",
        arrowprops={
          "arrowstyle": "-",
          "color": "#5c636b",
          "linewidth": 0.6,
          "shrinkA": 1,
          "shrinkB": 5,
        },
      )
