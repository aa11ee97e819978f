# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.models import bilstm, blend_cnn, families, students

_STUDENTS = {
  "res_cnn": students.ResCnn(40, 3, embed_width=12, num_filters=16),
  "kim_cnn": students.KimCnn(40, 3, embed_width=12, num_filters=16),
  "blend_cnn": blend_cnn.BlendCnn(
    40, 3, embed_width=12, num_filters=16, num_layers=3, hidden_width=8
  ),
  "bilstm": bilstm.BiLstm(40, 3, embed_width=12, state_width=8, hidden_width=8),
}
_CONVOLVING = ("blend_cnn", "kim_cnn", "res_cnn")


@pytest.fixture(params=sorted(_STUDENTS))
def student(request, random_params):
  module = _STUDENTS[request.param]
  return module, random_params(module)


@pytest.fixture(params=_CONVOLVING)
def convolving(request, random_params):
  module = _STUDENTS[request.param]
  return module, random_params(module)


@pytest.fixture
def batch():
  """Texts of 1 to 9 tokens, padded to 9 with token 0."""
  mask = (np.arange(9) < np.array([[9], [5], [2], [1]])).astype(np.int32)
  tokens = np.random.default_rng(0).integers(1, 40, (4, 9))
  return tokens * mask, mask


@functools.partial(jax.jit, static_argnames=("module", "deterministic"))
def _run(module, params, tokens, mask, rngs=None, deterministic=True):
  return module.apply(
    {"params": params}, tokens, mask, rngs=rngs, deterministic=deterministic
  )


def _apply(student, tokens, mask, **kwargs):
  module, params = student
  return _run(module, params, tokens, mask, **kwargs)


@pytest.mark.parametrize("conv", students.CONVS)
def test_padding_never_leaks(student, batch, conv):
  # Dies if: a convolution reads padding that is not zero, pooling counts it, or
  # a padded step moves an LSTM's state.
  module, params = student
  if hasattr(module, "conv"):
    student = (module.clone(conv=conv), params)
  tokens, mask = batch
  short = _apply(student, tokens, mask)
  # Not token 0: the mask alone says what is padding.
  longer = np.pad(tokens, ((0, 0), (0, 3)), constant_values=5)
  long = _apply(student, longer, np.pad(mask, ((0, 0), (0, 3))))
  np.testing.assert_allclose(short, long, atol=1e-6)
  for i in (1, 3):
    real = slice(mask[i].sum())
    alone = _apply(student, tokens[i : i + 1, real], mask[i : i + 1, real])
    np.testing.assert_allclose(short[i], alone[0], atol=1e-6)
  assert np.std(short, axis=0).max() > 1e-2


def test_im2col_equals_lax(convolving, batch):
  # Dies if: the shifts run the other way, or an even kernel pads another side.
  module, params = convolving

  def loss(params, conv):
    logits = _apply((module.clone(conv=conv), params), *batch)
    return (jax.nn.log_softmax(logits)[:, 0] ** 2).sum(), logits

  grad = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnames="conv")
  (_, lax), lax_gradient = grad(params, conv="lax")
  (_, im2col), im2col_gradient = grad(params, conv="im2col")
  np.testing.assert_allclose(lax, im2col, atol=1e-5)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
    lax_gradient,
    im2col_gradient,
  )


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_convolve_is_the_sum_over_the_window(width):
  rng = np.random.default_rng(0)
  x, kernel = rng.normal(size=(1, 6, 2)), rng.normal(size=(width, 2, 3))
  before = (width - 1) // 2
  padded = np.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
  expected = [
    np.einsum("wi,wio->o", padded[0, t : t + width], kernel) for t in range(6)
  ]
  for conv in students.CONVS:
    y = students.convolve(jnp.float32(x), jnp.float32(kernel), conv=conv)
    np.testing.assert_allclose(y[0], np.stack(expected), atol=1e-5)


def test_no_convolution_under_im2col(convolving, batch):
  # A convolution is 46 times slower inside a scan: im2col must have none.
  module, params = convolving

  def apply(conv):
    return jax.make_jaxpr(
      lambda params: _apply((module.clone(conv=conv), params), *batch)
    )(params)

  assert "conv_general_dilated" in str(apply("lax"))
  assert "conv_general_dilated" not in str(apply("im2col"))


def test_a_row_of_padding_has_finite_logits_and_gradients(student, batch):
  # Dies if: the maximum over nothing is the lowest float, or the mean of
  # nothing is 0 / 0.
  module, params = student
  tokens, mask = batch[0], batch[1].copy()
  mask[2] = 0

  def loss(params):
    return (_apply((module, params), tokens, mask) ** 2).sum()

  value, gradient = jax.jit(jax.value_and_grad(loss))(params)
  assert np.isfinite(value) and value < 1e6
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


