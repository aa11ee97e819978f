# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""gd_jax's training steps as programs to be timed: each call is one step.

Legend: S students, B batch, L length.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gd_jax import rngs
from gd_jax.models import bert, families, gpt2, students
from gd_jax.training import arms, distill, losses, optim
from gd_jax.training import side_by_side as side_by_side_lib
from gd_jax.training import step as step_lib

Step = Callable[[], Any]
CLASSES, LENGTH, ROWS = 6, 32, 2048
MINILM = {"width": 384, "num_layers": 6, "num_heads": 12, "mlp_width": 1536}


@dataclasses.dataclass(frozen=True)
class Size:
  """A student's sizes that matter for speed."""

  vocab_size: int
  embed_width: int
  num_filters: int
  num_blocks: int
  batch_size: int

  def module(self, **fields: Any) -> students.ResCnn:
    return students.ResCnn(
      self.vocab_size,
      CLASSES,
      embed_width=self.embed_width,
      num_filters=self.num_filters,
      num_blocks=self.num_blocks,
      **fields,
    )

  @property
  def work(self) -> int:
    """Parameters that work on a token, times the tokens of a batch."""
    shapes = jax.eval_shape(
      lambda: families.init_params(self.module(), jax.random.key(0))
    )
    working = families.count_params(shapes, embeddings=False)
    return working * self.batch_size * LENGTH


DEFAULT = Size(8000, 96, 128, 3, 32)


def sizes(*, tiny: bool) -> dict[str, Size]:
  """The default student, a small one and one between them."""
  small = {"sequential_small": Size(1000, 32, 32, 2, 8)}
  if tiny:
    return small
  return {
    "sequential": DEFAULT,
    **small,
    "sequential_middle": Size(1500, 64, 64, 3, 32),
  }


def store_of(size: Size) -> dict[str, jax.Array]:
  """Random rows, half of them labelled; the same numbers for PyTorch."""
  rng = np.random.default_rng(0)
  return {
    "tokens": jnp.array(
      rng.integers(1, size.vocab_size, (ROWS, LENGTH)), jnp.int32
    ),
    "label": jnp.array(rng.integers(0, CLASSES, ROWS), jnp.int32),
    "teacher_logits": jnp.array(rng.normal(size=(ROWS, CLASSES)), jnp.float32),
    "labelled": jnp.arange(ROWS) < ROWS // 2,
  }


def rows_at(step: int, size: Size, num_students: int) -> np.ndarray:
  """Rows of each student [S B] in a step."""
  rng = np.random.default_rng(step)
  shape = (num_students, size.batch_size)
  return rng.integers(0, ROWS, shape).astype(np.int32)


def student(size: Size, *, num_students: int, alone: bool) -> Step:
  """A step of `num_students` students, in one program or one by one."""
  settings = distill.Settings(
    total_steps=1000,
    warmup_fraction=0.05,
    weight_decay=0.01,
    loss="kl",
    eval_every_steps=1000,
    patience=None,
  )
  program = distill.Program(
    size.module(conv="lax" if alone else "im2col"),
    settings,
    embeddings=None,
    alone=alone,
  )
  knobs = arms.ARMS["gd"].knobs(
    learning_rate=1e-3, temperature=2.0, labelled_weight=1.0, hard_weight=0.5
  )
  store = store_of(size)
  group = 1 if alone else num_students
  keys = [
    jnp.stack([rngs.stream(i + j) for j in range(group)])
    for i in range(0, num_students, group)
  ]
  states = [program.init(each) for each in keys]
  stacked = jax.tree.map(lambda x: np.full(group, x, np.float32), knobs)
  counter = itertools.count()

  def run():
    rows = rows_at(next(counter), size, num_students)
    for i, rng in enumerate(keys):
      states[i], metrics = program.train(
        states[i],
        store,
        rows[i * group : (i + 1) * group],
        stacked,
        rng,
        length=LENGTH,
      )
    jax.block_until_ready((states, metrics))

  return run


def side_by_side(size: Size, *, num_students: int) -> tuple[str, list[Step]]:
  """(what "auto" takes, [one by one, all in one program])."""
  mode = side_by_side_lib.choose_mode(
    "auto", work=size.work, platform=jax.default_backend()
  )
  return mode, [
    student(size, num_students=num_students, alone=alone)
    for alone in (True, False)
  ]


def _finetune(module, loss_fn, batch) -> Step:
  tx = optim.adamw(1e-4, weight_decay=0.01)
  train_step = jax.jit(step_lib.make_train_step(loss_fn, tx), donate_argnums=0)
  params = families.init_params(module, jax.random.key(0))
  held = [step_lib.init_state(params, tx)]
  rng = jax.random.key(1)

  def run():
    held[0], metrics = train_step(held[0], batch, rng)
    jax.block_until_ready((held[0], metrics))

  return run


def token_batch(vocab_size: int, batch_size: int, length: int) -> np.ndarray:
  """Random tokens, the same for PyTorch."""
  rng = np.random.default_rng(0)
  return rng.integers(5, vocab_size, (batch_size, length)).astype(np.int32)


def _student(*, tiny: bool) -> Step:
  size = sizes(tiny=True)["sequential_small"] if tiny else DEFAULT
  return student(size, num_students=1, alone=True)


def _teacher(*, tiny: bool, matmul_dtype: str | None = None) -> Step:
  shape = MINILM | ({"num_layers": 1, "vocab_size": 500} if tiny else {})
  config = bert.BertConfig(**shape)
  module = bert.BertClassifier(
    config, CLASSES, "cls", matmul_dtype=matmul_dtype
  )
  tokens = token_batch(config.vocab_size, 32, LENGTH)
  batch = {
    "tokens": tokens,
    "mask": np.ones_like(tokens),
    "label": np.arange(32, dtype=np.int32) % CLASSES,
  }
  return _finetune(module, losses.make_classifier_loss(module), batch)


def _generator(*, tiny: bool, matmul_dtype: str | None = None) -> Step:
  shape = {"num_layers": 1, "vocab_size": 500} if tiny else {}
  config = gpt2.Gpt2Config(**shape)
  module = gpt2.Gpt2(config, matmul_dtype=matmul_dtype)
  tokens = token_batch(config.vocab_size, 16, 64)
  batch = {"tokens": tokens, "mask": np.ones_like(tokens)}
  return _finetune(module, losses.make_lm_loss(module), batch)


# "teacher" and "generator" take a matmul_dtype.
STEPS = {"student": _student, "teacher": _teacher, "generator": _generator}
