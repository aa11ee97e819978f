# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Teacher, generator and student networks; imports nothing else of gd_jax."""
