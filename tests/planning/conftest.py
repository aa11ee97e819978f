# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest
from ml_collections import config_dict

from configs import quickstart
from gd_jax.planning import shapes


@pytest.fixture
def config() -> config_dict.ConfigDict:
  """The quickstart's, unlocked."""
  return quickstart.get_config().unlock()


@pytest.fixture
def texts() -> shapes.Texts:
  return shapes.Texts(num_classes=8, num_labelled=200, mean_tokens=12.0)