def test_word_order_matters(student, batch):
  tokens, mask = batch[0][:1], batch[1][:1]
  turned = _apply(student, tokens[:, ::-1], mask)
  assert np.abs(turned - _apply(student, tokens, mask)).max() > 1e-3


def test_students_stack_under_vmap(student, batch, random_params):
  module, _ = student
  if hasattr(module, "conv"):
    module = module.clone(conv="im2col")
  each = [random_params(module, seed=i) for i in range(3)]
  stacked = jax.tree.map(lambda *x: jnp.stack(x), *each)
  together = jax.vmap(lambda p: _apply((module, p), *batch))(stacked)
  for params, logits in zip(each, together, strict=True):
    alone = _apply((module, params), *batch)
    np.testing.assert_allclose(logits, alone, atol=1e-5)


def test_dropout_is_on_only_when_asked(student, batch):
  if isinstance(student[0], blend_cnn.BlendCnn):
    pytest.skip("blend_cnn has no dropout")
  noisy = _apply(
    student, *batch, deterministic=False, rngs={"dropout": jax.random.key(1)}
  )
  assert np.abs(noisy - _apply(student, *batch)).max() > 1e-3


@pytest.mark.parametrize(
  ("module", "expected"),
  [
    (students.ResCnn(8000, 6), 1_077_888 + 257 * 6),
    (students.ResCnn(8000, 100), 1_077_888 + 257 * 100),
    (students.KimCnn(8000, 6), 915_840 + 385 * 6),
  ],
)
def test_defaults_are_300_times_below_bert_large(module, expected):
  # Dies if: a default grows beyond what the students may weigh, all counted.
  shapes = jax.eval_shape(
    lambda: families.init_params(module, jax.random.key(0))
  )
  assert families.count_params(shapes) == expected <= 1_110_000
  table = shapes["embed"]["embedding"]
  assert table.shape == (8000, module.embed_width)
  small = families.count_params(shapes, embeddings=False)
  assert small == expected - 8000 * module.embed_width


@pytest.mark.parametrize(
  ("module", "embeddings", "others"),
  [
    # 8 x (5 x 100 x 100 + 100) + (800 x 100 + 100) + (100 C + C)
    (
      blend_cnn.BlendCnn(30_522, 4),
      30_522 * 100,
      8 * 50_100 + 80_100 + 404,
    ),
    # 2 x (300 x 600 + 150 x 600 + 600) + (300 x 200 + 200) + (200 C + C)
    (bilstm.BiLstm(8000, 4), 8000 * 300, 2 * 270_600 + 60_200 + 804),
  ],
)
def test_earlier_students_are_as_large_as_they_were(module, embeddings, others):
  # Dies if: a layer is missing, or of another width than it was.
  shapes = jax.eval_shape(
    lambda: families.init_params(module, jax.random.key(0))
  )
  assert families.count_params(shapes) == embeddings + others
  assert families.count_params(shapes, embeddings=False) == others
  said = int(module.__doc__.split(" + ")[0].split()[-1].replace(",", ""))
  per_class = int(module.__doc__.split(" + ")[1].split()[0])
  assert said + 4 * per_class == embeddings + others


def test_the_lstm_is_the_textbook_one(random_params):
  # Dies if: two gates are swapped, or both directions read the same way.
  module = _STUDENTS["bilstm"]
  params = random_params(module)
  tokens = np.array([[7, 3, 9, 1]])
  x = params["embed"]["embedding"][tokens[0]]

  def sigmoid(z):
    return 1 / (1 + np.exp(-z))

  def last(direction, rows):
    state = cell = np.zeros(8)
    for row in rows:
      z = row @ direction["input"]["kernel"] + direction["input"]["bias"]
      i, f, g, o = np.split(z + state @ direction["kernel"], 4)
      cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
      state = sigmoid(o) * np.tanh(cell)
    return state

  states = [last(params["forward"], x), last(params["backward"], x[::-1])]
  hidden = np.concatenate(states) @ params["hidden"]["kernel"]
  hidden = np.maximum(hidden + params["hidden"]["bias"], 0)
  expected = hidden @ params["classifier"]["kernel"]
  expected = expected + params["classifier"]["bias"]
  logits = _apply((module, params), tokens, np.ones_like(tokens))
  np.testing.assert_allclose(logits[0], expected, atol=1e-5)


def test_an_unknown_conv_is_refused(batch):
  module = students.ResCnn(40, 3, conv="fft")
  with pytest.raises(ValueError, match="not 'fft'"):
    families.init_params(module, jax.random.key(0))
