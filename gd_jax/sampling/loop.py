# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The sampling loop of one device: state -> state.

B slots decode side by side, each at its own position of its own row. A slot
whose row ends hands the row in and takes the next one from the queue: text is
sampled unconditionally, so a fresh row needs no prefill, and attention never
reads what a former row left in the cache.

Row i's randomness is fold_in(fold_in(rng, i), position): which slot, call,
device or host draws it does not matter.

Legend: B slots, T tokens a row at most, V vocabulary, Q queue, R finished rows
that one call can hand in, F first tokens, C classes, P tokens of a prompt,
N banned tokens.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from gd_jax.sampling import choose

_IDLE = -1
# Finite, so that a sum with a logit stays finite.
_BANNED = 0.5 * jnp.finfo(jnp.float32).min
# So many bans, and so many first tokens, compile to one program.
_BANS = 64
_FIRST_TOKENS = 256

Decode = Callable[
  [Int[Array, "B"], Int[Array, "B"], Any], tuple[Float[Array, "B V"], Any]
]


@dataclasses.dataclass(frozen=True)
class Shape:
  """What the compiled program depends on, beside the model.

  Attributes:
    slots: B, the rows decoded side by side on a device.
    max_tokens: T, after which a row is cut; the end token counts.
    steps_per_call: after how many steps a call returns to the host.
    bos_id: the token before every text.
    eos_id: the token after every text.
    sampler: the name of a sampler in `choose`.
    max_top_k: the bound on `Knobs.top_k`.
  """

  slots: int
  max_tokens: int
  steps_per_call: int
  bos_id: int
  eos_id: int
  sampler: str
  max_top_k: int = 64

  @property
  def capacity(self) -> int:
    """R and Q. A call that fills up sooner returns sooner, so texts of fewer
    than four tokens on average cost some returns, not correctness."""
    return self.slots * max(2, -(-self.steps_per_call // 4))


@struct.dataclass
class Request:
  """What is to be drawn: traced, so that no change recompiles.

  Attributes:
    rng: the root of all rows' randomness.
    knobs: what the sampler is tuned by.
    min_tokens: the end token is not drawn before a text has this many.
    banned: tokens that are never drawn; see `ban`.
    first_tokens: the tokens a text may begin with, or None: the model says.
    first_cumulated: their cumulated frequencies, or None.
    prompts: what each class's texts are drawn after, or None; row i is of
      class i modulo C. A prompt's tokens count against the program's
      `max_tokens`, not for `min_tokens`, and not for the log-probability.
  """

  rng: Key[Array, ""]
  knobs: choose.Knobs
  min_tokens: Int[Array, ""]
  banned: Int[Array, "N"]
  first_tokens: Int[Array, "F"] | None = None
  first_cumulated: Float[Array, "F"] | None = None
  prompts: Int[Array, "C P"] | None = None

  @property
  def prompt_length(self) -> int:
    """P, after which a text begins."""
    return 0 if self.prompts is None else self.prompts.shape[1]


@struct.dataclass
class Slots:
  """The rows in progress; donated from call to call.

  Attributes:
    row_id: whose row a slot draws; -1 where it is idle.
    position: how many tokens the row has.
    token: the token to decode next: BOS, later the last one drawn.
    log_prob: the sum of the drawn tokens' log-probabilities under the model.
    tokens: what was drawn; only the first `position` entries mean anything.
    cache: the model's.
  """

  row_id: Int[Array, "B"]
  position: Int[Array, "B"]
  token: Int[Array, "B"]
  log_prob: Float[Array, "B"]
  tokens: Int[Array, "B T"]
  cache: Any


@struct.dataclass
class Finished:
  """The rows that one call finished; the first `count` entries are filled."""

  row_id: Int[Array, "R"]
  num_drawn: Int[Array, "R"]
  log_prob: Float[Array, "R"]
  tokens: Int[Array, "R T"]
  count: Int[Array, ""]
  taken: Int[Array, ""]
  steps: Int[Array, ""]


def ban(vocab_size: int, token_ids: Sequence[int]) -> Int[Array, "N"]:
  """The tokens never to be drawn, padded with an id that no token has."""
  unique = np.unique(np.array(token_ids, np.int32))
  padding = _BANS - len(unique) % _BANS
  return jnp.array(np.pad(unique, (0, padding), constant_values=vocab_size))


def first_token_table(counts: Mapping[int, int]) -> dict[str, Array]:
  """The two fields of a `Request` that make texts begin by frequency.

  Args:
    counts: how often each token begins a text; at least one token.
  """
  table = sorted((token, n) for token, n in counts.items() if n > 0)
  tokens, frequencies = zip(*table, strict=True)
  # Entries that add nothing to the sum are never drawn.
  padding = (0, -len(table) % _FIRST_TOKENS)
  return {
    "first_tokens": jnp.array(np.pad(tokens, padding), jnp.int32),
    "first_cumulated": jnp.array(
      np.cumsum(np.pad(frequencies, padding)), jnp.float32
    ),
  }


def idle_slots(model: Any, shape: Shape, *, dtype: Any) -> Slots:
  """Slots that all wait for a row.

  Args:
    model: a decoder, see `gd_jax.models`.
    shape: the program's shape.
    dtype: the cache's.
  """
  each = (shape.slots,)
  return Slots(
    row_id=jnp.full(each, _IDLE, jnp.int32),
    position=jnp.zeros(each, jnp.int32),
    token=jnp.full(each, shape.bos_id, jnp.int32),
    log_prob=jnp.zeros(each, jnp.float32),
    tokens=jnp.zeros((shape.slots, shape.max_tokens), jnp.int32),
    cache=model.init_cache(shape.slots, shape.max_tokens, dtype),
  )


def sample_block(
  decode: Decode,
  shape: Shape,
  slots: Slots,
  queue: Int[Array, "Q"],
  request: Request,
) -> tuple[Slots, Finished]:
  """At most `shape.steps_per_call` steps of all slots.

  Args:
    decode: (token, position, cache) -> (logits, cache).
    shape: the program's shape.
    slots: the rows in progress.
    queue: ids of the rows to take on, padded with -1.
    request: how to draw them.

  Returns:
    The rows still in progress, and the finished ones. The call ends early
    when no row is left or too little room for finished ones.
  """
  waiting = jnp.sum(queue >= 0)
  draw = choose.make_choose(shape.sampler, max_top_k=shape.max_top_k)

  def goes_on(carry: tuple[Slots, Finished]) -> Bool[Array, ""]:
    slots, finished = carry
    work = jnp.any(slots.row_id >= 0) | (finished.taken < waiting)
    room = finished.count + shape.slots <= shape.capacity
    return work & room & (finished.steps < shape.steps_per_call)

  def step(carry: tuple[Slots, Finished]) -> tuple[Slots, Finished]:
    slots, finished = carry
    slots, num_taken = _take_rows(slots, shape, queue, taken=finished.taken)
    logits, cache = decode(slots.token, slots.position, slots.cache)
    token, log_prob = _next_token(draw, logits, slots, shape, request)
    slots = dataclasses.replace(
      slots,
      position=slots.position + 1,
      token=token,
      log_prob=slots.log_prob + log_prob,
      tokens=slots.tokens.at[jnp.arange(shape.slots), slots.position].set(
        token, mode="promise_in_bounds", unique_indices=True
      ),
      cache=cache,
    )
    slots, finished = _hand_in(slots, finished, shape, request)
    return slots, dataclasses.replace(
      finished, taken=finished.taken + num_taken, steps=finished.steps + 1
    )

  return lax.while_loop(goes_on, step, (slots, _none_finished(shape)))


def _none_finished(shape: Shape) -> Finished:
  rows = (shape.capacity,)
  return Finished(
    row_id=jnp.full(rows, _IDLE, jnp.int32),
    num_drawn=jnp.zeros(rows, jnp.int32),
    log_prob=jnp.zeros(rows, jnp.float32),
    tokens=jnp.zeros((shape.capacity, shape.max_tokens), jnp.int32),
    count=jnp.int32(0),
    taken=jnp.int32(0),
    steps=jnp.int32(0),
  )


def _take_rows(
  slots: Slots, shape: Shape, queue: Int[Array, "Q"], *, taken: Int[Array, ""]
) -> tuple[Slots, Int[Array, ""]]:
  """Idle slots begin the queue's next rows, the first idle one the first."""
  idle = slots.row_id < 0
  place = taken + jnp.cumsum(idle) - 1
  # Past the queue's end there is nothing: the slot stays idle.
  next_row = queue.at[place].get(mode="fill", fill_value=_IDLE)
  slots = dataclasses.replace(
    slots,
    row_id=jnp.where(idle, next_row, slots.row_id),
    position=jnp.where(idle, 0, slots.position),
    token=jnp.where(idle, shape.bos_id, slots.token),
    log_prob=jnp.where(idle, 0.0, slots.log_prob),
  )
  return slots, jnp.sum(idle & (next_row >= 0))


def _next_token(
  draw: choose.Choose,
  logits: Float[Array, "B V"],
  slots: Slots,
  shape: Shape,
  request: Request,
) -> tuple[Int[Array, "B"], Float[Array, "B"]]:
  """Each row's next token, and its log-probability under the model."""
  rows = jnp.arange(shape.slots)
  uniform = _uniform(request.rng, slots.row_id, slots.position)
  text_position = slots.position - request.prompt_length
  given = _given_tokens(uniform, slots, request)
  too_short = text_position < request.min_tokens
  is_end = jnp.arange(logits.shape[-1]) == shape.eos_id
  is_banned = jnp.zeros_like(is_end).at[request.banned].set(True, mode="drop")

  def draw_allowed(logits, uniform, too_short):
    # Of few rows at a time: all rows' logits are never written once more.
    out = is_banned | (is_end & too_short)
    return draw(jnp.where(out, _BANNED, logits), uniform, request.knobs)

  token, log_mass = choose.by_row(draw_allowed)(logits, uniform, too_short)
  # The model's own probabilities are shared out among all tokens.
  end_is_out = too_short & ~is_banned[shape.eos_id]
  mass = [
    logits.at[:, request.banned].get(mode="fill", fill_value=-jnp.inf),
    jnp.where(end_is_out, logits[:, shape.eos_id], -jnp.inf)[:, None],
    log_mass[:, None],
  ]
  log_mass = jax.nn.logsumexp(jnp.concatenate(mass, axis=1), axis=1)
  logit = logits[rows, token]
  if given is not None:
    last_given = 0 if request.first_tokens is not None else -1
    is_given = text_position <= last_given
    token = jnp.where(is_given, given, token)
    logit = jnp.where(is_given, logits[rows, given], logit)
  return token, jnp.where(text_position < 0, 0.0, logit - log_mass)


def _given_tokens(
  uniform: Float[Array, "B"], slots: Slots, request: Request
) -> Int[Array, "B"] | None:
  """The prompt's token at each row's position, behind it a first token by
  frequency; None where the model says all tokens."""
  given = None
  if request.first_tokens is not None:
    assert request.first_cumulated is not None, "they come together"
    entry = jax.vmap(choose.from_table, in_axes=(None, 0))
    given = request.first_tokens[entry(request.first_cumulated, uniform)]
  if request.prompts is not None:
    # What stands past the prompt's end is not used.
    prompt = request.prompts[
      slots.row_id % len(request.prompts), slots.position
    ]
    in_prompt = slots.position < request.prompt_length
    given = prompt if given is None else jnp.where(in_prompt, prompt, given)
  return given


def _uniform(
  rng: Key[Array, ""], row_id: Int[Array, "B"], position: Int[Array, "B"]
) -> Float[Array, "B"]:
  def one(row_id, position):
    row_rng = jax.random.fold_in(rng, row_id)
    return jax.random.uniform(jax.random.fold_in(row_rng, position))

  return jax.vmap(one)(row_id, position)


def _hand_in(
  slots: Slots, finished: Finished, shape: Shape, request: Request
) -> tuple[Slots, Finished]:
  """Copies ended rows to `finished` and leaves their slots idle."""
  # A prompt may hold the end token: GPT-2's is its BOS.
  is_end = (slots.token == shape.eos_id) & (
    slots.position > request.prompt_length
  )
  at_end = is_end | (slots.position >= shape.max_tokens)
  ended = at_end & (slots.row_id >= 0)
  rank = finished.count + jnp.cumsum(ended) - 1
  # Rows that go on are scattered past the end, which drops them.
  place = jnp.where(ended, rank, shape.capacity)
  finished = dataclasses.replace(
    finished,
    row_id=finished.row_id.at[place].set(slots.row_id, mode="drop"),
    num_drawn=finished.num_drawn.at[place].set(slots.position, mode="drop"),
    log_prob=finished.log_prob.at[place].set(slots.log_prob, mode="drop"),
    tokens=finished.tokens.at[place].set(slots.tokens, mode="drop"),
    count=finished.count + jnp.sum(ended),
  )
  row_id = jnp.where(at_end, _IDLE, slots.row_id)
  return dataclasses.replace(slots, row_id=row_id), finished
