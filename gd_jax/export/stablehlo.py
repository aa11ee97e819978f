# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student as one StableHLO program, parameters included, for `jax.export`."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from gd_jax.models import families

PLATFORMS = ("cpu", "cuda", "tpu")


def build(spec: dict[str, Any], params: dict[str, Any]) -> bytes:
  """What `jax.export.deserialize` reads: any number of texts of any length.

  Its `call` maps tokens [B L] int32 to (logits, probabilities), each [B C].
  The mask is made from the tokens: 0 is padding.

  Args:
    spec: The student's `model.json`.
    params: Its parameters.
  """
  module = families.build(for_inference(spec))

  def classify(tokens):
    mask = (tokens != 0).astype(jnp.int32)
    logits: Any = module.apply({"params": params}, tokens, mask)
    return logits, jax.nn.softmax(logits, axis=-1)

  shape = jax.export.symbolic_shape("B, L")
  with _no_source_lines():
    made = jax.export.export(jax.jit(classify), platforms=PLATFORMS)(
      jax.ShapeDtypeStruct(shape, jnp.int32)
    )
  return bytes(made.serialize())


def for_inference(spec: dict[str, Any]) -> dict[str, Any]:
  """A `model.json` with the form of each layer that fits any length best."""
  wanted = {"conv": "lax", "unroll": 1}
  return spec | {name: wanted[name] for name in wanted if name in spec}


@contextlib.contextmanager
def _no_source_lines() -> Iterator[None]:
  """Keeps this machine's paths out of the file, which would differ by them."""
  name = "jax_traceback_in_locations_limit"
  before = getattr(jax.config, name)
  jax.config.update(name, 0)
  try:
    yield
  finally:
    jax.config.update(name, before)
