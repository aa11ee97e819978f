# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from gd_jax.reporting import svgs


@pytest.mark.parametrize(
  ("values", "expected"),
  [
    ([0.712, 0.943], (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
    ([3.0, 3.0], (2.0, 3.0)),
    ([0.0, 0.0], (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    ([-0.03, 0.12], (-0.05, 0.0, 0.05, 0.1, 0.15)),
  ],
)
def test_ticks_are_round_and_hold_the_values(values, expected):
  axis = svgs.scale(values)
  assert axis.ticks[0] <= min(values)
  assert axis.high >= max(values)
  assert len(axis.ticks) >= 2
  if len(set(values)) > 1:
    assert axis.ticks == pytest.approx(expected)


@pytest.mark.parametrize(
  "values", [[0.93, 0.9991], [1.0, 1.0], [0.999], [0.0, 0.0], [0.004], [0.3]]
)
def test_a_scale_of_shares_stays_within_them(values):
  # Dies if: the scale of equal values grows the wrong way.
  axis = svgs.scale(values)
  assert 0 <= axis.low < axis.high <= 1
  assert all(0 <= axis.percent(value) <= 100 for value in values)


@pytest.mark.parametrize(
  ("values", "expected"),
  [
    ([15_000, 22e6], (1e4, 1e5, 1e6, 1e7)),
    ([0.3, 11.0], (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)),
    ([3.0], (2.0,)),
  ],
)
def test_a_logarithmic_axis_has_round_ticks(values, expected):
  # Dies if: the axis does not hold its values, or a tick lies beside it.
  axis = svgs.log_scale(values)
  assert axis.ticks == expected
  assert all(0 < axis.percent(value) < 100 for value in values)
  assert all(0 <= axis.percent(tick) <= 100 for tick in axis.ticks)


def test_a_logarithmic_axis_goes_by_ratio():
  # Dies if: `is_log` is forgotten.
  axis = svgs.Scale(1.0, 100.0, (), is_log=True)
  assert axis.percent(10.0) == pytest.approx(50.0)


def test_labels_move_apart_and_no_further():
  # Dies if: labels keep places that overlap, or leave their order.
  wanted = [50.0, 10.0, 51.0, 52.0]
  places = svgs.apart(wanted, least=10, low=0, high=100)
  assert places == [41.0, 10.0, 51.0, 61.0]
  assert svgs.apart([30.0, 60.0], least=10, low=0, high=100) == [30.0, 60.0]
  assert svgs.apart([], least=10, low=0, high=100) == []


def test_labels_stay_inside():
  assert svgs.apart([99.0, 98.0], least=10, low=5, high=95) == [95.0, 85.0]
  assert svgs.apart([1.0, 2.0], least=10, low=5, high=95) == [5.0, 15.0]
