# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import itertools
import pathlib
import re

import numpy as np
import pytest
from etils import epath

from gd_jax import reporting
from gd_jax.reporting import arms, drawing

CSS = (pathlib.Path(reporting.__file__).parent / "page.css").read_text()
KINDS = (
  "method",
  "teacher",
  "tfidf",
  "gold",
  "kd",
  "rules_kd",
  "real_kd",
  "gd_hard",
  "other",
)

# Linear RGB as a dichromat sees it: Machado et al. 2009, severity 1.
SEEN = {
  "all cones": np.eye(3),
  "no long ones": [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  "no medium ones": [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
  ],
  "no short ones": [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.303900],
  ],
}


def _oklab(colour, seen):
  """Oklab, in which distances are about as large as they look."""
  rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
  linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
  cones = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
  ]
  opponents = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
  ]
  light = np.clip(np.array(seen) @ linear, 0, 1)
  return np.array(opponents) @ np.cbrt(np.array(cones) @ light)


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart_whatever_cones_one_has(scheme, seen):
  # Dies if: the palette is that of before, whose kd and others were 0.03 apart.
  light, _, dark = CSS.partition("prefers-color-scheme: dark")
  text = light if scheme == "light" else dark
  colours = dict(reversed(re.findall(r"--(\w+): (#\w{6});", text)))
  places = [_oklab(colours[kind], SEEN[seen]) for kind in KINDS]
  apart = min(
    np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2)
  )
  assert apart > 0.06


def test_figures_have_the_colours_of_the_light_page():
  # Dies if: those of the dark scheme are taken, which come later in the file.
  light, _, _ = CSS.partition("prefers-color-scheme: dark")
  assert f"--method: {drawing.colour('gd')};" in light
  assert f"--kd: {drawing.colour('kd')};" in light
  assert f"--other: {drawing.colour('gd_domain')};" in light


def test_arms_that_stand_side_by_side_in_the_tables_differ_in_colour():
  # Dies if: rules_kd, real_kd and gd_pretrained share one, as they did.
  shown = [name for name in arms.WORDS if name != "gd_domain"]
  assert len({drawing.colour(name) for name in shown}) == len(shown)


def test_every_arm_has_a_marker_of_its_own():
  markers = [drawing.marker(name) for name in arms.WORDS]
  assert len(set(markers)) == len(markers)
  assert drawing.marker("another") not in markers


def test_the_same_figure_is_the_same_bytes(tmp_path):
  # Dies if: the date or a random id gets into a file.
  folders = [epath.Path(tmp_path) / name for name in "ab"]
  for folder in folders:
    folder.mkdir()
    with drawing.style():
      figure = drawing.new(2, 2)
      figure.subplots().plot([1, 2], [3, 4], label="$x$ <b>")
      drawing.save(figure, folder, "f")
  first, second = (
    [(folder / f"f.{kind}").read_bytes() for kind in ("png", "svg")]
    for folder in folders
  )
  assert first == second
  assert first[0].startswith(b"\x89PNG") and b"<svg" in first[1]


def test_whoever_draws_elsewhere_keeps_their_settings():
  import matplotlib

  before = dict(matplotlib.rcParams)
  with drawing.style():
    drawing.new(1, 1)
  assert dict(matplotlib.rcParams) == before


def test_names_that_would_overlap_are_moved_apart():
  # Dies if: every name stands at its point.
  with drawing.style():
    figure = drawing.new(4, 3)
    axes = figure.subplots()
    y = [0.5, 0.501, 0.502, 1.0]
    axes.plot([1, 1, 1, 2], y, "o")
    drawing.name_points(axes, ["a", "b", "c", "d" * 40], [1, 1, 1, 2], y)
  moved = [text.xyann[1] for text in axes.texts]
  # Points: three names eleven apart, less the little that lies between y.
  assert moved[2] - moved[0] > 20
  assert moved[3] == 0
  assert axes.texts[3].get_text() == "d" * 25 + "…"
  assert axes.texts[3].get_ha() == "right"
