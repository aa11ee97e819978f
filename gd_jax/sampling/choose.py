# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Samplers: (logits, one uniform per row, knobs) -> token.

Each draws by the inverse of the cumulated distribution: one uniform number a
row and position, where Gumbel noise would need one for every word of the
vocabulary. Nothing sorts the vocabulary.

Legend: B rows, V vocabulary, K the static bound of top-k, N blocks.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_BLOCK = 128
_LARGEST = jnp.finfo(jnp.float32).max
_ONE_AS_BITS = 0x3F800000


@struct.dataclass
class Knobs:
  """What a sampler can be tuned by: traced, so that no change recompiles.

  Attributes:
    temperature: logits are divided by it; 0 is greedy.
    top_k: how many of the likeliest tokens `top_k` keeps, at least 1.
    top_p: the probability that the tokens kept by `top_p` sum to, in [0, 1].
    min_p: `min_p` keeps tokens this likely relative to the likeliest, [0, 1].
  """

  temperature: Float[Array, ""]
  top_k: Int[Array, ""]
  top_p: Float[Array, ""]
  min_p: Float[Array, ""]


def knobs(
  *,
  temperature: float = 1.0,
  top_k: int = 40,
  top_p: float = 0.95,
  min_p: float = 0.05,
) -> Knobs:
  """Knobs from plain numbers."""
  return Knobs(
    temperature=jnp.float32(temperature),
    top_k=jnp.int32(top_k),
    top_p=jnp.float32(top_p),
    min_p=jnp.float32(min_p),
  )


Choose = Callable[
  [Float[Array, "B V"], Float[Array, "B"], Knobs], Int[Array, "B"]
]


def make_choose(kind: str, *, max_top_k: int) -> Choose:
  """The sampler named `kind`: "pure", "top_k", "top_p" or "min_p".

  Args:
    kind: which filter precedes the draw.
    max_top_k: static bound on `Knobs.top_k` (used by "top_k" alone).

  Raises:
    ValueError: there is no such sampler.
  """
  if kind not in SAMPLERS:
    raise ValueError(
      f"no sampler is called {kind!r}: there are {', '.join(SAMPLERS)}"
    )
  if kind == "top_k":
    return functools.partial(top_k, bound=max_top_k)
  return SAMPLERS[kind]


def pure(
  logits: Float[Array, "B V"], uniform: Float[Array, "B"], knobs: Knobs
) -> Int[Array, "B"]:
  """Draws from the whole distribution."""
  weights = _weights(logits, knobs.temperature)
  return _draw(weights, _uniform(uniform, knobs))


def top_k(
  logits: Float[Array, "B V"],
  uniform: Float[Array, "B"],
  knobs: Knobs,
  *,
  bound: int,
) -> Int[Array, "B"]:
  """Draws from the `knobs.top_k` likeliest tokens.

  Of equal logits the lower id is the likelier. `knobs.top_k` above the static
  `bound` counts as `bound`, below 1 as 1.
  """
  values, ids = lax.top_k(logits, min(bound, logits.shape[-1]))
  rank = jnp.arange(values.shape[-1])[None]
  weights = _weights(values, knobs.temperature)
  weights = jnp.where(rank < jnp.maximum(knobs.top_k, 1), weights, 0.0)
  drawn = _crossing(weights, jnp.cumsum(weights, -1), _uniform(uniform, knobs))
  return _pick(ids, drawn)


def top_p(
  logits: Float[Array, "B V"], uniform: Float[Array, "B"], knobs: Knobs
) -> Int[Array, "B"]:
  """Draws from the nucleus (Holtzman et al. 2020, arXiv:1904.09751).

  Kept is each token for which the strictly likelier ones sum to less than
  `knobs.top_p`, and always the likeliest; tokens of one logit stay or go
  together.
  """
  weights = _weights(logits, knobs.temperature)
  least = _least_of_nucleus(weights, knobs.top_p)
  kept = jnp.where(weights >= least[:, None], weights, 0.0)
  return _draw(kept, _uniform(uniform, knobs))


def min_p(
  logits: Float[Array, "B V"], uniform: Float[Array, "B"], knobs: Knobs
) -> Int[Array, "B"]:
  """Draws from tokens not much less likely than the likeliest one.

  Kept is each token at least `knobs.min_p` times as likely as the likeliest
  (Nguyen et al. 2024, arXiv:2407.01082).
  """
  weights = _weights(logits, knobs.temperature)
  kept = jnp.where(weights >= jnp.minimum(knobs.min_p, 1.0), weights, 0.0)
  return _draw(kept, _uniform(uniform, knobs))


SAMPLERS = {"pure": pure, "top_k": top_k, "top_p": top_p, "min_p": min_p}


