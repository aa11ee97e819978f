# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
from xml.etree import ElementTree

import numpy as np
import pytest
from etils import epath

from gd_jax.reporting import drawing, figures

NASTY = "$x^2$ <b> & \x00"


@pytest.fixture(autouse=True)
def _style():
  with drawing.style():
    yield


def _words(figure):
  import matplotlib.text

  return {text.get_text() for text in figure.findobj(matplotlib.text.Text)}


def test_a_run_has_every_picture_twice(make_results, tmp_path):
  folder = epath.Path(tmp_path) / "figures"
  confusions = dict.fromkeys(("teacher", "gd"), np.eye(2))
  results = make_results(task=NASTY, labels=(NASTY, "ship"))
  figures.write(folder, results, confusions)
  names = {
    "accuracy",
    "accuracy_by_params",
    "accuracy_by_latency",
    "calibration",
    "confusion_teacher",
    "confusion_gd",
  }
  found = {path.name for path in folder.iterdir()}
  assert found == {
    f"{name}.{kind}" for name in names for kind in ("png", "svg")
  }
  for path in folder.glob("*.svg"):
    ElementTree.fromstring(path.read_text())
  assert "$x^2$" in (folder / "confusion_gd.svg").read_text()


@pytest.mark.parametrize("arms", [("teacher",), ("gd",), ("tfidf",)])
def test_any_arm_alone_has_its_pictures(make_results, tmp_path, arms):
  # Dies if: an arm without probabilities is drawn a diagram of them.
  folder = epath.Path(tmp_path)
  results = make_results(arms)
  for arm in results["arms"].values():
    arm["accuracy"] |= {"mean": 1.0, "std": None}
  figures.write(folder, results, dict.fromkeys(arms, np.zeros((2, 2))))
  assert (folder / "calibration.png").exists() == (arms != ("tfidf",))


def test_accuracies_are_bars_of_their_length(make_results):
  (axes,) = figures.accuracy(make_results()).axes
  bars = [bar.get_width() for bar in axes.patches]
  assert bars == pytest.approx([87, 78, 74, 91])
  assert "accuracy, % of 500 test texts (± std over 3 seeds)" in _words(
    axes.figure
  )


def test_the_price_is_by_ratio_and_every_arm_named(make_results):
  figure = figures.price(
    make_results(), "latency_ms", "Accuracy (%) over latency (ms)"
  )
  (axes,) = figure.axes
  assert axes.get_xscale() == "log"
  found = {
    (float(line.get_xdata()[0]), round(float(line.get_ydata()[0])))
    for line in axes.lines
  }
  assert found == {(12.5, 91), (0.8, 74), (0.8, 78), (0.8, 87)}
  assert {"teacher", "tfidf", "gold", "gd"} <= _words(figure)


def test_a_reliability_diagram_names_its_error_and_its_source(make_results):
  figure = figures.reliability(make_results())
  words = _words(figure)
  assert {"gold: ECE 4.0 ± 1.0%", "gd: ECE 4.0 ± 1.0%"} <= words
  assert any("Guo et al. 2017" in text for text in words)
  (dots,) = figure.axes[0].collections
  assert tuple(dots.get_offsets()[0]) == pytest.approx((100 * 9.5 / 15, 60))


def test_a_matrix_shows_shares_of_the_true_class():
  # Dies if: shades are shares of the predicted class, or the axes are swapped.
  counts = np.array([[6.0, 2.0], [0.0, 0.0]])
  figure = figures.confusion(counts, ["a", "b"], title="t")
  axes = figure.axes[0]
  np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
  shown = {text.get_position(): text.get_text() for text in axes.texts}
  assert shown[(1, 0)] == "2"
  assert axes.get_ylabel() == "true class"


def test_a_large_matrix_has_shades_without_numbers():
  figure = figures.confusion(np.eye(70), ["x"] * 70, title="t")
  assert not figure.axes[0].texts
  assert max(figure.get_size_inches()) < 16
