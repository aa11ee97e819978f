# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Generation-distillation: few labelled texts in, a tiny classifier out.

config = gd_jax.load_config("configs/trec.py")
gd_jax.run(config, "runs/trec")               # every phase
gd_jax.api.teacher(config, "runs/trec")       # one phase, by its name
classify = gd_jax.load("runs/trec/export")    # needs no JAX
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from gd_jax import api as api
  from gd_jax.api import run as run
  from gd_jax.config_files import load as load_config
  from gd_jax.predict import load as load

__all__ = ["api", "load", "load_config", "run"]
__version__ = "0.1.0"

_HOMES = {
  "load": ("gd_jax.predict", "load"),
  "load_config": ("gd_jax.config_files", "load"),
  "run": ("gd_jax.api", "run"),
}


def __getattr__(name: str) -> Any:
  # Late: who trains needs no classifier, who classifies no JAX.
  if name == "api":
    return importlib.import_module("gd_jax.api")
  if name in _HOMES:
    module, function = _HOMES[name]
    return getattr(importlib.import_module(module), function)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
