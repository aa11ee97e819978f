# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Generation-distillation: few labelled texts in, a tiny classifier out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from gd_jax.predict import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
  # Late: whoever trains needs no classifier, and its imports are not free.
  if name == "load":
    from gd_jax.predict import load

    return load
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
