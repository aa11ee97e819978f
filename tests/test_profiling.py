# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import pytest

from gd_jax import profiling, signals
from gd_jax.errors import UserError


def _traces(folder):
  return [path.read_bytes() for path in folder.rglob("*.xplane.pb")]


def test_a_trace_names_its_spans_even_when_the_run_is_stopped(tmp_path):
  # Dies if: a span is not annotated, or a stopped run loses its trace.
  with (
    pytest.raises(signals.Stopped),
    profiling.trace(str(tmp_path / "new" / "folder")),
    profiling.span("soft_labels"),
  ):
    jax.block_until_ready(jnp.ones(3) + 1)
    raise signals.Stopped
  (trace,) = _traces(tmp_path)
  assert b"soft_labels" in trace


def test_without_a_folder_nothing_is_traced(tmp_path):
  for nothing in (None, ""):
    with profiling.trace(nothing), profiling.span("teacher"):
      pass
  assert not _traces(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("in the way")
  with (
    pytest.raises(UserError, match=r"--profile=.*file/x can't be written"),
    profiling.trace(f"{tmp_path}/file/x"),
  ):
    pytest.fail("must not begin")
  with (
    pytest.raises(
      UserError, match=r"--profile=gs://b/x: a trace is written to"
    ),
    profiling.trace("gs://b/x"),
  ):
    pytest.fail("must not begin")
