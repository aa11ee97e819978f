# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from gd_jax import artefacts, checkpoints
from gd_jax.models import families, students
from gd_jax.progress import Progress
from gd_jax.reporting import readers
from gd_jax.training import baselines

TEXTS = [" ".join(["abc"[i % 3]] * (i % 40 + 1)) for i in range(300)]


def _encode(texts):
  return [[ord(letter) - 95 for letter in text.split()] for text in texts]


def _save(folder, *, embed_width=4, seed=0):
  module = students.KimCnn(8, 3, embed_width=embed_width, num_filters=4)
  shapes = jax.eval_shape(
    lambda: module.init(
      jax.random.key(0), jnp.zeros((1, 4), int), jnp.ones((1, 4), int)
    )["params"]
  )
  rng = np.random.default_rng(seed)
  params = jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes
  )
  folder.mkdir()
  checkpoints.save_params(folder, params)
  artefacts.write_json(folder / "model.json", families.spec_of(module))
  return module, params


@pytest.fixture
def bar():
  with Progress(quiet=True).bar("x", 1) as bar:
    yield bar


def test_every_text_is_read_as_if_alone(tmp_path, bar):
  # Dies if: the rows beyond the last full batch of 256 are dropped, rows come
  # back in the order of their lengths, or padding counts.
  folder = epath.Path(tmp_path / "model")
  module, params = _save(folder)
  found = readers.FlaxReader(_encode, TEXTS, num_classes=3).logits(folder, bar)
  assert found.shape == (300, 3)
  assert bar.done == 300
  for at in (0, 7, 39, 299):
    tokens = jnp.array(_encode([TEXTS[at]]))
    alone = module.apply({"params": params}, tokens, jnp.ones_like(tokens))
    np.testing.assert_allclose(found[at], alone[0], atol=1e-5)


def test_size_counts_the_embedding_apart(tmp_path):
  folder = epath.Path(tmp_path / "model")
  _, params = _save(folder)
  size = readers.FlaxReader(_encode, TEXTS, num_classes=3).size(folder)
  total = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert size == (total, total - 8 * 4)


# Dies if: the teacher that a report tells of is one of several that labelled.
def test_models_that_answer_together_are_read_by_their_mean(tmp_path, bar):
  folder = epath.Path(tmp_path / "teacher")
  _, params = _save(folder)
  reader = readers.FlaxReader(_encode, TEXTS, num_classes=3)
  alone = reader.logits(folder, bar)
  seen = {reader.identity(folder)}
  for restart, more in ((0, 1.0), (10, 5.0)):
    member = params | {"classifier": dict(params["classifier"])}
    member["classifier"]["bias"] = params["classifier"]["bias"] + more
    checkpoints.save_params(folder / "restarts" / str(restart), member)
  np.testing.assert_allclose(reader.logits(folder, bar), alone + 3.0, atol=1e-5)
  seen.add(reader.identity(folder))
  member["classifier"]["bias"] = params["classifier"]["bias"]
  checkpoints.save_params(folder / "restarts" / "10", member)
  seen.add(reader.identity(folder))
  assert len(seen) == 3
  total = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert reader.size(folder) == (2 * total, 2 * (total - 8 * 4))


def test_one_architecture_has_one_speed(tmp_path, monkeypatch):
  # Dies if: each seed is timed anew, which shows noise as a difference.
  monkeypatch.setattr(readers, "_SPEED_SECONDS", 1e-9)
  folders = [epath.Path(tmp_path / name) for name in "abc"]
  _save(folders[0])
  _save(folders[1], seed=1)
  _save(folders[2], embed_width=5)
  reader = readers.FlaxReader(_encode, TEXTS, num_classes=3)
  speeds = [reader.speed(folder) for folder in folders]
  assert speeds[0] is speeds[1]
  assert speeds[0] is not speeds[2]
  for speed in speeds:
    assert 0 < speed.with_tokenizing < speed.reading
    assert speed.latency_seconds > 0


def test_identity_follows_parameters_model_and_tokens(tmp_path):
  # Dies if: logits of other parameters or tokens would be taken over.
  first, second = (epath.Path(tmp_path / name) for name in "ab")
  _save(first)
  _save(second, seed=1)
  reader = readers.FlaxReader(_encode, TEXTS, num_classes=3)
  other = readers.FlaxReader(_encode, [*TEXTS[1:], "c"], num_classes=3)
  found = {
    reader.identity(first),
    reader.identity(second),
    other.identity(first),
  }
  assert len(found) == 3
  assert reader.identity(first) == reader.identity(first)


def test_tfidf_reads_the_same_way(tmp_path, bar, monkeypatch):
  monkeypatch.setattr(readers, "_SPEED_SECONDS", 1e-9)
  folder = epath.Path(tmp_path)
  rows = ["red shoes", "late parcel", "my money back", "red parcel"]
  svm = baselines.fit(rows, [0, 1, 2, 1], num_classes=3)
  svm.save(folder)
  reader = readers.TfidfReader(["late parcel", "nothing known", "red"])
  found = reader.logits(folder, bar)
  assert found.shape == (3, 3)
  assert found[0].argmax() == 1
  assert reader.size(folder) == (svm.num_params, svm.num_params)
  assert reader.speed(folder).reading > 0
  assert reader.speed(folder).latency_seconds > 0
  before = reader.identity(folder)
  baselines.fit(rows, [0, 2, 2, 1], num_classes=3).save(folder)
  assert reader.identity(folder) != before


def test_latency_is_of_a_text_of_median_length():
  assert readers.middle(["aaaa", "", "aa", "a", "aaa"]) == "aa"
  assert readers.middle(["a"]) == "a"


def test_the_first_call_is_not_timed(monkeypatch):
  # Dies if: compiling and importing count as the work itself, or what other
  # programs take from it does.
  now, cost = [0.0], iter([100.0, 0.3, 0.25])

  def work():
    now[0] += next(cost)

  monkeypatch.setattr(readers.time, "perf_counter", lambda: now[0])
  assert readers.seconds_of(work) == 0.25


def test_the_sample_for_speed_spans_all_texts(monkeypatch):
  monkeypatch.setattr(readers, "SPEED_ROWS", 3)
  assert readers.sample(["a", "b", "c", "d", "e"]) == ["a", "c", "e"]
  assert readers.sample(["a"]) == ["a"]
