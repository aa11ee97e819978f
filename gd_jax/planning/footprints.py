# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What each phase holds in the memory of one device, and what it computes.

All from shapes (`jax.eval_shape`): nothing is allocated. Activations are what
reverse-mode differentiation of the real loss keeps; a compiler fuses some of
them away, so they are an upper bound in most cases. `tpu_compiler` has the
figures of a real one.

Legend: B rows, L tokens, T tokens a text at most, V vocabulary.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import config_dict

from gd_jax import devices
from gd_jax.data import formats
from gd_jax.models import decoding, families
from gd_jax.phases import corpus as corpus_phase
from gd_jax.phases import teacher as teacher_phase
from gd_jax.planning import shapes
from gd_jax.planning.machines import Machine
from gd_jax.training import losses, side_by_side

_FLOAT = 4
# Gradients, AdamW's two moments, and the best parameters so far.
_TRAINING_COPIES = {"optimizer": 2, "gradients": 1, "best": 1}
# Forward alone, layer by layer: a layer's inputs, its outputs, and one between.
_LIVE_ARRAYS = 3
# Share of the slots that hold a row, while texts of many lengths are drawn.
_SLOT_USE = 0.9


@dataclasses.dataclass(frozen=True)
class Footprint:
  """One phase on one kind of machine.

  Attributes:
    phase: Its name.
    num_params: Of its model.
    weights: Bytes of parameters on a device, all copies but the optimizer's.
    optimizer: Bytes of the optimizer's state on a device.
    cache: Bytes of keys and values on a device.
    activations: Bytes of everything else at the worst moment on a device.
    flops: Multiplications and additions of all devices, over the whole phase.
    traffic: Bytes that a device moves from its memory over the whole phase,
      where that and not arithmetic may take the time; else 0.
    rows: Rows that the phase reads, draws or trains on.
    what: How it is done, in words.
  """

  phase: str
  num_params: int
  weights: float
  optimizer: float
  cache: float
  activations: float
  flops: float
  traffic: float
  rows: int
  what: str

  @property
  def total(self) -> float:
    """Bytes on a device."""
    return self.weights + self.optimizer + self.cache + self.activations


def teacher(
  config: config_dict.ConfigDict, texts: shapes.Texts, machine: Machine
) -> Footprint:
  """BERT's finetuning, all restarts."""
  c = config.teacher
  module = shapes.teacher(config, texts.num_classes)
  train_rows = round(texts.num_labelled * (1 - config.data.heldout_fraction))
  steps = c.restarts * teacher_phase.num_steps(c, train_rows)
  return _training(
    "teacher",
    c,
    module,
    losses.make_classifier_loss(module),
    length=config.data.max_tokens,
    steps=steps,
    tokens=_tokens(texts, config.data.max_tokens),
    working=_working(module, head=False),
    rows=train_rows,
    split=_split(config, machine),
    machine=machine,
  )


def generator(
  config: config_dict.ConfigDict, texts: shapes.Texts, machine: Machine
) -> Footprint:
  """The language model's trainings, if nothing stops them early.

  Where general text is read first, the phase holds what the larger of its two
  stages does, and takes the time of both.
  """
  c = config.generator
  module = shapes.generator(config)
  working = _working(module, head=True)

  def stage(recipe, *, length, tokens, rows):
    return _training(
      "generator",
      recipe,
      module,
      losses.make_lm_loss(module),
      length=length,
      steps=recipe.max_steps,
      tokens=tokens,
      working=working,
      rows=rows,
      split=_split(config, machine),
      machine=machine,
    )

  own = stage(
    c,
    length=c.max_tokens + 2,
    tokens=_tokens(texts, c.max_tokens),
    rows=round(texts.num_labelled * (1 - config.data.heldout_fraction)),
  )
  if c.condition == formats.PER_CLASS:
    own = dataclasses.replace(
      own,
      flops=own.flops * texts.num_classes,
      traffic=own.traffic * texts.num_classes,
      what=f"for each of {texts.num_classes} classes {own.what}",
    )
  if not c.pretrain_on:
    return own
  recipe = config_dict.ConfigDict(
    c.pretrain.to_dict()
    | {"accumulate_steps": c.accumulate_steps, "remat": c.remat}
  )
  packed = recipe.row_tokens
  first = stage(
    recipe,
    length=packed,
    tokens=packed,
    rows=recipe.max_steps * recipe.batch_size,
  )
  return dataclasses.replace(
    max(own, first, key=lambda footprint: footprint.total),
    flops=own.flops + first.flops,
    traffic=own.traffic + first.traffic,
    rows=own.rows,
    what=f"general text: {first.what}; then {own.what}",
  )


