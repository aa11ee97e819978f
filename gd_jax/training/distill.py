# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Students learn from labels and from the teacher's logits: one, or S at once.

S students are one program by `vmap`: all rows lie in one store on the device,
each student has an index [S B] into it, and everything that may differ between
students is traced. Every arm is a setting of `Knobs` and of the rows seen.

Legend: S students, N rows of the store, B batch, L length, C classes.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from gd_jax.models import families
from gd_jax.training import losses, mixing, optim
from gd_jax.training import step as step_lib

LOSSES = ("kl", "mse")


# One for each student where several train together.
Scalar = float | Float[Array, "*S"]


@struct.dataclass
class Knobs:
  """What students that train together may differ in: scalars, or [S] each.

  Attributes:
    learning_rate: The peak.
    temperature: Of both softmaxes in the KL; "mse" has none.
    labelled_weight: What a labelled row counts, if a generated one counts 1.
    labelled_hard: h in the loss of a labelled row, h * cross-entropy with its
      label + (1 - h) * distance from the teacher's logits.
    generated_hard: The same for a generated row; its label is the teacher's
      most probable class.
  """

  learning_rate: Scalar
  temperature: Scalar
  labelled_weight: Scalar
  labelled_hard: Scalar
  generated_hard: Scalar


@dataclasses.dataclass(frozen=True)
class Settings:
  """What all students of a run share."""

  total_steps: int
  warmup_fraction: float
  weight_decay: float
  loss: str  # One of LOSSES.
  eval_every_steps: int
  patience: int | None  # Evaluations without a better one; None: no limit.
  mix: float | None = None  # Pairs are mixed by Beta(mix, mix); None: not.
  select_from: float | None = None  # Share of steps before which none is kept.


def make_loss(
  module, *, loss: str, mix: float | None = None
) -> step_lib.LossFn:
  """loss_fn on a batch that also holds "labelled" [B] bool and "knobs".

  The loss is the weighted mean over rows; its parts are metrics of their own.
  Under `mix` it is that of mixed pairs, and accuracy is of a pair's own row.
  """
  if loss not in LOSSES:
    raise ValueError(f"loss is one of {LOSSES}, not {loss!r}")

  def loss_fn(params, batch, rng):
    knobs, labelled, label = batch["knobs"], batch["labelled"], batch["label"]
    tokens, mask = batch["tokens"], batch["mask"]
    teacher = batch["teacher_logits"]
    if mix is None:
      logits = module.apply(
        {"params": params},
        tokens,
        mask,
        deterministic=False,
        rngs={"dropout": rng},
      )
      hard = losses.cross_entropy(logits, label)
    else:
      share, partner = mixing.draw(
        jax.random.fold_in(rng, 1), labelled, alpha=mix
      )
      logits = mixing.apply(
        module, params, tokens, mask, share=share, partner=partner, rng=rng
      )
      own = losses.cross_entropy(logits, label)
      other = losses.cross_entropy(logits, label[partner])
      hard = share * own + (1 - share) * other
      teacher = mixing.mixed(teacher, share, partner)
    if loss == "kl":
      soft = losses.kl(logits, teacher, temperature=knobs.temperature)
    else:
      soft = losses.mse_logits(logits, teacher)
    share = jnp.where(labelled, knobs.labelled_hard, knobs.generated_hard)
    weight = jnp.where(labelled, knobs.labelled_weight, 1.0)
    each = share * hard + (1 - share) * soft
    real = labelled.astype(jnp.float32)
    correct = (jnp.argmax(logits, axis=-1) == label).astype(jnp.float32)
    one = jnp.ones_like(real)
    metrics = {
      "xent": ((real * hard).sum(), real.sum()),
      "generated_xent": (((1 - real) * hard).sum(), (1 - real).sum()),
      "accuracy": ((real * correct).sum(), real.sum()),
      loss: (soft.sum(), one.sum()),
      f"labelled_{loss}": ((real * soft).sum(), real.sum()),
      f"generated_{loss}": (((1 - real) * soft).sum(), (1 - real).sum()),
    }
    return (weight * each).sum() / weight.sum(), metrics

  return loss_fn


def make_student_step(module, settings: Settings) -> Callable:
  """student_step(state, store, rows [B], knobs, rng, length) for one student.

  The learning rate is traced like every other knob: the optimizer is made
  inside of the step and keeps none of it in its state.
  """
  loss_fn = make_loss(module, loss=settings.loss, mix=settings.mix)

  def student_step(state, store, rows, knobs, rng, length):
    tokens = store["tokens"][rows, :length]
    batch = {
      "tokens": tokens,
      "mask": (tokens > 0).astype(jnp.int32),
      "label": store["label"][rows],
      "teacher_logits": store["teacher_logits"][rows],
      "labelled": store["labelled"][rows],
      "knobs": knobs,
    }
    tx = _optimizer(settings, knobs.learning_rate)
    return step_lib.make_train_step(loss_fn, tx)(state, batch, rng)

  return student_step


def _optimizer(settings: Settings, learning_rate):
  schedule = optim.warmup_linear_decay(
    learning_rate,
    total_steps=settings.total_steps,
    warmup_fraction=settings.warmup_fraction,
  )
  return optim.adamw(schedule, weight_decay=settings.weight_decay)


class Program:
  """The compiled functions of one model and one set of settings.

  Students that train one after another share them, and so does a thread with
  its neighbour. All work on a leading axis S; where a student trains alone it
  is dropped inside of the program: a `vmap` of one convolution is slow.
  """

  def __init__(
    self,
    module,
    settings: Settings,
    *,
    embeddings: Float[np.ndarray, "V E"] | None,
    alone: bool,
  ):
    """`embeddings`: where the table starts; None: as the model has it."""
    self.settings = settings
    over = _squeezed if alone else jax.vmap
    student_step = make_student_step(module, settings)

    def init(rng):
      params = families.init_params(module, jax.random.fold_in(rng, 0))
      if embeddings is not None:
        params["embed"]["embedding"] = jnp.asarray(embeddings)
      return step_lib.init_state(params, _optimizer(settings, 0.0))

    def train(state, store, rows, knobs, rngs, length):
      def one(state, rows, knobs, rng):
        rng = jax.random.fold_in(rng, 1)
        return student_step(state, store, rows, knobs, rng, length)

      return over(one)(state, rows, knobs, rngs)

    def score(params, batch):
      def one(params):
        tokens, mask = batch["tokens"], batch["mask"]
        logits = module.apply({"params": params}, tokens, mask)
        label, valid = batch["label"], batch["valid"]
        correct = (jnp.argmax(logits, axis=-1) == label) * valid
        xent = losses.cross_entropy(logits, label) * valid
        count = valid.sum()
        return {
          "accuracy": (correct.sum(), count),
          "xent": (xent.sum(), count),
        }

      return over(one)(params)

    def keep(best, params, improved):
      def one(old, new, better):
        return jax.tree.map(lambda o, n: jnp.where(better, n, o), old, new)

      return over(one)(best, params, improved)

    self.init = jax.jit(over(init))
    self.train = jax.jit(
      train, static_argnames="length", donate_argnames="state"
    )
    self.score = jax.jit(score)
    self.keep = jax.jit(keep, donate_argnames="best")
    self.add = jax.jit(lambda a, b: jax.tree.map(jnp.add, a, b))


def _squeezed(function: Callable) -> Callable:
  """Like `jax.vmap` for a leading axis of 1, without a vmap."""

  def wrapped(*args):
    result = function(*jax.tree.map(lambda x: x[0], args))
    return jax.tree.map(lambda x: x[None], result)

  return wrapped
