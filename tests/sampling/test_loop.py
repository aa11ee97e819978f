# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import functools
import heapq

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from gd_jax.sampling import choose, loop, sampler

_ANY_START = dict.fromkeys(range(1, 20), 1)


def draw(decoder, shape, request, row_ids):
  """({row_id: Row}, steps taken) on one device."""
  model, params, _ = decoder
  drawer = sampler.Sampler(
    model, params, shape=shape, devices=jax.local_devices()[:1]
  )
  blocks = list(drawer.draw(row_ids, request))
  rows = [row for block in blocks for row in block.rows]
  assert sorted(row.row_id for row in rows) == sorted(row_ids)
  return {row.row_id: row for row in rows}, sum(b.steps for b in blocks)


def tokens_of(rows):
  return {row_id: row.tokens for row_id, row in rows.items()}


# Dies if: a slot feeds the wrong token or position, keeps its old row's
# tokens, hands a row in a step late, or takes a row twice.
def test_every_row_counts_up_to_the_end(counting, shape_of, request_of):
  request = request_of(21, first=_ANY_START)
  rows, _ = draw(counting, shape_of(eos_id=20), request, range(100))
  starts = set()
  for row in rows.values():
    start = row.tokens[0]
    assert row.tokens == list(range(start, 21))
    starts.add(start)
  assert len(starts) > 10


def simulated_steps(lengths, num_slots):
  """Steps until the last row ends, idle slots taking the next row at once."""
  slots = [0] * num_slots
  for length in lengths:
    heapq.heappush(slots, heapq.heappop(slots) + length)
  return max(slots)


# Dies if: a slot idles for a step between two rows, waits for the call's end,
# or the loop goes on with nothing left.
@pytest.mark.parametrize("steps_per_call", [7, 16, 1000])
def test_steps_are_as_few_as_can_be(
  counting, shape_of, request_of, steps_per_call
):
  shape = shape_of(eos_id=20, slots=8, steps_per_call=steps_per_call)
  request = request_of(21, first=_ANY_START)
  rows, steps = draw(counting, shape, request, range(400))
  lengths = [len(rows[row_id].tokens) for row_id in range(400)]
  assert steps == simulated_steps(lengths, 8)
  # At 50 rows a slot the drain costs little.
  assert sum(lengths) / (8 * steps) >= 0.95


def naive_row(decoder, shape, request, row_id):
  """One row without slots or cache: a full forward for every token."""
  model, params, _ = decoder
  next_token = _naive_step(model, shape)
  tokens, log_prob = np.zeros(shape.max_tokens + 1, np.int32), 0.0
  tokens[0] = shape.bos_id
  for position in range(shape.max_tokens):
    token, step_log_prob = next_token(
      params, tokens, np.int32(position), request, np.int32(row_id)
    )
    tokens[position + 1] = token
    log_prob += float(step_log_prob)
    if token == shape.eos_id:
      break
  return tokens[1 : position + 2].tolist(), log_prob


@functools.cache
def _naive_step(model, shape):
  choose_token = choose.make_choose(shape.sampler, max_top_k=shape.max_top_k)

  @jax.jit
  def step(params, tokens, position, request, row_id):
    inputs = tokens[None]
    # Tokens after `position` are nought; a causal model can't see them.
    logits = model.apply({"params": params}, inputs, jnp.ones_like(inputs))
    logits = logits[0, position]
    rng = jax.random.fold_in(jax.random.fold_in(request.rng, row_id), position)
    token, _ = choose_token(logits, jax.random.uniform(rng), request.knobs)
    return token, jax.nn.log_softmax(logits)[token]

  return step


# Dies if: the cache is read past a row's own position or written beside it,
# a refilled slot sees its former row, a position or row id enters the
# randomness wrongly, or log_prob misses a token.
@pytest.mark.parametrize("kind", sorted(choose.SAMPLERS))
def test_rows_equal_naive_ones(tiny_gpt2, shape_of, request_of, kind):
  shape = shape_of(sampler=kind)
  request = request_of(61, temperature=0.9, top_k=9, top_p=0.9)
  rows, _ = draw(tiny_gpt2, shape, request, range(60))
  lengths = {len(row.tokens) for row in rows.values()}
  assert len(lengths) > 5, "slots must stand at different positions"
  for row_id in range(0, 60, 7):
    tokens, log_prob = naive_row(tiny_gpt2, shape, request, row_id)
    assert rows[row_id].tokens == tokens
    np.testing.assert_allclose(rows[row_id].log_prob, log_prob, rtol=1e-4)


