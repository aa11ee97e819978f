# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gd_jax.sampling import choose

_KINDS = sorted(choose.SAMPLERS)
_NUM_DRAWS = 20_000
_SETTINGS = {
  "plain": {},
  "sharp": {"temperature": 0.5, "top_k": 5, "top_p": 0.7, "min_p": 0.2},
  "flat": {"temperature": 1.7, "top_k": 100, "top_p": 0.99, "min_p": 0.01},
}


@functools.cache
def _drawer(kind, max_top_k):
  function = choose.make_choose(kind, max_top_k=max_top_k)
  return jax.jit(jax.vmap(function, in_axes=(None, 0, None)))


def draw(kind, logits, uniforms, **settings):
  """Tokens [N] drawn from one row of logits by N uniform numbers."""
  knobs = choose.knobs(**settings)
  drawer = _drawer(kind, max_top_k=16)
  drawn = drawer(np.float32(logits), np.float32(uniforms), knobs)
  return np.asarray(drawn.token)


def reference(
  kind, logits, *, temperature=1.0, top_k=40, top_p=0.95, min_p=0.05,
  max_top_k=16,
):  # fmt: skip
  """The exact distribution [V], by sorting, in float64."""
  logits = np.asarray(logits, np.float64)
  order = np.argsort(-logits, kind="stable")
  if temperature == 0:
    probs = (np.arange(len(logits)) == order[0]).astype(np.float64)
  else:
    probs = np.exp((logits - logits.max()) / temperature)
  probs /= probs.sum()
  descending = probs[order]
  kept = np.ones(len(logits), bool)
  if kind == "top_k":
    kept = np.arange(len(logits)) < max(min(top_k, max_top_k), 1)
  if kind == "top_p":
    likelier = np.array(
      [descending[descending > each].sum() for each in descending]
    )
    kept = likelier < max(top_p, 1e-9)
    if top_p >= 1:
      kept[:] = True
  if kind == "min_p":
    kept = descending >= min(min_p, 1.0) * descending[0]
  filtered = np.zeros(len(logits))
  filtered[order[kept]] = descending[kept]
  return filtered / filtered.sum()


def uniform_numbers(seed=0, count=_NUM_DRAWS):
  return np.asarray(jax.random.uniform(jax.random.key(seed), (count,)))


def p_value(tokens, probs):
  """Chi-square of the tokens against `probs`; 0 if an impossible one came."""
  counts = np.bincount(tokens, minlength=len(probs))
  if counts[probs == 0].any() or len(counts) > len(probs):
    return 0.0
  expected = probs * len(tokens)
  # The test needs about 5 expected draws in each bin: rare tokens share one.
  rare = expected < 5
  observed = np.append(counts[~rare], counts[rare].sum())
  wanted = np.append(expected[~rare], expected[rare].sum())
  if wanted[-1] < 5:
    observed, wanted = observed[:-1], wanted[:-1]
    wanted = wanted * observed.sum() / wanted.sum()
  if len(wanted) < 2:
    return 1.0
  return stats.chisquare(observed, wanted).pvalue


# Dies if: a draw is off by one entry or block, a filter keeps one token more
# or fewer, what is kept is not renormalised, the temperature multiplies.
@pytest.mark.parametrize("vocab_size", [5, 128, 300])
@pytest.mark.parametrize("setting", _SETTINGS)
@pytest.mark.parametrize("kind", _KINDS)
def test_draws_follow_the_exact_distribution(kind, setting, vocab_size):
  logits = np.random.default_rng(vocab_size).normal(size=vocab_size) * 2
  logits = logits.astype(np.float32)
  for seed in range(3):
    tokens = draw(kind, logits, uniform_numbers(seed), **_SETTINGS[setting])
    assert p_value(tokens, reference(kind, logits, **_SETTINGS[setting])) > 1e-4


# Dies if: p_value accepts anything.
@pytest.mark.parametrize(
  "wrong",
  [
    lambda tokens, probs: (tokens + 1) % len(probs),  # off by one
    lambda tokens, probs: np.where(
      uniform_numbers(9) < 0.05, 0, tokens
    ),  # mass cut off is given to one token instead of all
  ],
)
def test_the_chi_square_test_can_fail(wrong):
  logits = np.random.default_rng(5).normal(size=20)
  probs = reference("pure", logits)
  tokens = draw("pure", logits, uniform_numbers())
  assert p_value(tokens, probs) > 1e-4
  assert p_value(wrong(tokens, probs), probs) < 1e-4


