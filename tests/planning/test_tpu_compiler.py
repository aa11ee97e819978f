# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compiled for, not run on, TPU: see `make test-tpu-compile`."""

import re

import pytest

from configs.paper import ag_news
from gd_jax.planning import machines, shapes, tpu_compiler

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(
    not tpu_compiler.is_installed(), reason="libtpu is not installed"
  ),
]
SLICE = machines.parse("v5e-8")
TEXTS = shapes.Texts(num_classes=4, num_labelled=400, mean_tokens=None)


def test_names_none_but_known_phases():
  assert tpu_compiler.bytes_per_device("report", None, TEXTS, SLICE) is None


# Dies if: a program outgrows a v5e's 16 GiB; full size, bfloat16.
@pytest.mark.parametrize(
  ("phase", "least"),
  [
    ("teacher", 1e8),
    ("generator", 1e8),
    ("corpus", 1e8),
    ("soft_labels", 1e8),
    ("students", 1e7),
  ],
)
def test_the_full_size_fits(phase, least):
  config = ag_news.get_config()
  needed = tpu_compiler.bytes_per_device(phase, config, TEXTS, SLICE)
  assert least < needed < 0.9 * SLICE.memory


@pytest.mark.parametrize("sampler", ["pure", "top_k", "top_p"])
def test_the_sampling_loop_waits_for_nobody_and_sorts_no_vocabulary(sampler):
  # Dies if: the loop's stop test is taken over all devices, or a sampler sorts.
  config = ag_news.get_config().unlock()
  config.corpus.update(sampler=sampler, slots=128)
  compiled = tpu_compiler.compile_phase("corpus", config, TEXTS, SLICE)
  text = compiled.as_text()
  assert "while" in text
  assert not re.search(r"all-reduce|all-gather|collective-permute", text)
  for line in text.splitlines():
    if re.search(r"\bsort\(", line):
      assert "50257" not in line
