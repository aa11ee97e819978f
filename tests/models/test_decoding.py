# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

"""What holds of both decoders: GPT-2, and BERT under a causal mask."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import attention, bert, decoding, gpt2

_SHAPE = {
  "vocab_size": 50,
  "width": 32,
  "num_layers": 2,
  "num_heads": 4,
  "mlp_width": 40,
  "max_length": 16,
}
_DECODERS = {
  "gpt2": gpt2.Gpt2(gpt2.Gpt2Config(**_SHAPE)),
  "bert": bert.BertDecoder(bert.BertConfig(**_SHAPE)),
}
_LENGTHS = np.array([12, 7, 3])


@pytest.fixture(params=sorted(_DECODERS))
def decoder(request, random_params):
  module = _DECODERS[request.param]
  return module, random_params(module)


@pytest.fixture
def tokens():
  return np.random.default_rng(0).integers(0, 50, (3, 12))


def _mask(length=12):
  return (np.arange(length) < _LENGTHS[:, None]).astype(np.int32)


@functools.partial(jax.jit, static_argnames=("module", "deterministic"))
def _run(module, params, tokens, mask, rngs=None, deterministic=True):
  return module.apply(
    {"params": params}, tokens, mask, rngs=rngs, deterministic=deterministic
  )


def _apply(decoder, tokens, mask=None, **kwargs):
  module, params = decoder
  mask = np.ones_like(tokens) if mask is None else mask
  return _run(module, params, tokens, mask, **kwargs)


@functools.partial(jax.jit, static_argnames="module")
def _decode(module, params, token, position, cache):
  return module.apply(
    {"params": params}, token, position, cache, method="decode"
  )


@pytest.mark.parametrize("layout", attention.LAYOUTS)
@pytest.mark.parametrize("prepared", [False, True])
def test_decoding_equals_the_full_forward(decoder, tokens, prepared, layout):
  # Dies if: the cache is read beyond or short of the position, the scores are
  # scaled otherwise, or the head is not the word table.
  module, params = decoder
  module = module.clone(cache_layout=layout)
  expected = _apply(decoder, tokens)
  params = decoding.prepare(params) if prepared else params
  cache = module.init_cache(3, 12)
  for t in range(12):
    positions = jnp.full(3, t)
    logits, cache = _decode(module, params, tokens[:, t], positions, cache)
    np.testing.assert_allclose(logits, expected[:, t], atol=2e-5)
  assert np.std(expected) > 0.1


@pytest.mark.parametrize("layout", attention.LAYOUTS)
def test_rows_decode_at_positions_of_their_own(decoder, tokens, layout):
  # Dies if: rows share a position, or a reused slot sees what stood before.
  module, params = decoder
  module = module.clone(cache_layout=layout)
  starts = np.array([0, 3, 5])
  cache = jax.tree.map(
    lambda x: x + 9.0, module.init_cache(3, 12)
  )  # as a slot looks whose last text is done
  expected = _apply(decoder, tokens)
  for step in range(12):
    position = step - starts
    live = position >= 0
    position = np.maximum(position, 0)
    token = tokens[np.arange(3), position]
    logits, cache = _decode(module, params, token, position, cache)
    rows = np.flatnonzero(live)
    np.testing.assert_allclose(
      logits[rows], expected[rows, position[rows]], atol=2e-5
    )


def test_no_token_sees_a_later_one(decoder, tokens):
  # Dies if: the causal mask is dropped or off by one.
  changed = tokens.copy()
  changed[:, 6] = (changed[:, 6] + 1) % 50
  before, after = _apply(decoder, tokens), _apply(decoder, changed)
  np.testing.assert_array_equal(before[:, :6], after[:, :6])
  assert (np.abs(before - after).max(axis=(0, 2))[6:] > 1e-4).all()


def test_padding_never_leaks(decoder, tokens):
  # Dies if: a real token attends to padding, on either side of the mask.
  longer = np.concatenate([tokens, tokens[:, ::-1][:, :4]], axis=1)
  real = _mask() > 0
  short = _apply(decoder, tokens, _mask())[real]
  long = _apply(decoder, longer, _mask(16))[:, :12][real]
  np.testing.assert_allclose(short, long, atol=1e-5)


def test_a_row_of_padding_is_finite(decoder, tokens):
  logits = _apply(decoder, tokens, np.zeros_like(tokens))
  assert np.isfinite(logits).all()


def test_prepared_params_give_the_same_logits(decoder, tokens):
  module, params = decoder
  prepared = decoding.prepare(params)
  table = decoding.word_table(params)
  np.testing.assert_array_equal(prepared["head"], table.T)
  logits = _apply((module, prepared), tokens)
  np.testing.assert_allclose(logits, _apply(decoder, tokens), atol=1e-5)


def test_prepare_casts_once(decoder):
  prepared = decoding.prepare(decoder[1], jnp.bfloat16)
  assert {x.dtype for x in jax.tree.leaves(prepared)} == {jnp.bfloat16.dtype}


def test_weights_of_products_in_bfloat16(decoder, tokens):
  # Dies if: another parameter than those is rounded, one of them is not, the
  # activations or the cache are, or the logits.
  module, params = decoder
  # Biases would give digits back to what was rounded.
  params = jax.tree_util.tree_map_with_path(
    lambda path, x: x * (path[-1].key != "bias"), params
  )
  prepared = decoding.prepare(params, matmul_dtype="bfloat16")
  rounded = {
    jax.tree_util.keystr(path)
    for path, x in jax.tree_util.tree_leaves_with_path(prepared)
    if x.dtype == jnp.bfloat16
  }
  assert all(name.endswith(("['kernel']", "['head']")) for name in rounded)
  # Of two layers four each, and the head.
  assert len(rounded) == 9
  # The head's columns are filled up, and no logits are made of those.
  assert prepared["head"].shape[1] == 512
  assert _apply((module, prepared), tokens).shape == (*tokens.shape, 50)
  cache = module.init_cache(3, 12)
  expected = _apply((module, params), tokens)
  for t in range(12):
    positions = jnp.full(3, t)
    logits, cache = _decode(module, prepared, tokens[:, t], positions, cache)
    # Logits of up to 7, each step of which is rounded to 8 bits.
    np.testing.assert_allclose(logits, expected[:, t], atol=0.15)
  # Numbers that bfloat16 has no place for.
  for kept in (logits, *jax.tree.leaves(cache)):
    assert kept.dtype == jnp.float32
    assert np.mean(kept[kept != 0] != kept[kept != 0].astype("bfloat16")) > 0.9


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_logits_are_summed_in_float32(dtype):
  # Dies if: they are rounded to bfloat16 first. Not seen in their digits, for
  # XLA may leave such a rounding out.
  hidden, table = jnp.ones((3, 8), dtype), jnp.ones((50, 8))
  head = table.T.astype("bfloat16")
  program = str(jax.make_jaxpr(decoding.tied_logits)(hidden, table, head))
  assert "f32[3,50] = dot_general" in program


def test_the_head_is_tied(decoder, tokens):
  # Dies if: the head becomes a parameter of its own, or drops out of the
  # gradient of the word table.
  module, params = decoder
  assert "head" not in params

  def loss(params):
    return _apply((module, params), tokens).std()

  unused = sorted(set(range(50)) - set(tokens.ravel().tolist()))
  gradient = decoding.word_table(jax.jit(jax.grad(loss))(params))
  assert (np.abs(gradient[np.array(unused)]).max(axis=1) > 0).all()


def test_logits_are_float32_under_bfloat16(decoder, tokens):
  module, params = decoder
  half = module.clone(dtype=jnp.bfloat16)
  logits = _apply((half, params), tokens)
  assert logits.dtype == jnp.float32
  np.testing.assert_allclose(logits, _apply(decoder, tokens), atol=0.5)
  cache = half.init_cache(3, 4, jnp.bfloat16)
  step, cache = _decode(half, params, tokens[:, 0], jnp.zeros(3, int), cache)
  assert step.dtype == jnp.float32
  assert {x.dtype for x in jax.tree.leaves(cache)} == {jnp.bfloat16.dtype}


def test_dropout_is_on_only_when_asked(decoder, tokens):
  rngs = {"dropout": jax.random.key(1)}
  noisy = _apply(decoder, tokens, deterministic=False, rngs=rngs)
  again = _apply(decoder, tokens, deterministic=False, rngs=rngs)
  np.testing.assert_array_equal(noisy, again)
  assert np.abs(noisy - _apply(decoder, tokens)).max() > 1e-2


def test_too_long_a_text_is_refused(decoder):
  with pytest.raises(ValueError, match="17 tokens; the model has 16"):
    _apply(decoder, np.zeros((1, 17), int))