_DEGENERATE = {
  "ties": [1.0, 2.0, 2.0, 0.0, 2.0, 1.0, 0.0],
  "ties at the edge": [3.0, 1.0, 1.0, 1.0, 1.0, -2.0],
  "infinitely unlikely": [0.0, -np.inf, 1.0, -np.inf, 0.5],
  "all but one infinitely unlikely": [-np.inf, -np.inf, 0.0, -np.inf],
  "one spike": [0.0, 0.0, 90.0, 0.0],
  "all equal": [0.25] * 9,
  "one token": [3.0],
  "large": [1e30, 1e30, -1e30],
  "lowest": [float(np.finfo(np.float32).min), 0.0, -1.0],
}
_EXTREMES = {
  "defaults": {},
  "p=0": {"top_p": 0.0, "min_p": 0.0, "top_k": 1},
  "p=1": {"top_p": 1.0, "min_p": 1.0, "top_k": 16},
  "k>V": {"top_k": 1000},
  "k=0": {"top_k": 0},
  "k=2, p=0.5": {"top_k": 2, "top_p": 0.5, "min_p": 0.5},
  "greedy": {"temperature": 0.0},
  "nearly greedy": {"temperature": 1e-30},
  "hot": {"temperature": 1e6},
}


# Dies if: a filter treats ties by position where it should not, keeps nothing
# at p=0, drops tokens at p=1, or divides by zero.
@pytest.mark.parametrize("extreme", _EXTREMES)
@pytest.mark.parametrize("name", _DEGENERATE)
@pytest.mark.parametrize("kind", _KINDS)
def test_degenerate_logits_and_settings(kind, name, extreme):
  logits, settings = np.float32(_DEGENERATE[name]), _EXTREMES[extreme]
  tokens = draw(kind, logits, uniform_numbers(count=4000), **settings)
  if extreme == "nearly greedy":
    settings = {"temperature": 1e-6}
  probs = reference(kind, logits, **settings)
  assert p_value(tokens, probs) > 1e-4
  likely = np.flatnonzero(probs > 0.01)
  assert set(likely) <= set(tokens.tolist())


# Dies if: the search for the nucleus stops before it has told neighbours
# apart, or is off by one token at either side.
@pytest.mark.parametrize("seed", range(5))
def test_nucleus_equals_the_sorted_one(seed):
  rng = np.random.default_rng(seed)
  # Neighbouring floats: 1/2 and the next ones above it.
  close = 0.5 + np.arange(8) * 2.0**-24
  weights = rng.permutation(np.append(rng.random(500), [*close, 1.0]))
  weights = weights.astype(np.float32)
  descending = np.sort(weights)[::-1].astype(np.float64)
  cumulated = np.cumsum(descending)
  least_of_nucleus = jax.jit(choose._least_of_nucleus)
  for place in rng.integers(1, 508, 20):
    # A share that `place` tokens fall short of and one more reaches.
    p = (cumulated[place - 1] + cumulated[place]) / 2 / cumulated[-1]
    least = least_of_nucleus(weights, np.float32(p))
    assert float(least) == np.float32(descending[place])


# Dies if: a token is kept though those before it sum to p exactly.
@pytest.mark.parametrize(
  ("p", "least"),
  [(0.0, 1.0), (0.5, 1.0), (0.51, 0.5), (0.75, 0.5), (0.8, 0.25)],
)
def test_nucleus_where_the_sum_is_p_exactly(p, least):
  weights = jnp.float32([0.25, 1.0, 0.25, 0.5])
  assert float(choose._least_of_nucleus(weights, jnp.float32(p))) == least


# Dies if: p = 1 drops tokens too light to change the rounded sum of weights.
def test_nucleus_at_p_1_is_everything():
  weights = jnp.float32([1.0, 1e-12, 0.5, 0.0])
  assert float(choose._least_of_nucleus(weights, jnp.float32(1.0))) == 0.0


# Dies if: the token's rank in the cumulated sum is counted with < for <=.
@pytest.mark.parametrize("kind", _KINDS)
def test_uniform_numbers_at_both_ends(kind):
  logits = np.full(300, -np.inf, np.float32)
  logits[[3, 130, 290]] = [1.0, 1.0, 1.0]
  next_to_one = np.nextafter(np.float32(1), np.float32(0))
  tokens = draw(kind, logits, [0.0, next_to_one], top_p=1.0)
  np.testing.assert_array_equal(tokens, [3, 290])


# Dies if: temperature 0 divides, or draws among the likeliest.
@pytest.mark.parametrize("kind", _KINDS)
def test_temperature_zero_is_argmax(kind):
  logits = np.random.default_rng(0).normal(size=1000).astype(np.float32)
  logits[[7, 900]] = logits.max() + np.float32(1e-6)
  tokens = draw(kind, logits, uniform_numbers(count=100), temperature=0.0)
  assert set(tokens.tolist()) == {7}


# Dies if: a draw falls on a token whose weight is 0, be it by rounding.
def test_a_token_without_weight_is_never_drawn():
  rng = np.random.default_rng(1)
  weights = np.where(rng.random(4000) < 0.5, 0.0, rng.random(4000) ** 20)
  drawn = jax.jit(jax.vmap(lambda u: choose._draw(jnp.float32(weights), u)))(
    uniform_numbers(count=20_000)
  )
  assert (weights[np.asarray(drawn)] > 0).all()


