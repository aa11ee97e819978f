# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Workdirs in a bucket, by a stand-in for gcsfs with what sets it apart."""

import io
import sys
from typing import ClassVar

import fsspec
import fsspec.config
import numpy as np
import pytest
from etils import epath
from etils.epath import backend

import gd_jax
from gd_jax import (
  artefacts,
  atomic,
  checkpoints,
  signals,
  verifier,
  workdirs,
)
from gd_jax.data import logits
from gd_jax.errors import UserError
from gd_jax.reporting import evaluate
from tests import toy_phases
from tests.toy_phases import ALL


class _Upload(io.BytesIO):
  """Has no number, and is there once it is closed."""

  def __init__(self, objects, name):
    super().__init__()
    self._objects, self._name = objects, name

  def close(self):
    if not self.closed:
      self._objects[self._name] = self.getvalue()
    super().close()


class Bucket(fsspec.AbstractFileSystem):
  """No folders but in names; and what was listed once is not listed anew."""

  protocol = ("gs", "gcs")
  objects: ClassVar[dict[str, bytes]] = {}
  fails: ClassVar[Exception | None] = None

  def __init__(self, use_listings_cache=True, **options):
    super().__init__(**options)
    self._seen = {} if use_listings_cache else None

  def ls(self, path, detail=True, **options):
    del options
    path = self._strip_protocol(path)
    if path in self.objects:
      found = [self.info(path)]
    elif self._seen is not None and path in self._seen:
      found = self._seen[path]
    else:
      parts = [
        name.removeprefix(f"{path}/").split("/")[0]
        for name in self.objects
        if name.startswith(f"{path}/")
      ]
      found = [self.info(f"{path}/{part}") for part in dict.fromkeys(parts)]
      if self._seen is not None:
        self._seen[path] = found
    if not found:
      raise FileNotFoundError(path)
    return found if detail else [entry["name"] for entry in found]

  def info(self, path, **options):
    del options
    if self.fails is not None:
      raise self.fails
    path = self._strip_protocol(path)
    if path in self.objects:
      size = len(self.objects[path])
      return {"name": path, "type": "file", "size": size}
    if any(name.startswith(f"{path}/") for name in self.objects):
      return {"name": path, "type": "directory", "size": 0}
    raise FileNotFoundError(path)

  def exists(self, path, **options):
    try:
      return bool(self.info(path, **options))
    except FileNotFoundError:
      return False

  def _open(self, path, mode="rb", **options):
    del options
    if mode == "wb":
      return _Upload(self.objects, path)
    if path not in self.objects:
      raise FileNotFoundError(path)
    return io.BytesIO(self.objects[path])

  def cp_file(self, path1, path2, **options):
    del options
    path1, path2 = map(self._strip_protocol, (path1, path2))
    if path1 in self.objects:
      self.objects[path2] = self.objects[path1]

  def _rm(self, path):
    self.objects.pop(self._strip_protocol(path), None)

  def mkdir(self, path, create_parents=True, **options):
    pass

  def makedirs(self, path, exist_ok=False):
    pass


def _forget():
  Bucket.clear_instance_cache()
  backend._FileSystemSpecBackend._get_filesystem.cache_clear()


@pytest.fixture(autouse=True)
def bucket(monkeypatch):
  """What gs:// leads to."""
  registry = sys.modules["fsspec.registry"]
  monkeypatch.setitem(registry._registry, "gcs", Bucket)
  monkeypatch.setattr(Bucket, "objects", {})
  monkeypatch.setitem(fsspec.config.conf, "gs", {})
  _forget()
  yield Bucket
  _forget()


