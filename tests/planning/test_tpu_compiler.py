# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compiled for, not run on, TPU: see `make test-tpu-compile`."""

import dataclasses
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


def test_the_cache_is_neither_padded_nor_laid_out_anew(monkeypatch):
  # Dies if: a TPU gets a CPU's layout of the cache: the loop then holds it
  # beside the one it came in, each head's 64 numbers filled up to 128.
  whole = shapes.generator(ag_news.get_config())
  layers, slots = 2, 512
  shape = dataclasses.replace(whole.config, num_layers=layers)
  monkeypatch.setattr(shapes, "generator", lambda _: whole.clone(config=shape))
  config = ag_news.get_config().unlock()
  config.corpus.slots = slots
  compiled = tpu_compiler.compile_phase("corpus", config, TEXTS, SLICE)
  cache = 2 * layers * slots * 128 * shape.width * 2
  found = compiled.memory_analysis()
  assert cache < found.alias_size_in_bytes < 1.01 * cache
  assert found.temp_size_in_bytes < 0.5 * cache
  one = rf"bf16\[{slots},128,{shape.width}\]"
  assert re.search(one, compiled.as_text())
  assert not re.search(one + r"\S* (copy|transpose)\(", compiled.as_text())
