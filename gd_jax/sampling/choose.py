# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Samplers: (one row's logits, one uniform number, knobs) -> `Drawn`.

Each draws by the inverse of the cumulated distribution: one uniform number a
row and position, where Gumbel noise would need one for every word of the
vocabulary. Nothing sorts the vocabulary. `by_row` makes a batch of rows of it.

Legend: B rows, V vocabulary, N entries, K kept entries, F entries of a table.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

_BLOCK = 128
_TOP_K_BLOCK = 16
# About what a core's own cache holds beside the sampler's own arrays.
_NUMBERS_IN_CACHE = 2**16
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


class Drawn(NamedTuple):
  """What a sampler drew of one row.

  Attributes:
    token: the token.
    log_mass: the logsumexp of the logits, at temperature 1 and before any
      filter: a logit less it is a log-probability under the model. Sums that
      a sampler needs anyway give it for nothing at temperature 1.
  """

  token: Int[Array, ""]
  log_mass: Float[Array, ""]


Choose = Callable[[Float[Array, "V"], Float[Array, ""], Knobs], Drawn]


def by_row(function: Callable[..., Any]) -> Callable[..., Any]:
  """`function` of one row, for arrays of rows [B ...], the logits [B V] first.

  An accelerator takes all rows at once. A CPU takes few at a time: their
  logits then stay in the core's own cache over the many times that a sampler
  reads them, which was 3.5 times as fast for top-p.
  """

  def few_at_a_time(*rows):
    num_rows, vocab_size = rows[0].shape
    few = max(min(_NUMBERS_IN_CACHE // vocab_size, num_rows), 1)
    while num_rows % few:
      few -= 1
    parts = [x.reshape(-1, few, *x.shape[1:]) for x in rows]
    found = lax.map(lambda part: jax.vmap(function)(*part), tuple(parts))
    return jax.tree.map(lambda x: x.reshape(num_rows, *x.shape[2:]), found)

  def of_rows(*rows):
    return lax.platform_dependent(
      *rows, cpu=few_at_a_time, default=jax.vmap(function)
    )

  return of_rows


def make_choose(kind: str, *, max_top_k: int) -> Choose:
  """The sampler named `kind`, one of SAMPLERS.

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
  logits: Float[Array, "V"], uniform: Float[Array, ""], knobs: Knobs
) -> Drawn:
  """Draws from the whole distribution."""
  return _draw_from(lambda weights: weights, logits, uniform, knobs)


def top_k(
  logits: Float[Array, "V"],
  uniform: Float[Array, ""],
  knobs: Knobs,
  *,
  bound: int,
) -> Drawn:
  """Draws from the `knobs.top_k` likeliest tokens.

  Of equal logits the lower id counts as likelier. `knobs.top_k` above the
  static `bound` counts as `bound`, below 1 as 1.
  """
  highest, ids = _likeliest(logits, min(bound, logits.shape[0]))
  weights = jnp.exp((highest - highest[0]) * _scale(knobs.temperature))
  is_kept = jnp.arange(weights.shape[0]) < jnp.maximum(knobs.top_k, 1)
  weights = jnp.where(is_kept, weights, 0.0)
  token = ids[_crossing(weights, _uniform(uniform, knobs))]
  log_mass = highest[0] + jnp.log(jnp.sum(jnp.exp(logits - highest[0])))
  return Drawn(token, log_mass)


def top_p(
  logits: Float[Array, "V"], uniform: Float[Array, ""], knobs: Knobs
) -> Drawn:
  """Draws from the nucleus (Holtzman et al. 2020, arXiv:1904.09751).

  Kept is each token for which the strictly likelier ones sum to less than
  `knobs.top_p`, and always the likeliest; tokens of one logit stay or go
  together.
  """

  def keep(weights):
    least = _least_of_nucleus(weights, knobs.top_p)
    return jnp.where(weights >= least, weights, 0.0)

  return _draw_from(keep, logits, uniform, knobs)


def min_p(
  logits: Float[Array, "V"], uniform: Float[Array, ""], knobs: Knobs
) -> Drawn:
  """Draws from tokens not much less likely than the likeliest one.

  Kept is each token at least `knobs.min_p` times as likely as the likeliest
  (Nguyen et al. 2024, arXiv:2407.01082).
  """

  def keep(weights):
    least = jnp.minimum(knobs.min_p, 1.0)
    return jnp.where(weights >= least, weights, 0.0)

  return _draw_from(keep, logits, uniform, knobs)


SAMPLERS = {"pure": pure, "top_k": top_k, "top_p": top_p, "min_p": min_p}


def from_table(
  cumulated: Float[Array, "F"], uniform: Float[Array, ""]
) -> Int[Array, ""]:
  """Draws an entry of a table given by its cumulated weights."""
  # No float below 1 times the sum rounds up to the sum: an entry is found.
  return jnp.sum(cumulated <= uniform * cumulated[-1])


def _scale(temperature: Float[Array, ""]) -> Float[Array, ""]:
  """What logits are multiplied by.

  At temperature 0 it is the largest float instead of a division: every logit
  below the highest then weighs exactly 0.
  """
  return jnp.minimum(1.0 / temperature, _LARGEST)


def _draw_from(
  keep: Callable[[Float[Array, "V"]], Float[Array, "V"]],
  logits: Float[Array, "V"],
  uniform: Float[Array, ""],
  knobs: Knobs,
) -> Drawn:
  """Draws by the weights that `keep` leaves; the likeliest token weighs 1."""
  highest = logits.max()
  weights = jnp.exp((logits - highest) * _scale(knobs.temperature))
  token = _draw(keep(weights), _uniform(uniform, knobs))
  log_mass = lax.cond(
    knobs.temperature == 1.0,
    lambda _: highest + jnp.log(weights.sum()),
    jax.nn.logsumexp,
    logits,
  )
  return Drawn(token, log_mass)


def _uniform(uniform: Float[Array, ""], knobs: Knobs) -> Float[Array, ""]:
  """At temperature 0 always 0: of several likeliest the lowest id is drawn."""
  return jnp.where(knobs.temperature > 0, uniform, 0.0)


def _draw(
  weights: Float[Array, "V"], uniform: Float[Array, ""]
) -> Int[Array, ""]:
  """Draws in proportion to the weights, at two levels: a block, then in it.

  One sum over the vocabulary and two short cumulated sums cost an eighth of
  one cumulated sum over the vocabulary. A token of weight 0 is never drawn.
  """
  padding = -weights.shape[0] % _BLOCK
  blocks = jnp.pad(weights, (0, padding)).reshape(-1, _BLOCK)
  sums = blocks.sum(-1)
  block = _crossing(sums, uniform)
  # What the uniform number leaves over inside its block, as a share of it.
  before = jnp.sum(jnp.where(jnp.arange(sums.shape[0]) < block, sums, 0.0))
  rest = (uniform * sums.sum() - before) / sums[block]
  return block * _BLOCK + _crossing(blocks[block], rest)


def _likeliest(
  logits: Float[Array, "V"], count: int
) -> tuple[Float[Array, "K"], Int[Array, "K"]]:
  """`lax.top_k`; on a CPU through the highest logit of each block.

  Whoever is among the `count` likeliest stands in one of the `count` blocks
  with the highest logits, be it by the lower id of two equal ones.
  """
  vocab_size, size = logits.shape[0], _TOP_K_BLOCK

  def through_blocks(logits):
    padding = -vocab_size % size
    blocks = jnp.pad(logits, (0, padding), constant_values=-jnp.inf)
    _, blocks = _top_k(blocks.reshape(-1, size).max(-1), count)
    # In the order of their ids, for the sake of equal logits.
    rank = jnp.sum(blocks[:, None] > blocks[None, :], axis=-1)
    blocks = (
      jnp.zeros_like(blocks)
      .at[rank]
      .set(blocks, mode="promise_in_bounds", unique_indices=True)
    )
    ids = (blocks[:, None] * size + jnp.arange(size)[None, :]).reshape(-1)
    in_blocks = logits.at[ids].get(mode="fill", fill_value=-jnp.inf)
    highest, entries = _top_k(in_blocks, count)
    return highest, ids[entries]

  directly = functools.partial(_top_k, count=count)
  if vocab_size < 4 * count * size:
    return directly(logits)
  return lax.platform_dependent(logits, cpu=through_blocks, default=directly)


def _top_k(
  numbers: Float[Array, "N"], count: int
) -> tuple[Float[Array, "K"], Int[Array, "K"]]:
  # A slice of what top_k gives makes XLA sort all numbers instead (50 times
  # slower): the barrier keeps it from seeing one.
  values, places = lax.optimization_barrier(lax.top_k(numbers, count))
  return values, places


def _crossing(
  weights: Float[Array, "N"], share: Float[Array, ""]
) -> Int[Array, ""]:
  """The first entry of weight above 0 that cumulates to over `share` of all.

  Cumulated sums round, in no order that can be relied on: entries without
  weight are therefore excluded by their weight, and where rounding leaves no
  entry above the share, the last one with weight is taken.
  """
  cumulated = jnp.cumsum(weights)
  entry = jnp.arange(weights.shape[0])
  has_weight = weights > 0
  over = has_weight & (cumulated > share * cumulated[-1])
  first = jnp.min(jnp.where(over, entry, weights.shape[0]))
  last = jnp.max(jnp.where(has_weight, entry, 0))
  return jnp.minimum(first, last)


def _least_of_nucleus(
  weights: Float[Array, "V"], p: Float[Array, ""]
) -> Float[Array, ""]:
  """The greatest weight w for which all weights >= w sum to p of the whole.

  Bisects over the bit patterns of the floats in [0, 1], which lie in the
  order of the floats: 30 halvings end exactly on one weight, however close
  the others are.
  """

  def mass(least):
    return jnp.sum(jnp.where(weights >= least, weights, 0.0))

  needed = p * mass(0.0)

  def halve(_, bounds):
    low, high = bounds
    middle = (low + high) // 2
    enough = mass(lax.bitcast_convert_type(middle, jnp.float32)) >= needed
    return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

  bounds = jnp.int32(0), jnp.int32(_ONE_AS_BITS + 1)
  low, _ = lax.fori_loop(0, 30, halve, bounds)
  # At p = 1 tokens too light to change the rounded sum belong to it as well.
  return jnp.where(p < 1, lax.bitcast_convert_type(low, jnp.float32), 0.0)
