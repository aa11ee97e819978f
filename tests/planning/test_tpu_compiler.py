# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compiled for, not run on, TPU: see `make test-tpu-compile`."""

import dataclasses
import re

import jax
import pytest

from configs.paper import ag_news
from gd_jax import devices
from gd_jax.planning import footprints, machines, programs, shapes, tpu_compiler

needs_compiler = pytest.mark.skipif(
  not tpu_compiler.is_installed(), reason="libtpu is not installed"
)
SLICE = machines.parse("v5e-8")
TEXTS = shapes.Texts(num_classes=4, num_labelled=400, mean_tokens=None)


def _full_size():
  """With all that adds a program, and three teachers that label together."""
  config = ag_news.get_config().unlock()
  config.generator.pretrain_on = ("news.txt",)
  config.teacher.keep = 3
  config.students.update(num_texts=13_000, second_round=0.5)
  return config


def test_names_none_but_known_phases():
  assert tpu_compiler.bytes_per_device("report", None, TEXTS, SLICE) is None


def _program(**fields):
  found = {"function": None, "args": (), "beside": ()} | fields
  return programs.Program(**found)


# Dies if: a plan takes the task's stage alone for the phase, the first program
# for all, or waits for those that are small.
def test_a_phase_needs_what_its_largest_stage_does(monkeypatch):
  needed = {"init": 9, "step": 2, "general text: step": 5, "held-out rows": 9}
  monkeypatch.setattr(tpu_compiler, "is_installed", lambda: True)
  monkeypatch.setattr(tpu_compiler, "mesh", lambda config, machine: None)
  monkeypatch.setattr(
    programs,
    "of_phase",
    lambda *args: {name: _program(args=(name,)) for name in needed},
  )
  monkeypatch.setattr(
    tpu_compiler, "bytes_of", lambda program: needed[program.args[0]]
  )
  assert tpu_compiler.bytes_per_device("generator", None, TEXTS, SLICE) == 5


class _Lowered:
  """Says whether a program would be looked for among those kept."""

  def lower(self):
    return self

  def compile(self):
    return jax.config.jax_enable_compilation_cache


# Dies if: a program that an earlier plan has kept is read back, which fails
# where there is no device, or nothing is kept any more after a plan.
def test_no_program_is_kept():
  assert _Lowered().compile()
  assert not tpu_compiler.compiled(_program(function=_Lowered()))
  assert _Lowered().compile()


class _Compiled:
  """Of a program that gives back 4 of its 10 bytes in place, and takes 3."""

  argument_size_in_bytes = 10
  output_size_in_bytes = 6
  alias_size_in_bytes = 4
  temp_size_in_bytes = 3

  def memory_analysis(self):
    return self


# Dies if: what lies beside, such as two more teachers, is not counted; or it
# is counted whole where a device has a part.
def test_what_lies_beside_is_counted(monkeypatch):
  monkeypatch.setattr(tpu_compiler, "compiled", lambda program: _Compiled())
  assert tpu_compiler.bytes_of(_program()) == 15
  mesh = devices.mesh()
  leaf = jax.ShapeDtypeStruct(
    (6, 2), "float32", sharding=devices.everywhere(mesh)
  )
  assert tpu_compiler.bytes_of(_program(beside=[leaf, {"b": leaf}])) == 15 + 96


# Dies if: a program outgrows a v5e's 16 GiB, or a plan does not wait for the
# one that needs the most of it.
@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
  ("phase", "least"),
  [
    ("teacher", 1e9),
    ("generator", 1e9),
    ("corpus", 1e9),
    ("soft_labels", 1e9),
    ("students", 1e7),
    ("report", 1e9),
    ("export", 1e5),
  ],
)
def test_every_program_of_the_full_size_fits(phase, least):
  config = _full_size()
  mesh = tpu_compiler.mesh(config, SLICE)
  found = programs.of_phase(phase, config, TEXTS, mesh)
  needed = {
    name: tpu_compiler.bytes_of(program) for name, program in found.items()
  }
  print({name: f"{n / machines.GIB:.3f} GiB" for name, n in needed.items()})
  most = max(needed.values())
  assert least < most < 0.9 * SLICE.memory
  if phase in footprints.PHASES:
    assert max(needed, key=needed.__getitem__).endswith(tpu_compiler.LARGEST)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["pure", "top_k", "top_p"])
def test_the_sampling_loop_waits_for_nobody_and_sorts_no_vocabulary(sampler):
  # Dies if: the loop's stop test is taken over all devices, or a sampler sorts.
  config = ag_news.get_config().unlock()
  config.corpus.update(sampler=sampler, slots=128)
  mesh = tpu_compiler.mesh(config, SLICE)
  found = programs.of_phase("corpus", config, TEXTS, mesh)
  text = tpu_compiler.compiled(found["block of steps"]).as_text()
  assert "while" in text
  assert not re.search(r"all-reduce|all-gather|collective-permute", text)
  for line in text.splitlines():
    if re.search(r"\bsort\(", line):
      assert "50257" not in line


@needs_compiler
@pytest.mark.slow
def test_the_cache_is_neither_padded_nor_laid_out_anew(monkeypatch):
  # Dies if: a TPU gets a CPU's layout of the cache: the loop then holds it
  # beside the one it came in, each head's 64 numbers filled up to 128.
  whole = shapes.generator(ag_news.get_config())
  layers, slots = 2, 512
  shape = dataclasses.replace(whole.config, num_layers=layers)
  monkeypatch.setattr(shapes, "generator", lambda _: whole.clone(config=shape))
  config = ag_news.get_config().unlock()
  config.corpus.slots = slots
  mesh = tpu_compiler.mesh(config, SLICE)
  found = programs.of_phase("corpus", config, TEXTS, mesh)
  compiled = tpu_compiler.compiled(found["block of steps"])
  cache = 2 * layers * slots * 128 * shape.width * 2
  found = compiled.memory_analysis()
  assert cache < found.alias_size_in_bytes < 1.01 * cache
  assert found.temp_size_in_bytes < 0.5 * cache
  one = rf"bf16\[{slots},128,{shape.width}\]"
  assert re.search(one, compiled.as_text())
  assert not re.search(one + r"\S* (copy|transpose)\(", compiled.as_text())