# Dies if: decode's logits at any position differ from a full forward's, with
# slots at different positions and after refills; or a log-probability is of
# the allowed tokens alone, or counts a token taken out twice.
@pytest.mark.parametrize(
  "changes",
  [
    {},
    {"banned": (1, 5, 8), "temperature": 0.8},
    {"banned": (0, 7), "min_tokens": 3},
    {"min_tokens": 5, "first": {3: 1, 7: 2}},
  ],
)
def test_log_probs_equal_a_full_forwards(
  tiny_gpt2, shape_of, request_of, changes
):
  model, params, vocab_size = tiny_gpt2
  request = request_of(vocab_size, **changes)
  rows, _ = draw(tiny_gpt2, shape_of(), request, range(200))
  forward = jax.jit(lambda *args: model.apply({"params": params}, *args))
  for row in rows.values():
    length = len(row.tokens)
    inputs = np.zeros((1, 20), np.int32)
    inputs[0, 1:length] = row.tokens[:-1]
    logits = np.asarray(forward(inputs, np.ones_like(inputs)))[0, :length]
    log_probs = logits - logsumexp(logits, axis=-1, keepdims=True)
    wanted = log_probs[np.arange(length), row.tokens].sum()
    np.testing.assert_allclose(row.log_prob, wanted, rtol=1e-4)


# Dies if: a row depends on its slot, its neighbours, the order of row ids, the
# number of steps a call takes, or on where an earlier run stopped.
def test_row_identity(tiny_gpt2, shape_of, request_of):
  request = request_of(61, temperature=1.1)
  whole, _ = draw(tiny_gpt2, shape_of(), request, range(90))
  backwards, _ = draw(tiny_gpt2, shape_of(), request, range(89, -1, -1))
  short_calls, _ = draw(
    tiny_gpt2, shape_of(steps_per_call=3), request, range(90)
  )
  rest, _ = draw(tiny_gpt2, shape_of(), request, range(37, 90))
  assert tokens_of(whole) == tokens_of(backwards) == tokens_of(short_calls)
  assert tokens_of(rest) == {
    row_id: tokens
    for row_id, tokens in tokens_of(whole).items()
    if row_id >= 37
  }


# Dies if: rows depend on the number of slots. Promised exactly only for one
# number: matrix products of another shape may round differently, and such a
# rounding may tip a draw.
@pytest.mark.parametrize("slots", [1, 3, 32])
def test_number_of_slots_hardly_matters(tiny_gpt2, shape_of, request_of, slots):
  request = request_of(61)
  some, _ = draw(tiny_gpt2, shape_of(), request, range(100))
  other, _ = draw(tiny_gpt2, shape_of(slots=slots), request, range(100))
  equal = sum(some[row].tokens == other[row].tokens for row in range(100))
  assert equal >= 99


# Dies if: the seed is ignored.
def test_another_seed_gives_other_rows(tiny_gpt2, shape_of, request_of):
  some, _ = draw(tiny_gpt2, shape_of(), request_of(61), range(50))
  other, _ = draw(tiny_gpt2, shape_of(), request_of(61, seed=1), range(50))
  equal = sum(some[row].tokens == other[row].tokens for row in range(50))
  assert equal < 10


# Dies if: the bias is not added, or added to the log-probability.
def test_banned_tokens_are_never_drawn(tiny_gpt2, shape_of, request_of):
  banned = tuple(range(5, 40))
  rows, _ = draw(
    tiny_gpt2, shape_of(), request_of(61, banned=banned), range(100)
  )
  drawn = {token for row in rows.values() for token in row.tokens}
  assert not drawn & set(banned)
  assert drawn > {1, 2, 3, 4}
  assert np.mean([row.log_prob / len(row.tokens) for row in rows.values()]) < -3


# Dies if: the end may come one token early, or min_tokens counts the end or
# the prompt.
@pytest.mark.parametrize("prompts", [None, [[9, 3]]])
@pytest.mark.parametrize("min_tokens", [0, 1, 5])
def test_min_tokens(tiny_gpt2, shape_of, request_of, min_tokens, prompts):
  # A likely end, after this prompt too: texts of the least length come up.
  request = request_of(
    61, min_tokens=min_tokens, banned=range(1, 50), prompts=prompts
  )
  rows, _ = draw(tiny_gpt2, shape_of(), request, range(400))
  text_lengths = [
    len(row.tokens) - (row.tokens[-1] == 0) - request.prompt_length
    for row in rows.values()
  ]
  assert min(text_lengths) == min_tokens