# Dies if: a lease, a write, a removal or a take-over asks for what is of disks
# alone.
def test_a_workdir_may_lie_in_a_bucket(house, progress, tmp_path, bucket):
  config = toy_phases.make_config()
  workdir = "gs://bucket/run"
  assert house.go(config, workdir, progress) == ALL
  assert house.go(config, workdir, progress) == []
  house.fail, house.leaves_half, config.train.n = "train", True, 2
  with pytest.raises(RuntimeError):
    house.go(config, workdir, progress, redo=["train"])
  house.fail = ""
  assert house.go(config, workdir, progress) == ["train", "tell"]
  assert "bucket/run/train/half.json" in bucket.objects
  assert verifier.verify(workdir) == []
  for other in ("gs://bucket/other", tmp_path / "here"):
    assert house.go(config, other, progress, reuse=[workdir]) == []
    assert verifier.verify(other) == []
  left = [name for name in bucket.objects if "/." in name]
  assert not left, "locks, leases and what was half done are gone"


# Dies if: what TensorFlow opens, which has no such method, ends every write.
def test_a_file_need_not_have_a_number(bucket, monkeypatch):
  absent = property(lambda file: object.__getattribute__(object(), "fileno"))
  monkeypatch.setattr(_Upload, "fileno", absent, raising=False)
  atomic.put(workdirs.place("gs://bucket/run/a"), b"whole")
  assert bucket.objects == {"bucket/run/a": b"whole"}


# Dies if: what ended the run is hidden by a bucket that is out of reach.
def test_a_lease_that_can_not_be_given_back_hides_nothing(bucket, monkeypatch):
  def fail(*args, **options):
    raise RuntimeError("503")

  folder = workdirs.place("gs://bucket/run")
  with pytest.raises(signals.Stopped), workdirs.lock(folder):
    monkeypatch.setattr(bucket, "_open", fail)
    raise signals.Stopped


@pytest.mark.parametrize("name", ["hdfs://host/run", "odd://x"])
def test_what_nothing_opens_is_one_line(name):
  with pytest.raises(UserError, match="can't be opened"):
    workdirs.place(name)


def test_what_others_write_is_seen(bucket):
  # Dies if: a host does not see what another wrote after it had looked.
  folder = workdirs.place("gs://bucket/run")
  (folder / "a").write_text("mine")
  assert len([*folder.iterdir()]) == 1
  bucket.objects["bucket/run/b"] = b"another's"
  assert len([*folder.iterdir()]) == 2


def test_logits_lie_in_a_bucket(progress):
  folder = workdirs.place("gs://bucket/soft_labels")
  values = np.arange(6, dtype=np.float32).reshape(3, 2)
  path = folder / logits.LABELLED
  assert logits.load_meta(path) is None
  logits.save_logits(path, np.arange(3), values, source="this")
  assert logits.load_meta(path) == {"source": "this"}
  np.testing.assert_array_equal(logits.load_logits(path)[1], values)
  np.testing.assert_array_equal(evaluate.load_logits(path, "this"), values)
  assert evaluate.load_logits(path, "that") is None


def test_orbax_is_given_the_buckets_path(monkeypatch):
  # Dies if: it is made a path of the folder that we stand in.
  seen = []
  monkeypatch.setattr(
    checkpoints.ocp,
    "CheckpointManager",
    lambda path, options: seen.append(path),
  )
  checkpoints._manager(epath.Path("gs://bucket/run/params"))
  checkpoints._manager(epath.Path("here"))
  assert [str(path) for path in seen] == [
    "gs://bucket/run/params",
    str(epath.Path("here").resolve()),
  ]


def test_a_bucket_that_can_not_be_opened_is_one_line(bucket, monkeypatch):
  monkeypatch.setattr(bucket, "fails", RuntimeError("403: no right\nmore"))
  with pytest.raises(UserError, match=r"gs://bucket/run .*\(403: no right\):"):
    workdirs.place("gs://bucket/run")


def test_an_export_in_a_bucket_is_read(bucket):
  with pytest.raises(UserError, match=r"gs://bucket/run/export/.* is missing"):
    gd_jax.load("gs://bucket/run/export")
  artefacts.write_json(epath.Path("gs://bucket/run/export/config.json"), {})
  assert "bucket/run/export/config.json" in bucket.objects
