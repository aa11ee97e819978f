# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses: one number per row or token, always float32, summed by the caller.

Legend: B batch, L length, V vocabulary, C classes.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gd_jax.training import step as step_lib


def cross_entropy(
  logits: Float[Array, "*B C"], label: Int[Array, "*B"]
) -> Float[Array, "*B"]:
  """-log softmax(logits)[label], in nats.

  Args:
    logits: Unnormalised scores.
    label: Class ids.
  """
  logits = logits.astype(jnp.float32)
  log_z = jax.nn.logsumexp(logits, axis=-1)
  # Gathering one logit, not log_softmax: at V = 50k the latter writes a second
  # array as big as the logits.
  picked = jnp.take_along_axis(logits, label[..., None], axis=-1)[..., 0]
  return log_z - picked


def kl(
  student_logits: Float[Array, "*B C"],
  teacher_logits: Float[Array, "*B C"],
  *,
  temperature: float | Float[Array, ""] = 1.0,
) -> Float[Array, "*B"]:
  """T^2 KL(softmax(teacher / T) || softmax(student / T)), in nats.

  T^2 keeps the gradient's size the same at every temperature (Hinton et al.
  2015, section 2), so that the learning rate found at one T serves another.
  """
  student = student_logits.astype(jnp.float32) / temperature
  teacher = teacher_logits.astype(jnp.float32) / temperature
  log_q = jax.nn.log_softmax(student, axis=-1)
  log_p = jax.nn.log_softmax(teacher, axis=-1)
  return temperature**2 * jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def mse_logits(
  student_logits: Float[Array, "*B C"], teacher_logits: Float[Array, "*B C"]
) -> Float[Array, "*B"]:
  """Mean squared difference of the logits (Tang et al. 2019, equation 3)."""
  difference = student_logits.astype(jnp.float32) - teacher_logits.astype(
    jnp.float32
  )
  return jnp.mean(jnp.square(difference), axis=-1)


def lm_xent(
  logits: Float[Array, "B L V"],
  tokens: Int[Array, "B L"],
  mask: Int[Array, "B L"],
) -> tuple[Float[Array, "B L"], Float[Array, "B L"]]:
  """Next-token loss: position l is judged on token l + 1.

  Args:
    logits: Scores at every position.
    tokens: Framed texts (BOS ... EOS), padded on the right.
    mask: 1 on real tokens, EOS included; 0 on padding.

  Returns:
    (loss, weight): weight is 1 where the next token is real, else 0; the last
    column has no next token. The targets are shifted, not the logits: a slice
    of [B, L, V] would be a copy.
  """
  targets = jnp.pad(tokens[:, 1:], ((0, 0), (0, 1)))
  weight = jnp.pad(mask[:, 1:], ((0, 0), (0, 1))).astype(jnp.float32)
  return cross_entropy(logits, targets) * weight, weight


def make_classifier_loss(module) -> step_lib.LossFn:
  """loss_fn for a classifier on batch {"tokens", "mask", "label"}."""

  def loss_fn(params, batch, rng):
    logits = module.apply(
      {"params": params},
      batch["tokens"],
      batch["mask"],
      deterministic=False,
      rngs={"dropout": rng},
    )
    label = batch["label"]
    loss = cross_entropy(logits, label)
    correct = (jnp.argmax(logits, axis=-1) == label).astype(jnp.float32)
    rows = jnp.asarray(label.shape[0], jnp.float32)
    metrics = {
      "xent": (loss.sum(), rows),
      "accuracy": (correct.sum(), rows),
    }
    return loss.mean(), metrics

  return loss_fn


def make_lm_loss(module) -> step_lib.LossFn:
  """loss_fn for a language model on batch {"tokens", "mask"}: per token."""

  def loss_fn(params, batch, rng):
    logits = module.apply(
      {"params": params},
      batch["tokens"],
      batch["mask"],
      deterministic=False,
      rngs={"dropout": rng},
    )
    loss, weight = lm_xent(logits, batch["tokens"], batch["mask"])
    total, count = loss.sum(), weight.sum()
    return total / jnp.maximum(count, 1), {"xent": (total, count)}

  return loss_fn