def corpus(
  config: config_dict.ConfigDict, texts: shapes.Texts, machine: Machine
) -> Footprint:
  """Drawing all texts; the model is whole on each device."""
  c = config.corpus
  module = corpus_phase.drawing(c, shapes.generator(config), machine.platform)
  dtype = module.dtype
  length = min(c.max_tokens, config.generator.max_tokens)
  params = shapes.params_of(module)
  num_params = families.count_params(params)
  prepared = jax.eval_shape(
    lambda p: decoding.prepare(p, dtype, matmul_dtype=c.matmul_dtype), params
  )
  cache = jax.eval_shape(lambda: module.init_cache(c.slots, length + 1, dtype))
  multiplied = jnp.dtype(c.matmul_dtype or dtype)
  # Logits in float32, and what a sampler makes of them.
  logits = _LIVE_ARRAYS * _FLOAT * c.slots * module.config.vocab_size
  tokens = c.num_texts * _tokens(texts, length)
  steps = tokens / (machine.num_devices * c.slots * _SLOT_USE)
  working = _working(module, head=True)
  return Footprint(
    phase="corpus",
    num_params=num_params,
    weights=_bytes(prepared),
    optimizer=0,
    cache=_bytes(cache),
    activations=logits,
    flops=2 * working * tokens / _SLOT_USE,
    traffic=steps * (multiplied.itemsize * working + _bytes(cache)),
    rows=c.num_texts,
    what=f"{c.slots} slots a device, {steps:,.0f} steps,"
    f" products of {multiplied.name}",
  )


