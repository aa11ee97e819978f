# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import jax
import jax.numpy as jnp
import pytest

from gd_jax.models import families
from gd_jax.planning import footprints, machines, shapes
from gd_jax.training import losses, optim
from gd_jax.training import step as step_lib

CPU = dataclasses.replace(machines.parse("cpu"), num_devices=1)
TPU = machines.parse("v5e-8")


def _small(config):
  """A generator of two layers, from scratch: quick to trace and compile."""
  config.generator.kind = "scratch"
  config.generator.scratch.update(
    vocab_size=300, width=64, num_layers=2, num_heads=2
  )
  config.generator.update(max_tokens=30, batch_size=8)
  config.corpus.update(max_tokens=30, slots=16)
  return config


def test_a_training_holds_five_copies_of_its_parameters(config, texts):
  # Dies if: a moment of AdamW's or the best parameters are forgotten.
  found = footprints.generator(_small(config), texts, CPU)
  assert found.weights == 3 * 4 * found.num_params
  assert found.optimizer == 2 * 4 * found.num_params


def test_reading_general_text_first_takes_its_time_too(config, texts):
  # Dies if: the first stage costs nothing, or its larger batch no memory.
  alone = footprints.generator(_small(config), texts, CPU)
  config.generator.pretrain_on = ("news.txt",)
  config.generator.pretrain.update(max_steps=1000, batch_size=64)
  config.lock()
  both = footprints.generator(config, texts, CPU)
  tokens = 1000 * 64 * config.generator.pretrain.row_tokens
  assert both.flops - alone.flops > 6 * tokens * 64 * 300
  assert both.activations > 4 * alone.activations


def test_a_generator_for_each_class_takes_as_many_trainings(config, texts):
  # Dies if: the time of one is given out for that of all.
  one = footprints.generator(_small(config), texts, CPU)
  config.generator.condition = "per_class"
  each = footprints.generator(_small(config), texts, CPU)
  assert each.flops == one.flops * texts.num_classes
  assert each.traffic == one.traffic * texts.num_classes
  assert each.total == one.total
  assert each.what.startswith(f"for each of {texts.num_classes} classes")


def test_activations_are_what_a_real_step_needs(config, texts):
  # Dies if: what the backward pass keeps is not counted, or is counted twice.
  found = footprints.generator(_small(config), texts, CPU)
  module = shapes.generator(config)
  tx = optim.adamw(1e-3, weight_decay=0.0)
  step = step_lib.make_train_step(losses.make_lm_loss(module), tx)
  state = jax.eval_shape(
    lambda: step_lib.init_state(
      families.init_params(module, jax.random.key(0)), tx
    )
  )
  ints = jax.ShapeDtypeStruct((8, 32), jnp.int32)
  compiled = (
    jax.jit(step, donate_argnums=0)
    .lower(
      state,
      {"tokens": ints, "mask": ints},
      jax.eval_shape(lambda: jax.random.key(0)),
    )
    .compile()
  )
  needed = compiled.memory_analysis().temp_size_in_bytes
  assert 0.4 < (found.activations + 4 * found.num_params) / needed < 2.5


def test_parts_of_a_batch_need_less(config, texts):
  # Dies if: accumulate_steps does not divide the rows.
  whole = footprints.generator(_small(config), texts, CPU)
  config.generator.accumulate_steps = 4
  parts = footprints.generator(config, texts, CPU)
  assert parts.activations < 0.4 * whole.activations
  assert parts.weights == whole.weights


def test_remat_keeps_less_and_computes_more(config, texts):
  # Dies if: the module is not built as it is trained.
  whole = footprints.generator(_small(config), texts, CPU)
  config.generator.remat = True
  again = footprints.generator(config, texts, CPU)
  assert again.activations < 0.8 * whole.activations
  assert again.flops == pytest.approx(whole.flops * 8 / 6)


@pytest.mark.parametrize("name", ["teacher", "generator", "soft_labels"])
def test_what_is_multiplied_is_told(config, texts, name):
  # Dies if: the field is another section's, or is not read.
  _small(config)
  plan = footprints.PHASES[name]
  assert "bfloat16" not in plan(config, texts, CPU).what
  config[name].matmul_dtype = "bfloat16"
  assert plan(config, texts, CPU).what.endswith("products of bfloat16")


def test_fsdp_splits_the_state(config, texts):
  # Dies if: the axis "fsdp" is not looked at.
  whole = footprints.generator(_small(config), texts, TPU)
  config.mesh.update(data=2, fsdp=4)
  split = footprints.generator(config, texts, TPU)
  assert split.optimizer == whole.optimizer / 4
  config.mesh.update(data=2, fsdp=-1)
  assert footprints.generator(config, texts, TPU).optimizer == split.optimizer


def test_the_cache_is_as_large_as_the_real_one(config, texts):
  # Dies if: keys or values, or a layer, are left out; or bfloat16 is not used.
  found = footprints.corpus(_small(config), texts, CPU)
  cache = shapes.generator(config).init_cache(16, 31, jnp.float32)
  real = sum(leaf.nbytes for leaf in jax.tree.leaves(cache))
  assert found.cache == real
  assert footprints.corpus(config, texts, TPU).cache == real / 2


def test_products_of_bfloat16_take_half_of_their_weights(config, texts):
  # Dies if: a CPU's weights are counted as float32 whatever is multiplied, or
  # the embeddings, which stay so, as bfloat16.
  whole = footprints.corpus(_small(config), texts, CPU)
  config.corpus.matmul_dtype = "bfloat16"
  found = footprints.corpus(config, texts, CPU)
  width = 64
  layers = 2 * 12 * width**2
  before, after = 300 * width + layers, 512 * width + layers  # with the head
  assert whole.weights - found.weights == 4 * before - 2 * after
  assert whole.what.endswith("float32") and found.what.endswith("bfloat16")
  assert found.traffic < whole.traffic


def test_more_devices_take_fewer_steps(config, texts):
  one = footprints.corpus(_small(config), texts, machines.parse("v5e-1"))
  eight = footprints.corpus(config, texts, TPU)
  assert eight.traffic == pytest.approx(one.traffic / 8)
  assert eight.flops == one.flops


def test_students_side_by_side_are_held_together(config, texts, monkeypatch):
  # Dies if: one student's memory is taken for that of all, or of a thread for
  # each core.
  monkeypatch.setattr(footprints.devices, "num_cores", lambda: 3)
  cores = footprints.students(config, texts, CPU)
  together = footprints.students(config, texts, machines.parse("h200"))
  first, trainings = shapes.num_trainings(config)
  assert (first, trainings) == (0, 12)
  one = 2 * 4 * cores.num_params
  assert cores.optimizer == 3 * one
  assert together.optimizer == trainings * one
  assert footprints.students(config, texts, TPU).optimizer == 2 * one


def test_a_first_round_is_trained_too(config, texts):
  # Dies if: first students are left out of the time, or held with the others.
  alone = footprints.students(config, texts, machines.parse("h200"))
  config.students.update(num_texts=100, second_round=0.5)
  both = footprints.students(config, texts, machines.parse("h200"))
  assert both.rows == 12 + 3
  assert both.flops == pytest.approx(alone.flops * 15 / 12)
  assert both.optimizer == alone.optimizer


def test_each_kept_teacher_reads_all(config, texts):
  # Dies if: teacher.keep is not looked at.
  one = footprints.soft_labels(config, texts, CPU)
  config.teacher.update(restarts=3, keep=3)
  three = footprints.soft_labels(config, texts, CPU)
  assert three.flops == 3 * one.flops and three.weights == 3 * one.weights
  assert three.activations == one.activations
