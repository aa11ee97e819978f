# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Generation-distillation: few labelled texts in, a tiny classifier out."""

__version__ = "0.1.0"
