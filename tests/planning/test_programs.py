# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The list of compiled programs; test_tpu_compiler compiles them."""

import ast
import collections
import math
import pathlib

import jax
import numpy as np
import pytest

import gd_jax
from gd_jax import devices
from gd_jax.errors import UserError
from gd_jax.planning import programs, shapes

TRAINING = {"init", "step", "held-out rows"}
NAMES = {
  "teacher": TRAINING,
  "generator": TRAINING | {f"general text: {name}" for name in TRAINING},
  "corpus": {"idle slots", "block of steps"},
  "soft_labels": {"labels"},
  "students": TRAINING | {"keep the best", "add up", "disputes"},
  "report": {"the teacher reads", "a student reads"},
  "export": {"StableHLO"},
}


@pytest.fixture
def everything(config):
  """The quickstart's with all that adds a program, and a small generator."""
  config.generator.update(kind="scratch", pretrain_on=("news.txt",))
  config.generator.scratch.update(
    vocab_size=300, width=64, num_layers=2, num_heads=2
  )
  config.students.update(num_texts=100, second_round=0.5)
  return config


# Dies if: a program is left out of the list.
def test_each_phase_has_its_programs(everything, texts):
  found = {
    phase: set(programs.of_phase(phase, everything, texts, devices.mesh()))
    for phase in programs.PHASES
  }
  assert found == NAMES


# Where gd_jax compiles a function, and how many.
KNOWN = {
  "devices.py": 2,  # A vote and a gathering, of several hosts alone.
  "export/stablehlo.py": 1,
  "predict.py": 1,  # At the user's, of a finished export.
  "sampling/sampler.py": 2,
  "training/distill.py": 5,
  "training/fit.py": 1,
  "training/memory.py": 1,
  "training/predict.py": 2,
}


def test_nothing_else_is_compiled():
  # Dies if: a function is jitted or mapped that `programs` knows nothing of.
  found = collections.Counter()
  root = pathlib.Path(gd_jax.__file__).parent
  for path in root.rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text())):
      if (
        isinstance(node, ast.Attribute)
        and node.attr in ("jit", "pmap", "shard_map")
        and ast.unparse(node.value) == "jax"
      ):
        found[path.relative_to(root).as_posix()] += 1
  # What compiles those of the list for another machine.
  assert found.pop("planning/programs.py") == 1
  assert found == KNOWN


# Dies if: an argument's shape, dtype or structure is not what the function
# takes: a student's step reads rows of the store, say.
@pytest.mark.parametrize("phase", sorted(NAMES))
def test_the_arguments_fit(everything, texts, phase):
  found = programs.of_phase(phase, everything, texts, devices.mesh())
  for program in found.values():
    made = program.function.lower(*program.args, **program.static)
    assert jax.tree.leaves(made.out_info)


def _bytes(tree):
  return sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


# Dies if: teachers that wait for their turn, or the best parameters so far,
# are not counted; or the moments beside an evaluation.
def test_what_lies_beside_is_known(config, texts):
  def beside(phase, name):
    found = programs.of_phase(phase, config, texts, devices.mesh())
    return _bytes(found[name].beside)

  module = shapes.teacher(config, texts.num_classes)
  params = _bytes(shapes.params_of(module))
  assert beside("soft_labels", "labels") == 0
  config.teacher.keep = 3
  assert beside("soft_labels", "labels") == 2 * params
  assert beside("teacher", "step") == params
  assert beside("teacher", "held-out rows") == pytest.approx(3 * params)


# Dies if: students that do not divide by the devices are thought of as spread
# over all of them, or those trained one by one as together.
@pytest.mark.parametrize(
  ("seeds", "mode", "together", "num_devices"),
  [
    (8, "auto", 8, 4),
    (5, "auto", 2, 1),
    (1, "auto", 1, 1),
    (8, "sequential", 1, 1),
  ],
)
def test_students_share_devices_as_the_phase_has_it(
  config, texts, seeds, mode, together, num_devices
):
  config.students.update(arms=("gd",), num_seeds=seeds, mode=mode)
  four = np.array(4 * [jax.devices()[0]]).reshape(4, 1)
  number, alone, mesh = programs.largest_group(config, _Mesh(four))
  assert (number, mesh.size) == (together, num_devices)
  assert alone == (mode == "sequential" or seeds == 1)


def test_no_student_that_is_trained_by_steps_needs_no_program(config, texts):
  # Dies if: the largest of no groups is asked for.
  config.students.arms = ("tfidf",)
  assert programs.of_phase("students", config, texts, devices.mesh()) == {}


class _Mesh:
  """As much of a mesh of four devices as is asked for."""

  axis_names = ("data", "fsdp")
  axis_types = 2 * (jax.sharding.AxisType.Auto,)

  def __init__(self, found):
    self.devices, self.size = found, found.size


@pytest.mark.parametrize("section", ["generator", "generator.pretrain"])
def test_a_batch_that_does_not_divide_is_refused(everything, texts, section):
  everything.generator.accumulate_steps = 2
  everything.update_from_flattened_dict({f"{section}.batch_size": 9})
  with pytest.raises(UserError, match=rf"config\.{section}\.batch_size is 9"):
    programs.of_phase("generator", everything, texts, devices.mesh())
