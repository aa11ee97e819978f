# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax import devices
from gd_jax.data import batches
from gd_jax.training import predict


class _Sums:
  """A model without weights: logits (sum of tokens, number of tokens)."""

  def apply(self, variables, tokens, mask):
    del variables
    total = (tokens * mask).sum(axis=1)
    return jnp.stack([total, mask.sum(axis=1)], axis=1).astype(jnp.float32)


class _NextIsSame:
  """A language model that gives the token just read logit 3."""

  def apply(self, variables, tokens, mask):
    return 3.0 * (tokens[:, :, None] == jnp.arange(10)[None, None])


def _rows(num_rows):
  rng = np.random.default_rng(num_rows)
  return [
    list(rng.integers(1, 9, size=rng.integers(1, 40))) for _ in range(num_rows)
  ]


@pytest.mark.parametrize("num_rows", [1, 4, 11])
def test_logits_come_back_in_row_order(num_rows):
  # Dies if: rows stay sorted by length, or the last batch is dropped.
  rows = _rows(num_rows)
  mesh = devices.mesh()
  logits = predict.predict_logits(
    predict.make_label_step(_Sums(), mesh),
    {},
    batches.from_rows(rows, label=np.arange(num_rows)),
    num_classes=2,
    batch_size=4,
    mesh=mesh,
  )
  expected = [[sum(row), len(row)] for row in rows]
  np.testing.assert_array_equal(logits, expected)


def test_no_rows_give_no_logits():
  mesh = devices.mesh()
  logits = predict.predict_logits(
    predict.make_label_step(_Sums(), mesh),
    {},
    batches.from_rows([]),
    num_classes=2,
    batch_size=4,
    mesh=mesh,
  )
  assert logits.shape == (0, 2)


# Dies if: the rows that fill the last batch up are counted; or a prefix that is
# given is, or what stands after it is not.
@pytest.mark.parametrize(
  ("rows", "given", "judged", "same"),
  [
    ([[1, 1, 1, 1, 1], [1, 2], [1, 2, 3]], 0, 7, 4),
    ([[1, 1, 1, 4, 4], [1, 1, 1, 5], [1, 1, 1, 1]], 2, 4, 2),
  ],
)
def test_lm_means_are_over_the_tokens_that_are_judged(
  rows, given, judged, same
):
  mesh = devices.mesh()
  totals = predict.total_metrics(
    predict.make_lm_eval_step(_NextIsSame(), mesh, given=given),
    {},
    batches.from_rows(rows),
    batch_size=2,
    mesh=mesh,
  )
  log_z = np.log(np.exp(3.0) + 9)
  expected = (judged * log_z - same * 3.0) / judged
  assert totals.means()["xent"] == pytest.approx(expected, rel=1e-6)


_EIGHT_DEVICES = """
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 8)
from gd_jax import devices
from gd_jax.data import batches
from gd_jax.training import predict
from gd_jax.models import bert, families

assert devices.mesh().size == 8
config = bert.BertConfig(vocab_size=11, width=8, num_layers=1, num_heads=2,
                         mlp_width=16, max_length=8)
module = bert.BertClassifier(config, num_classes=3)
params = families.init_params(module, jax.random.key(0))
arrays = batches.from_rows([[2, 5, 3], [2, 7, 8, 3], [2, 3]] * 4 + [[4]])
mesh = devices.mesh()
def read(mesh):
  placed = jax.device_put(params, devices.everywhere(mesh))
  return predict.predict_logits(
    predict.make_label_step(module, mesh), placed, arrays,
    num_classes=3, batch_size=4, mesh=mesh)
first = np.array(jax.devices()[:1]).reshape(1, 1)
one = jax.sharding.Mesh(first, ("data", "fsdp"))
np.testing.assert_allclose(read(mesh), read(one), rtol=1e-5, atol=1e-6)
"""


@pytest.mark.slow
def test_eight_devices_read_what_one_reads():
  # Dies if: rows that do not divide by the devices are dropped or repeated.
  done = subprocess.run(
    [sys.executable, "-c", _EIGHT_DEVICES], capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
