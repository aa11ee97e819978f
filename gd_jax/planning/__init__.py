# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
