# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every compiled program of a run, as shapes: what the phases jit and map.

The functions are the phases' own, made by the same makers; the arguments are
as large as the config lets them become. `tpu_compiler` compiles them.

Legend: B rows, L tokens, D devices, S students.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from ml_collections import config_dict

from gd_jax import devices
from gd_jax.data import formats
from gd_jax.export import stablehlo
from gd_jax.models import decoding, families
from gd_jax.phases import corpus, soft_labels, teacher
from gd_jax.planning import shapes
from gd_jax.reporting import readers
from gd_jax.sampling import sampler
from gd_jax.training import (
  compiled,
  distill,
  distill_loop,
  lm,
  memory,
  predict,
  pretraining,
  side_by_side,
  student_setting,
)
from gd_jax.training import step as step_lib


@dataclasses.dataclass(frozen=True)
class Program:
  """One compiled function and what it is called with.

  Attributes:
    function: From `jax.jit` or `jax.pmap`.
    args: Shapes, with their places.
    static: Its static arguments.
    beside: Shapes, with their places, of what lies on the devices meanwhile
      and is no argument.
  """

  function: Any
  args: tuple[Any, ...]
  static: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  beside: Any = ()


def of_phase(
  phase: str, config: config_dict.ConfigDict, texts: shapes.Texts, mesh: Mesh
) -> dict[str, Program]:
  """The programs of a phase, by what they do.

  Args:
    phase: A name in `PHASES`.
    config: The whole config.
    texts: What is known of the task.
    mesh: Of the shape `config.mesh`, over all devices of one host.

  Raises:
    UserError: A batch does not spread over the devices.
  """
  return PHASES[phase](config, texts, mesh)