def from_table(
  cumulated: Float[Array, "V"], uniform: Float[Array, "B"]
) -> Int[Array, "B"]:
  """Draws by one fixed table: the cumulated weights of its entries."""
  target = uniform[:, None] * cumulated[-1]
  drawn = jnp.sum(cumulated[None] <= target, -1)
  # A uniform next to 1 may round up to the table's end.
  return jnp.minimum(drawn, jnp.sum(cumulated < cumulated[-1]))


def log_prob(
  logits: Float[Array, "B V"], token: Int[Array, "B"]
) -> Float[Array, "B"]:
  """The model's own log-probability of `token`, before any filter."""
  return _pick(logits, token) - jax.nn.logsumexp(logits, -1)


def _weights(
  logits: Float[Array, "B V"], temperature: Float[Array, ""]
) -> Float[Array, "B V"]:
  """exp(logits / temperature), scaled so that the likeliest weighs 1.

  At temperature 0 the scale is the largest float instead of a division: every
  logit below the highest weighs exactly 0.
  """
  scale = jnp.minimum(1.0 / temperature, _LARGEST)
  return jnp.exp((logits - logits.max(-1, keepdims=True)) * scale)


def _uniform(uniform: Float[Array, "B"], knobs: Knobs) -> Float[Array, "B"]:
  """At temperature 0 always 0: of several likeliest the lowest id is drawn."""
  return jnp.where(knobs.temperature > 0, uniform, 0.0)


def _draw(
  weights: Float[Array, "B V"], uniform: Float[Array, "B"]
) -> Int[Array, "B"]:
  """Draws in proportion to the weights, at two levels: a block, then in it.

  One sum over the vocabulary and two short cumulated sums cost an eighth of
  one cumulated sum over the vocabulary. A token of weight 0 is never drawn.
  """
  num_blocks = -(-weights.shape[-1] // _BLOCK)
  padding = num_blocks * _BLOCK - weights.shape[-1]
  blocks = jnp.pad(weights, ((0, 0), (0, padding)))
  blocks = blocks.reshape(-1, num_blocks, _BLOCK)
  sums = blocks.sum(-1)
  cumulated = jnp.cumsum(sums, -1)
  block = _crossing(sums, cumulated, uniform)
  inside = jnp.take_along_axis(blocks, block[:, None, None], 1)[:, 0]
  # What the uniform number leaves over inside its block, as a share of it.
  end, sums = _pick(cumulated, block), _pick(sums, block)
  rest = (uniform * cumulated[:, -1] - (end - sums)) / sums
  token = _crossing(inside, jnp.cumsum(inside, -1), rest)
  return block * _BLOCK + token


def _crossing(
  weights: Float[Array, "B N"],
  cumulated: Float[Array, "B N"],
  share: Float[Array, "B"],
) -> Int[Array, "B"]:
  """The first entry of weight above 0 that cumulates to over `share` of all.

  Cumulated sums round, in no order that can be relied on: entries without
  weight are therefore excluded by their weight, and where rounding leaves no
  entry above the share, the last one with weight is taken.
  """
  entry = jnp.arange(weights.shape[-1])[None]
  has_weight: Bool[Array, "B N"] = weights > 0
  over = has_weight & (cumulated > (share * cumulated[:, -1])[:, None])
  first = jnp.min(jnp.where(over, entry, weights.shape[-1]), -1)
  last = jnp.max(jnp.where(has_weight, entry, 0), -1)
  return jnp.minimum(first, last)


def _pick(values: Array, index: Int[Array, "B"]) -> Array:
  """values [B N] at index [B] -> [B]."""
  return jnp.take_along_axis(values, index[:, None], 1)[:, 0]


def _least_of_nucleus(
  weights: Float[Array, "B V"], p: Float[Array, ""]
) -> Float[Array, "B"]:
  """The greatest weight w for which all weights >= w sum to p of the whole.

  Bisects over the bit patterns of the floats in [0, 1], which lie in the
  order of the floats: 30 halvings end exactly on one weight, however close
  the others are.
  """
  needed = p * weights.sum(-1)

  def halve(_, bounds):
    low, high = bounds
    middle = (low + high) // 2
    at_least = lax.bitcast_convert_type(middle, jnp.float32)[:, None]
    mass = jnp.sum(jnp.where(weights >= at_least, weights, 0.0), -1)
    enough = mass >= needed
    return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

  low = jnp.zeros(weights.shape[:1], jnp.int32)
  high = jnp.full(weights.shape[:1], _ONE_AS_BITS + 1, jnp.int32)
  low, _ = lax.fori_loop(0, 30, halve, (low, high))
  # At p = 1 tokens too light to change the rounded sum belong to it as well.
  return jnp.where(p < 1, lax.bitcast_convert_type(low, jnp.float32), 0.0)