# Dies if: entries are drawn by anything but their frequency.
def test_from_table_draws_by_frequency():
  counts = np.array([3, 0, 1, 6])
  cumulated = jnp.float32(np.cumsum(counts))
  draw_all = jax.jit(jax.vmap(choose.from_table, in_axes=(None, 0)))
  tokens = np.asarray(draw_all(cumulated, uniform_numbers()))
  assert p_value(tokens, counts / counts.sum()) > 1e-4


# Dies if: an entry that never came is drawn, or one past the end.
@pytest.mark.parametrize("total", [4, 7, 1000, 2**20 + 1])
def test_from_table_at_its_edges(total):
  counts = np.array([0, 3, 0, total - 3, 0])
  cumulated = jnp.float32(np.cumsum(counts))
  last = np.float32(1 - 2**-24)
  for uniform, entry in ((0.0, 1), (3 / total, 3), (last, 3)):
    assert choose.from_table(cumulated, jnp.float32(uniform)) == entry


# Dies if: log_mass is of the filtered or tempered distribution, or unscaled.
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("kind", _KINDS)
def test_log_mass_is_the_models(kind, temperature):
  logits = np.random.default_rng(2).normal(size=500).astype(np.float32) * 9
  settings = choose.knobs(temperature=temperature, top_k=3, top_p=0.5)
  got = _drawer(kind, 16)(logits, np.float32([0.4]), settings).log_mass
  wanted = np.log(np.exp(np.float64(logits)).sum())
  np.testing.assert_allclose(got, [wanted], rtol=1e-6)


# Dies if: a likely token's block is missed, or of equal logits the higher id
# comes first.
@pytest.mark.parametrize("levels", [3, 40, 10**6])
@pytest.mark.parametrize("vocab_size", [2560, 3001])
def test_the_likeliest_through_blocks_are_the_likeliest(vocab_size, levels):
  rng = np.random.default_rng(levels)
  logits = np.float32(rng.integers(0, levels, (20, vocab_size)))
  found = jax.jit(jax.vmap(functools.partial(choose._likeliest, count=40)))
  wanted = jax.lax.top_k(logits, 40)
  for ours, theirs in zip(found(logits), wanted, strict=True):
    np.testing.assert_array_equal(ours, theirs)


# Dies if: the row-by-row and the all-at-once form part ways.
@pytest.mark.parametrize("kind", _KINDS)
def test_by_row_equals_vmap(kind):
  rng = np.random.default_rng(3)
  logits = jnp.float32(rng.normal(size=(40, 500)) * 3)
  uniforms = jnp.float32(rng.random(40))
  function = choose.make_choose(kind, max_top_k=16)

  def one(logits, uniform):
    return function(logits, uniform, choose.knobs())

  by_row = jax.jit(choose.by_row(one))(logits, uniforms)
  at_once = jax.jit(jax.vmap(one))(logits, uniforms)
  np.testing.assert_array_equal(by_row.token, at_once.token)
  np.testing.assert_allclose(by_row.log_mass, at_once.log_mass, rtol=1e-6)


# Dies if: an accelerator is made to go row by row, or to sort.
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("kind", _KINDS)
def test_accelerators_take_all_rows_at_once(kind, platform):
  function = choose.make_choose(kind, max_top_k=16)

  def one(logits, uniform):
    return function(logits, uniform, choose.knobs())

  traced = jax.jit(choose.by_row(one)).trace(
    jax.ShapeDtypeStruct((7, 500), jnp.float32),
    jax.ShapeDtypeStruct((7,), jnp.float32),
  )
  program = traced.lower(lowering_platforms=(platform,)).as_text()
  assert "tensor<7x500xf32>" in program
  assert "stablehlo.sort" not in program
  # The search for the nucleus is the only loop.
  assert program.count("stablehlo.while") == (1 if kind == "top_p" else 0)


def test_an_unknown_sampler_is_refused_by_name():
  with pytest.raises(ValueError, match=r"'nucleus'.*top_p"):
    choose.make_choose("nucleus", max_top_k=4)


# Dies if: a CPU is made to sort a vocabulary wide enough for blocks: XLA turns
# a slice of the likeliest logits into a sort of all.
@pytest.mark.parametrize("kind", _KINDS)
def test_a_cpu_does_not_sort(kind):
  function = choose.make_choose(kind, max_top_k=16)

  def one(logits, uniform):
    return function(logits, uniform, choose.knobs())

  program = jax.jit(choose.by_row(one)).lower(
    jax.ShapeDtypeStruct((7, 3001), jnp.float32),
    jax.ShapeDtypeStruct((7,), jnp.float32),
  )
  compiled = program.compile().as_text()
  assert not re.search(r"\bsort\(", compiled)
  assert ("TopK" in compiled) == (kind == "top_k")