def _teacher(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  c = config.teacher
  memory.check_batch(c, "teacher", mesh)
  module = shapes.teacher(config, texts.num_classes)
  params = shapes.params_of(module)
  num_rows = round(texts.num_labelled * (1 - config.data.heldout_fraction))
  made = compiled.of_classifier(
    c,
    module,
    params,
    total_steps=teacher.num_steps(c, num_rows),
    mesh=mesh,
  )
  length = config.data.max_tokens
  train = _tokens(c.batch_size, length) | {"label": _ints(c.batch_size)}
  heldout = _read(teacher.EVAL_BATCH_SIZE, length, mesh)
  return _training(made, params, train, heldout, mesh)


def _generator(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  del texts
  c = config.generator
  module = shapes.generator(config)
  params = shapes.params_of(module)

  def stage(recipe, length):
    made = compiled.of_language_model(
      recipe, module, params, accumulate_steps=c.accumulate_steps, mesh=mesh
    )
    train = _tokens(recipe.batch_size, length)
    heldout = _read(lm.EVAL_BATCH_SIZE, length, mesh)
    return _training(made, params, train, heldout, mesh)

  memory.check_batch(c, "generator", mesh)
  found = stage(c, c.max_tokens + 2)
  if c.pretrain_on:
    memory.check_batch(pretraining.batch_fields(c), pretraining.NAME, mesh)
    first = stage(c.pretrain, c.pretrain.row_tokens)
    found |= {f"general text: {name}": each for name, each in first.items()}
  return found


def _training(
  made: compiled.Programs, params: Any, train: Any, heldout: Any, mesh: Mesh
) -> dict[str, Program]:
  state = jax.eval_shape(lambda p: step_lib.init_state(p, made.tx), params)
  state = _placed(state, made.where)
  # Of the same shape: the best parameters so far.
  own, best = state.params, state.params
  init = memory.make_init(made.tx, made.where)
  rng = _placed(_rng(), devices.everywhere(mesh))
  batch = _placed(train, devices.by_row(mesh))
  return {
    "init": Program(init, (own,), beside=best),
    "step": Program(made.train_step, (state, batch, rng), beside=best),
    "held-out rows": Program(
      made.eval_step, (own, heldout), beside=(state.opt_state, best)
    ),
  }


def _corpus(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  module = corpus.drawing(config.corpus, shapes.generator(config), "tpu")
  vocab_size = module.config.vocab_size
  fmt = formats.Format(
    bos_id=0,
    eos_id=0,
    max_tokens=config.generator.max_tokens,
    banned_ids=(0,),
    # Each text may begin with a token of its own.
    first_tokens=dict.fromkeys(range(min(texts.num_labelled, vocab_size)), 1),
  )
  own = tuple(mesh.devices.flat)
  shape = corpus.make_shape(config.corpus, fmt)
  make_idle, block = sampler.compiled(module, shape, own)
  each = jax.ShapeDtypeStruct((len(own),), jnp.float32)
  params = jax.eval_shape(
    lambda p: decoding.prepare(p, module.dtype), shapes.params_of(module)
  )
  request = jax.eval_shape(lambda: corpus.make_request(config, fmt, vocab_size))
  slots = jax.eval_shape(make_idle, each)
  queue = _ints(len(own), shape.capacity)
  return {
    "idle slots": Program(make_idle, (each,)),
    "block of steps": Program(block, (params, slots, queue, request)),
  }


def _soft_labels(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  reading = _reading(
    soft_labels.reading(
      config.soft_labels, shapes.teacher(config, texts.num_classes)
    ),
    config.soft_labels.batch_size,
    config.data.max_tokens,
    mesh,
  )
  # Of several teachers one reads at a time, and all of them are there.
  others = ((config.teacher.keep or 1) - 1) * [reading.args[0]]
  return {"labels": dataclasses.replace(reading, beside=others)}


def _students(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  """Those of the largest group that shares a program; for tfidf alone none."""
  if not any(shapes.num_trainings(config)):
    return {}
  c = config.students
  spec = shapes.student_spec(config, texts.num_classes)
  number, alone, mesh = largest_group(config, mesh)
  _, width, embeddings_from = student_setting.words(c)
  embeddings = None
  if embeddings_from == "teacher":
    embeddings = np.zeros((spec["vocab_size"], width), np.float32)
  made = student_setting.make_program(c, spec, embeddings, alone=alone)
  num_rows = texts.num_labelled + config.corpus.num_texts
  store = {
    "tokens": _ints(num_rows, c.max_tokens),
    "label": _ints(num_rows),
    "teacher_logits": _floats(num_rows, texts.num_classes),
    "labelled": jax.ShapeDtypeStruct((num_rows,), jnp.bool_),
  }
  by_student, shared = devices.by_row(mesh), devices.everywhere(mesh)
  rngs = _placed(
    jax.eval_shape(lambda: jax.random.split(jax.random.key(0), number)),
    by_student,
  )
  state = _placed(jax.eval_shape(made.init, rngs), by_student)
  each: Any = _placed(_floats(number), by_student)
  rows = _placed(_ints(number, c.batch_size), by_student)
  step = (
    state,
    _placed(store, shared),
    rows,
    distill.Knobs(each, each, each, each, each),
    rngs,
  )
  static = {"length": c.max_tokens}
  _, totals = jax.eval_shape(lambda *args: made.train(*args, **static), *step)
  totals = _placed(totals, by_student)
  heldout = {
    **_tokens(distill_loop.EVAL_ROWS, c.max_tokens),
    "label": _ints(distill_loop.EVAL_ROWS),
    "valid": _floats(distill_loop.EVAL_ROWS),
  }
  own, best = state.params, state.params
  flags = jax.ShapeDtypeStruct((number,), jnp.bool_, sharding=by_student)
  found = {
    "init": Program(made.init, (rngs,), beside=step[1]),
    "step": Program(made.train, step, static, beside=best),
    "held-out rows": Program(
      made.score,
      (own, _placed(heldout, shared)),
      beside=(state.opt_state, best, step[1]),
    ),
    "keep the best": Program(
      made.keep, (best, own, flags), beside=(state.opt_state, step[1])
    ),
    "add up": Program(made.add, (totals, totals), beside=(state, best)),
  }
  if c.second_round is not None:
    found["disputes"] = _student_reads(
      config, texts, distill_loop.EVAL_ROWS, mesh
    )
  return found


def largest_group(
  config: config_dict.ConfigDict, mesh: Mesh
) -> tuple[int, bool, Mesh]:
  """(how many students it has, whether each trains alone, where)."""
  names = [str(i) for i in range(max(shapes.num_trainings(config)))]
  mode = side_by_side.choose_mode(config.students.mode, work=0, platform="tpu")
  places = side_by_side.places(dict.fromkeys(names, 0), mesh.size)
  groups = side_by_side.groups(
    names, [], together=mode == "vmap", place=places.__getitem__
  )
  largest = max(map(len, groups))
  over_all = largest > 1 and largest % mesh.size == 0 and len(groups) == 1
  return (
    largest,
    len(groups) == len(names),
    mesh if over_all else _one_device(mesh),
  )


def _report(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  """The evaluation texts are read, by the teacher and by every student."""
  return {
    # As it is built of what is kept, which does not say how it was trained.
    "the teacher reads": _reading(
      shapes.teacher(config, texts.num_classes).clone(matmul_dtype=None),
      readers.BATCH_SIZE,
      config.data.max_tokens,
      mesh,
    ),
    "a student reads": _student_reads(config, texts, readers.BATCH_SIZE, mesh),
  }


def _student_reads(
  config: config_dict.ConfigDict, texts: shapes.Texts, rows: int, mesh: Mesh
) -> Program:
  module = families.build(shapes.student_spec(config, texts.num_classes))
  return _reading(module, rows, config.students.max_tokens, mesh)


def _export(config, texts: shapes.Texts, mesh: Mesh) -> dict[str, Program]:
  """The student's StableHLO, as a program calls it that has read the file."""
  spec = shapes.student_spec(config, texts.num_classes)
  params = shapes.params_of(families.build(spec))
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), params)
  exported = jax.export.deserialize(bytearray(stablehlo.build(spec, zeros)))
  tokens = _ints(readers.BATCH_SIZE, config.students.max_tokens)
  where = devices.everywhere(_one_device(mesh))
  return {
    "StableHLO": Program(jax.jit(exported.call), (_placed(tokens, where),))
  }


PHASES: dict[str, Callable[..., dict[str, Program]]] = {
  "teacher": _teacher,
  "generator": _generator,
  "corpus": _corpus,
  "soft_labels": _soft_labels,
  "students": _students,
  "report": _report,
  "export": _export,
}


def _reading(module: Any, rows: int, length: int, mesh: Mesh) -> Program:
  """A classifier's logits on `rows` rows."""
  params = _placed(shapes.params_of(module), devices.everywhere(mesh))
  return Program(
    predict.make_label_step(module, mesh), (params, _read(rows, length, mesh))
  )


def _read(rows: int, length: int, mesh: Mesh) -> dict[str, Any]:
  """A batch as `batches.by_length` makes it, of full length, on its devices."""
  rows = devices.round_up(rows, mesh.size)
  batch = _tokens(rows, length) | {"valid": _floats(rows)}
  return _placed(batch, devices.by_row(mesh))


def _tokens(rows: int, length: int) -> dict[str, Any]:
  return {"tokens": _ints(rows, length), "mask": _ints(rows, length)}


def _ints(*shape: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(shape, jnp.int32)


def _floats(*shape: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def _rng() -> Any:
  return jax.eval_shape(lambda: jax.random.key(0))


def _one_device(mesh: Mesh) -> Mesh:
  first = mesh.devices.reshape(-1, 1)[:1]
  return Mesh(first, mesh.axis_names, axis_types=mesh.axis_types)


def _placed(tree: Any, where: Any) -> Any:
  """Shapes with a place each; `where` is one for all or one for each."""
  if isinstance(where, NamedSharding):
    where = jax.tree.map(lambda _: where, tree)
  return jax.tree.map(
    lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tree, where
  )
