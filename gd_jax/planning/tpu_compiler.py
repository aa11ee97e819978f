# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The phases' own programs by the real TPU compiler, on a machine without TPU.

libtpu (`pip install libtpu`, the extra `tpu`) compiles for a slice that it is
told of. So what a program needs of a TPU's memory is known before one is
rented. Compiled for, not run on, TPU.
"""

import contextlib
import importlib.util
import math
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from ml_collections import config_dict

from gd_jax import devices
from gd_jax.errors import UserError
from gd_jax.models import attention, decoding
from gd_jax.planning import shapes
from gd_jax.planning.machines import Machine
from gd_jax.sampling import choose, loop, sampler
from gd_jax.training import distill, fit, losses, memory, optim, predict
from gd_jax.training import step as step_lib

_BY_DEVICE = PartitionSpec(("data", "fsdp"))


def is_installed() -> bool:
  """Whether libtpu is there."""
  return importlib.util.find_spec("libtpu") is not None


def compile_phase(
  phase: str,
  config: config_dict.ConfigDict,
  texts: shapes.Texts,
  machine: Machine,
) -> Any:
  """The phase's longest program, compiled (`jax.stages.Compiled`).

  Args:
    phase: "teacher", "generator", "corpus", "soft_labels" or "students".
    config: The whole config.
    texts: What is known of the task.
    machine: A TPU slice.

  Raises:
    UserError: The compiler knows no such slice, or the batch does not spread
      over its devices.
  """
  return _PROGRAMS[phase](config, texts, _mesh(config, machine))


def bytes_per_device(
  phase: str,
  config: config_dict.ConfigDict,
  texts: shapes.Texts,
  machine: Machine,
) -> float | None:
  """What the compiled program needs of one device; None where it can't tell.

  While training the best parameters so far are kept beside it, and counted.
  Infinite where the compiler gives up, for no device of the slice holds it.
  """
  if phase not in _PROGRAMS or not machine.topology or not is_installed():
    return None
  try:
    compiled = compile_phase(phase, config, texts, machine)
  except jax.errors.JaxRuntimeError as error:
    if "RESOURCE_EXHAUSTED" not in str(error):
      raise
    return math.inf
  found = compiled.memory_analysis()
  total = (
    found.argument_size_in_bytes
    + found.output_size_in_bytes
    - found.alias_size_in_bytes
    + found.temp_size_in_bytes
  )
  if phase in ("teacher", "generator", "students"):
    # A third of the state is the parameters, two are AdamW's moments.
    total += found.alias_size_in_bytes / 3
  return total


def _mesh(config: config_dict.ConfigDict, machine: Machine) -> Mesh:
  # Read by libtpu when it is loaded: nobody is to be asked where this runs.
  os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
  os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
  os.environ.setdefault(
    "TPU_ACCELERATOR_TYPE", machine.name.replace("v5e", "v5litepod")
  )
  from jax.experimental import topologies

  try:
    slice_ = topologies.get_topology_desc(machine.topology, "tpu")
  except Exception as error:  # the compiler's own
    raise UserError(
      f"--devices={machine.name}: the TPU compiler knows no slice"
      f" {machine.topology}: {str(error).splitlines()[0]}"
    ) from error
  sizes = devices.mesh_shape(config.mesh, len(slice_.devices))
  return Mesh(
    np.array(slice_.devices).reshape(tuple(sizes.values())),
    tuple(sizes),
    axis_types=(AxisType.Auto,) * len(sizes),
  )


def _teacher(config, texts: shapes.Texts, mesh: Mesh) -> Any:
  c = config.teacher
  module = shapes.teacher(config, texts.num_classes)
  params = shapes.params_of(module)
  tx = optim.adamw(
    c.learning_rate,
    weight_decay=c.weight_decay,
    rates=optim.layerwise_rates(params, decay=c.layerwise_decay),
  )
  loss = losses.make_classifier_loss(module)
  return _training_step(
    c, "teacher", loss, tx, params, mesh, length=config.data.max_tokens
  )


def _generator(config, texts: shapes.Texts, mesh: Mesh) -> Any:
  del texts
  c = config.generator
  module = shapes.generator(config)
  tx = optim.adamw(c.learning_rate, weight_decay=c.weight_decay)
  return _training_step(
    c,
    "generator",
    losses.make_lm_loss(module),
    tx,
    shapes.params_of(module),
    mesh,
    length=c.max_tokens + 2,
  )


def _training_step(
  c, name: str, loss, tx, params, mesh: Mesh, *, length: int
) -> Any:
  memory.check_batch(c, name, mesh)
  where = memory.places(mesh, params, tx)
  state = jax.eval_shape(lambda p: step_lib.init_state(p, tx), params)
  step = step_lib.make_train_step(loss, tx, accumulate_steps=c.accumulate_steps)
  ints = jax.ShapeDtypeStruct((c.batch_size, length), jnp.int32)
  label = jax.ShapeDtypeStruct((c.batch_size,), jnp.int32)
  batch = {"tokens": ints, "mask": ints, "label": label}
  return _compile(
    fit.compile_step(step, mesh, where),
    _placed(state, where),
    _placed(batch, devices.by_row(mesh)),
    _placed(_rng(), devices.everywhere(mesh)),
  )


def _corpus(config, texts: shapes.Texts, mesh: Mesh) -> Any:
  del texts
  c = config.corpus
  module = shapes.generator(config).clone(
    dtype=jnp.bfloat16,
    remat=False,
    cache_layout=attention.cache_layout("tpu"),
  )
  shape = loop.Shape(
    slots=c.slots,
    max_tokens=min(c.max_tokens, config.generator.max_tokens),
    steps_per_call=c.steps_per_call,
    bos_id=0,
    eos_id=0,
    sampler=c.sampler,
    max_top_k=max(64, devices.round_up(c.top_k, 64)),
  )
  vocab_size = module.config.vocab_size

  def everything():
    knobs = choose.knobs(
      temperature=c.temperature, top_k=c.top_k, top_p=c.top_p, min_p=c.min_p
    )
    request = loop.Request(
      rng=jax.random.key(0),
      knobs=knobs,
      min_tokens=jnp.int32(c.min_tokens),
      banned=loop.ban(vocab_size, [0]),
    )
    slots = loop.idle_slots(module, shape, dtype=module.dtype)
    return slots, jnp.zeros(shape.capacity, jnp.int32), request

  slots, queue, request = jax.eval_shape(everything)
  slots, queue = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct((mesh.size, *x.shape), x.dtype),
    (slots, queue),
  )
  params = jax.eval_shape(
    lambda p: decoding.prepare(p, module.dtype),
    shapes.params_of(module),
  )
  block = sampler.block_program(module, shape)

  # What `jax.pmap` makes of it: each device its own part, and no word between.
  def on_device(params, slots, queue, request):
    own = jax.tree.map(lambda x: x[0], (slots, queue))
    return jax.tree.map(lambda x: x[None], block(params, *own, request))

  mapped = jax.shard_map(
    on_device,
    mesh=mesh,
    in_specs=(PartitionSpec(), _BY_DEVICE, _BY_DEVICE, PartitionSpec()),
    out_specs=_BY_DEVICE,
    check_vma=False,
  )
  everywhere, by_row = devices.everywhere(mesh), devices.by_row(mesh)
  return _compile(
    jax.jit(mapped, donate_argnums=1),
    _placed(params, everywhere),
    _placed(slots, by_row),
    _placed(queue, by_row),
    _placed(request, everywhere),
  )


def _soft_labels(config, texts: shapes.Texts, mesh: Mesh) -> Any:
  module = shapes.teacher(config, texts.num_classes)
  rows = devices.round_up(config.soft_labels.batch_size, mesh.size)
  ints = jax.ShapeDtypeStruct((rows, config.data.max_tokens), jnp.int32)
  return _compile(
    predict.make_label_step(module, mesh),
    _placed(shapes.params_of(module), devices.everywhere(mesh)),
    _placed({"tokens": ints, "mask": ints}, devices.by_row(mesh)),
  )


def _students(config, texts: shapes.Texts, mesh: Mesh) -> Any:
  """A step of all students at once, as many of them on each device."""
  c = config.students
  module = shapes.student(config, texts.num_classes, side_by_side=True)
  program = distill.Program(
    module,
    distill.Settings(
      total_steps=c.total_steps,
      warmup_fraction=c.warmup_fraction,
      weight_decay=c.weight_decay,
      loss=c.loss,
      eval_every_steps=c.eval_every_steps,
      patience=c.patience,
      mix=c.mix,
    ),
    embeddings=None,
    alone=False,
  )
  number = devices.round_up(max(shapes.num_trainings(config)), mesh.size)
  num_rows = texts.num_labelled + config.corpus.num_texts

  def ints(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.int32)

  store = {
    "tokens": ints(num_rows, c.max_tokens),
    "label": ints(num_rows),
    "teacher_logits": jax.ShapeDtypeStruct(
      (num_rows, texts.num_classes), jnp.float32
    ),
    "labelled": jax.ShapeDtypeStruct((num_rows,), jnp.bool_),
  }
  rngs = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), number))
  each: Any = jax.ShapeDtypeStruct((number,), jnp.float32)
  knobs = distill.Knobs(each, each, each, each, each)
  by_student = devices.by_row(mesh)
  return _compile(
    program.train,
    _placed(jax.eval_shape(program.init, rngs), by_student),
    _placed(store, devices.everywhere(mesh)),
    _placed(ints(number, c.batch_size), by_student),
    _placed(knobs, by_student),
    _placed(rngs, by_student),
    length=c.max_tokens,
  )


_PROGRAMS: dict[str, Callable[..., Any]] = {
  "teacher": _teacher,
  "generator": _generator,
  "corpus": _corpus,
  "soft_labels": _soft_labels,
  "students": _students,
}


def _rng() -> Any:
  return jax.eval_shape(lambda: jax.random.key(0))


def _placed(tree: Any, where: Any) -> Any:
  """Shapes with a sharding each; `where` is one for all or one for each."""
  if isinstance(where, NamedSharding):
    where = jax.tree.map(lambda _: where, tree)
  return jax.tree.map(
    lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tree, where
  )


def _compile(program: Any, *args: Any, **static: Any) -> Any:
  with contextlib.redirect_stdout(None):
    return program.lower(*args, **static).compile()
