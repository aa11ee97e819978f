# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gd_jax.models import families
from gd_jax.training import arms, distill, losses, mixing

LABELLED = jnp.array([True, True, True, False, False, False, False])
TOKENS = jnp.arange(14, dtype=jnp.int32).reshape(7, 2) + 1
TOKENS = TOKENS.at[0, 1].set(0)


class Sum(nn.Module):
  """A linear function of the word vectors: mixing passes through."""

  @nn.compact
  def __call__(self, tokens, mask, *, deterministic=True):
    x = nn.Embed(20, 5, name="embed")(tokens)
    x = (x * mask[..., None]).sum(axis=1)
    return nn.Dense(3, use_bias=False)(x)


def draw(alpha=0.4, seed=0):
  return mixing.draw(jax.random.key(seed), LABELLED, alpha=alpha)


# Dies if: a labelled row may be mixed with a generated one, or rows are lost.
def test_partners_are_a_permutation_within_each_kind():
  moved = set()
  for seed in range(20):
    _, partner = draw(seed=seed)
    partner = partner.tolist()
    assert sorted(partner[:3]) == [0, 1, 2]
    assert sorted(partner[3:]) == [3, 4, 5, 6]
    moved |= {(i, j) for i, j in enumerate(partner)}
  assert len(moved) == 9 + 16


def test_shares_are_of_the_beta():
  shares = np.concatenate([draw(0.1, seed)[0] for seed in range(200)])
  assert 0.45 < shares.mean() < 0.55
  # Var = 1 / (4 (2 alpha + 1))
  np.testing.assert_allclose(shares.var(), 1 / 4.8, rtol=0.1)


# Dies if: the partner's vectors are weighed by the row's share, or padding's
# vector is mixed in.
def test_vectors_are_mixed():
  params = families.init_params(Sum(), jax.random.key(0))
  mask = (TOKENS > 0).astype(jnp.int32)
  share, partner = draw()
  mixed = mixing.apply(
    Sum(),
    params,
    TOKENS,
    mask,
    share=share,
    partner=partner,
    rng=jax.random.key(1),
  )
  plain = Sum().apply({"params": params}, TOKENS, mask)
  expected = share[:, None] * plain + (1 - share[:, None]) * plain[partner]
  np.testing.assert_allclose(mixed, expected, atol=1e-5)


# Dies if: inputs are mixed and targets are not, or otherwise.
def test_targets_are_mixed_alike():
  params = families.init_params(Sum(), jax.random.key(0))
  rng, noise = jax.random.key(5), np.random.default_rng(1)
  teacher = jnp.array(noise.normal(size=(7, 3)), jnp.float32)
  label = jnp.array(noise.integers(0, 3, 7), jnp.int32)
  knobs = arms.ARMS["gd"].knobs(
    learning_rate=1e-3, temperature=2.0, labelled_weight=1.0, hard_weight=0.5
  )
  mask = (TOKENS > 0).astype(jnp.int32)
  batch = {
    "tokens": TOKENS,
    "mask": mask,
    "label": label,
    "teacher_logits": teacher,
    "labelled": LABELLED,
    "knobs": knobs,
  }
  value, _ = distill.make_loss(Sum(), loss="kl", mix=0.4)(params, batch, rng)
  share, partner = mixing.draw(jax.random.fold_in(rng, 1), LABELLED, alpha=0.4)
  plain = Sum().apply({"params": params}, TOKENS, mask)
  s = share[:, None]
  logits = s * plain + (1 - s) * plain[partner]
  soft = losses.kl(
    logits, s * teacher + (1 - s) * teacher[partner], temperature=2.0
  )
  hard = share * losses.cross_entropy(logits, label)
  hard += (1 - share) * losses.cross_entropy(logits, label[partner])
  each = jnp.where(LABELLED, 0.5 * hard + 0.5 * soft, soft)
  np.testing.assert_allclose(value, each.mean(), rtol=1e-5)
