# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Strictness for every test: nothing is broadcast or promoted in silence."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

from gd_jax import signals
from gd_jax.progress import Progress

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_runtest_setup(item: pytest.Item) -> None:
  """Skips live parity tests without PyTorch, unless they were asked for."""
  if item.get_closest_marker("parity") is None:
    return
  try:
    import torch  # noqa: F401
  except ImportError:
    if os.environ.get("GD_JAX_PARITY") == "live":
      pytest.fail("GD_JAX_PARITY=live, but PyTorch can't be imported")
    pytest.skip("PyTorch is not installed")


@pytest.fixture
def progress() -> Progress:
  """A progress that prints nothing."""
  return Progress(quiet=True)


@pytest.fixture(autouse=True)
def _no_signal_left_over():
  signals.forget()
  yield
  signals.forget()