# Dies if: a row runs past max_tokens or stops one short of it.
def test_max_tokens_cuts_a_row(counting, shape_of, request_of):
  request = request_of(21, first={1: 1, 18: 1})
  shape = shape_of(eos_id=20, max_tokens=4)
  rows, _ = draw(counting, shape, request, range(30))
  seen = {tuple(row.tokens) for row in rows.values()}
  assert seen == {(1, 2, 3, 4), (18, 19, 20)}


# Dies if: first tokens come uniformly, or from the model.
def test_first_tokens_by_frequency(counting, shape_of, request_of):
  request = request_of(21, first={3: 1, 9: 3, 4: 0, 19: 6})
  rows, _ = draw(counting, shape_of(eos_id=20), request, range(2000))
  starts = [row.tokens[0] for row in rows.values()]
  counts = np.bincount(starts, minlength=21)
  assert set(np.flatnonzero(counts)) == {3, 9, 19}
  np.testing.assert_allclose(
    counts[[3, 9, 19]] / 2000, [0.1, 0.3, 0.6], atol=0.04
  )


# Dies if: a row gets another class's prompt, a prompt's end token ends it, or
# the text's first token is drawn before the prompt's end.
def test_each_row_begins_with_its_classs_prompt(counting, shape_of, request_of):
  # Token 20 ends a text, and stands in a prompt.
  prompts = [[20, 3], [7, 9], [2, 18]]
  request = request_of(21, prompts=prompts, min_tokens=1)
  rows, _ = draw(counting, shape_of(eos_id=20), request, range(2, 60))
  for row_id, row in rows.items():
    prompt = prompts[row_id % 3]
    assert row.tokens == [*prompt, *range(prompt[1] + 1, 21)]
  request = request_of(21, prompts=prompts, first={15: 1})
  rows, _ = draw(counting, shape_of(eos_id=20), request, range(9))
  for row_id, row in rows.items():
    assert row.tokens == [*prompts[row_id % 3], *range(15, 21)]


# Dies if: the prompt's own log-probability is counted in, or the text's is not
# conditional on it.
def test_log_prob_is_of_the_text_after_its_prompt(
  tiny_gpt2, shape_of, request_of
):
  model, params, vocab_size = tiny_gpt2
  request = request_of(vocab_size, prompts=[[5, 6, 7], [0, 0, 8]])
  rows, _ = draw(tiny_gpt2, shape_of(), request, range(60))
  forward = jax.jit(lambda *args: model.apply({"params": params}, *args))
  assert len({len(row.tokens) for row in rows.values()}) > 5
  for row in rows.values():
    length = len(row.tokens)
    inputs = np.zeros((1, 20), np.int32)
    inputs[0, 1:length] = row.tokens[:-1]
    logits = np.asarray(forward(inputs, np.ones_like(inputs)))[0, :length]
    log_probs = logits - logsumexp(logits, axis=-1, keepdims=True)
    wanted = log_probs[np.arange(length), row.tokens][3:].sum()
    np.testing.assert_allclose(row.log_prob, wanted, rtol=1e-4)


# Dies if: the buffer of finished rows overflows: rows would be lost.
def test_a_full_buffer_ends_the_call(counting, shape_of, request_of):
  shape = shape_of(eos_id=20, slots=6, steps_per_call=32)
  assert shape.capacity == 48
  # Every text is its end token alone: six rows a step.
  rows, steps = draw(counting, shape, request_of(21, first={20: 1}), range(500))
  assert {tuple(row.tokens) for row in rows.values()} == {(20,)}
  assert steps == -(-500 // 6)


def test_nothing_to_draw(counting, shape_of, request_of):
  rows, steps = draw(counting, shape_of(eos_id=20), request_of(21), [])
  assert (rows, steps) == ({}, 0)


# Dies if: a token id without a count is in the table (from_table may give it).
def test_first_token_table_leaves_out_what_never_comes():
  table = loop.first_token_table({7: 2, 3: 0, 5: 1})
  np.testing.assert_array_equal(table["first_tokens"][:2], [5, 7])
  np.testing.assert_array_equal(table["first_cumulated"][:3], [1, 3, 3])


# Dies if: other texts, with other first tokens, compile another program; or if
# an entry that fills the table up can be drawn.
def test_first_token_tables_are_of_few_sizes():
  small, large = (
    loop.first_token_table({i + 1: 1 for i in range(n)}) for n in (3, 200)
  )
  for name, value in small.items():
    assert value.shape == large[name].shape
  largest = jnp.float32(1) - jnp.finfo(jnp.float32).epsneg
  place = choose.from_table(small["first_cumulated"], largest)
  assert small["first_tokens"][place] == 3