def soft_labels(
  config: config_dict.ConfigDict, texts: shapes.Texts, machine: Machine
) -> Footprint:
  """The teacher, or each of those kept, reads every text once."""
  c, readers = config.soft_labels, config.teacher.keep or 1
  module = shapes.teacher(config, texts.num_classes)
  params = shapes.params_of(module)
  rows = texts.num_labelled + config.corpus.num_texts
  rows += round((c.rules or 0) * config.corpus.num_texts)
  if config.data.unlabelled is not None:
    wanted = c.real_texts
    rows += config.corpus.num_texts if wanted is None else wanted
  model, length = module.config, config.data.max_tokens
  on_device = -(-c.batch_size // machine.num_devices)
  widest = max(model.mlp_width, model.num_heads * length)
  readings = readers * rows * _tokens(texts, length)
  return Footprint(
    phase="soft_labels",
    num_params=families.count_params(params),
    weights=readers * _bytes(params),
    optimizer=0,
    cache=0,
    activations=_LIVE_ARRAYS * _FLOAT * on_device * length * widest,
    flops=2 * _working(module, head=False) * readings,
    traffic=0,
    rows=rows,
    what=f"{c.batch_size} rows at a time"
    + (f", products of {c.matmul_dtype}" if c.matmul_dtype else ""),
  )


def students(
  config: config_dict.ConfigDict, texts: shapes.Texts, machine: Machine
) -> Footprint:
  """All trainings: those of a device side by side, or a core's one by one."""
  c = config.students
  rounds = shapes.num_trainings(config)
  trainings, most = sum(rounds), max(rounds)
  length = _tokens(texts, c.max_tokens) + 8  # rows are padded to like ones
  alone = shapes.student(config, texts.num_classes, alone=True)
  mode = side_by_side.choose_mode(
    c.mode,
    work=_working(alone, head=False) * c.batch_size * length,
    platform=machine.platform,
  )
  if mode == "vmap":
    together = -(-most // machine.num_devices)
  else:
    on_cpu = machine.platform == "cpu"
    together = min(most, devices.num_cores() if on_cpu else 1)
  module = shapes.student(config, texts.num_classes, alone=mode != "vmap")
  params = shapes.params_of(module)
  loss = losses.make_classifier_loss(module)
  kept = _kept(loss, params, rows=c.batch_size, length=c.max_tokens)
  store = 4 * config.corpus.num_texts * (c.max_tokens + texts.num_classes)
  return Footprint(
    phase="students",
    num_params=families.count_params(params),
    weights=3 * together * _bytes(params),
    optimizer=2 * together * _bytes(params),
    cache=0,
    activations=together * kept + store,
    flops=6
    * _working(module, head=False)
    * trainings
    * c.total_steps
    * c.batch_size
    * length,
    traffic=0,
    rows=trainings,
    what=f"{trainings} trainings of {c.total_steps:,} steps,"
    f" {together} at a time on a device",
  )


# In the order of the pipeline; the others take seconds.
PHASES = {
  "teacher": teacher,
  "generator": generator,
  "corpus": corpus,
  "soft_labels": soft_labels,
  "students": students,
}


def _training(
  phase: str,
  c: config_dict.ConfigDict,
  module: Any,
  loss: Any,
  *,
  length: int,
  steps: int,
  tokens: float,
  working: int,
  rows: int,
  split: int,
  machine: Machine,
) -> Footprint:
  params = shapes.params_of(module)
  num_params = families.count_params(params)
  parts = c.accumulate_steps or 1
  on_device = -(-c.batch_size // (machine.num_devices * parts))
  kept = _kept(loss, params, rows=on_device, length=length)
  own = _FLOAT * num_params / split
  copies = _TRAINING_COPIES
  how = [f"{steps:,} steps of {c.batch_size}"]
  how += [f"in {parts} parts"] if parts > 1 else []
  how += ["remat"] if c.remat else []
  rounded = module.matmul_dtype
  how += [f"products of {jnp.dtype(rounded).name}"] if rounded else []
  return Footprint(
    phase=phase,
    num_params=num_params,
    weights=own * (1 + copies["gradients"] + copies["best"]),
    optimizer=own * copies["optimizer"],
    cache=0,
    activations=kept,
    # Recomputing is one more forward pass.
    flops=(8 if c.remat else 6) * working * steps * c.batch_size * tokens,
    # All that a step holds is written or read once, at the least.
    traffic=steps * (own * (sum(copies.values()) + 1) + kept),
    rows=rows,
    what=", ".join(how),
  )


def _kept(loss: Any, params: Any, *, rows: int, length: int) -> float:
  """Bytes that the loss's backward pass reads, its parameters not counted."""
  ints = jax.ShapeDtypeStruct((rows, length), jnp.int32)
  label = jax.ShapeDtypeStruct((rows,), jnp.int32)
  batch = {"tokens": ints, "mask": ints, "label": label}

  def backward(params, batch):
    return jax.vjp(lambda p: loss(p, batch, jax.random.key(0))[0], params)[1]

  kept = _bytes(jax.eval_shape(backward, params, batch))
  return max(0, kept - _bytes(params))


def _working(module: Any, *, head: bool) -> int:
  """Parameters that multiply each token; a tied table does as the head."""
  params = shapes.params_of(module)
  number = families.count_params(params, embeddings=False)
  if head:
    number += module.config.vocab_size * module.config.width
  return number


def _tokens(texts: shapes.Texts, most: int) -> float:
  return min(most, most / 2 if texts.mean_tokens is None else texts.mean_tokens)


def _split(config: config_dict.ConfigDict, machine: Machine) -> int:
  """Over how many devices each parameter is split."""
  fsdp, data = config.mesh.fsdp, config.mesh.data
  return machine.num_devices // max(1, data) if fsdp == -1 else fsdp


def _bytes(tree: Any) -> float:
  return sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )
