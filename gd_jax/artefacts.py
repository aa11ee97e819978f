# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or absent, and the manifest that proves a folder done.

A phase's folder is *done* when it holds `manifest.json`, which is written
last and in one atomic step. The manifest names the config and the inputs the
folder was made from, the sha256 of every file, and the folder's fingerprint:
a digest of content alone, so that it survives a move to another path, another
machine and another day.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etils import epath

from gd_jax import __version__, atomic, journal
from gd_jax.atomic import files_below, sha256_file
from gd_jax.errors import UserError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
STARTED = "started.json"
_RECIPE_FIELDS = ("config", "inputs")
_MANIFEST_FIELDS = (*_RECIPE_FIELDS, "counts", "files")

# Files whose bytes depend on the clock or on what was asked for when, and
# Orbax folders, whose metadata do too: `params.json` holds the digest of the
# arrays in `params/`.
_VOLATILE_FILES = frozenset({"metrics.jsonl", "timing.json", "groups.json"})
# Of training states, which go when the manifest is written.
RESUME = "resume"
_VOLATILE_FOLDERS = frozenset({"params", RESUME, "tensorboard"})
_PACKAGES = (
  "jax",
  "jaxlib",
  "flax",
  "optax",
  "orbax-checkpoint",
  "transformers",
  "tokenizers",
  "numpy",
  "scikit-learn",
)


def write_atomic(path: epath.PathLike, data: bytes | str) -> None:
  """Writes `data` so that `path` holds all of it or what it held before.

  The journal of an unfinished folder hears of it first.
  """
  path = epath.Path(path)
  payload = data.encode("utf-8") if isinstance(data, str) else data
  journal.enter(path, payload)
  atomic.put(path, payload)


def write_json(path: epath.PathLike, value: Any) -> None:
  """Writes `value` as indented JSON with sorted keys, atomically."""
  write_atomic(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: epath.PathLike) -> Any:
  """Reads a JSON file.

  Raises:
    UserError: the file is absent or holds no JSON.
  """
  path = epath.Path(path)
  try:
    return json.loads(path.read_text())
  except FileNotFoundError as error:
    raise UserError(f"{path} is missing: {mend(path)}") from error
  except ValueError as error:
    raise UserError(
      f"{path} is damaged (no valid JSON: {error}): {mend(path)}"
    ) from error


def write_jsonl(
  path: epath.PathLike, rows: Iterable[Mapping[str, Any]]
) -> None:
  """Writes one JSON object a line, atomically."""
  lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows)
  write_atomic(path, "".join(f"{line}\n" for line in lines))


def read_jsonl(path: epath.PathLike) -> list[dict[str, Any]]:
  """Reads a file of one JSON object a line.

  Raises:
    UserError: the file is absent or a line holds no JSON object.
  """
  path = epath.Path(path)
  try:
    # Not splitlines: a text may hold U+2028, which splits there and not here.
    lines = path.read_text().split("\n")
  except FileNotFoundError as error:
    raise UserError(f"{path} is missing: {mend(path)}") from error
  except UnicodeDecodeError as error:
    raise UserError(f"{path} is damaged ({error}): {mend(path)}") from error
  rows = []
  for number, line in enumerate(lines, start=1):
    if not line:
      continue
    try:
      rows.append(json.loads(line))
    except ValueError as error:
      raise UserError(
        f"{path}, line {number} is damaged (no valid JSON): {mend(path)}"
      ) from error
  return rows


def mend(path: epath.Path) -> str:
  """What to do about a file of a phase that is not as it should be."""
  begun = [folder for folder in path.parents if _is_begun(folder)]
  phase = begun[-1] if begun else path.parent
  return f"run again with --redo={phase.name} to make it anew"


def _is_begun(folder: epath.Path) -> bool:
  return (folder / MANIFEST).exists() or (folder / STARTED).exists()


def digest(value: Any) -> str:
  """The sha256 of a JSON value's canonical text, in hex."""
  text = json.dumps(value, sort_keys=True, ensure_ascii=False)
  return hashlib.sha256(text.encode("utf-8")).hexdigest()


@dataclasses.dataclass(frozen=True)
class Difference:
  """One field in which a folder's recipe and today's differ."""

  field: str
  was: Any
  now: Any

  def __str__(self) -> str:
    return f"{self.field} was {self.was!r} and is now {self.now!r}"


def versions() -> dict[str, str]:
  """Versions of gd_jax, Python and the packages results depend on."""
  found = {"gd_jax": __version__, "python": platform.python_version()}
  for package in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[package] = importlib.metadata.version(package)
  return found


def begin(
  folder: epath.Path, *, config: Mapping[str, Any], inputs: Mapping[str, str]
) -> None:
  """Opens `folder` for the work described by `config` and `inputs`.

  What a killed run of the same recipe left there stays, to be continued.
  """
  folder.mkdir(parents=True, exist_ok=True)
  recipe = {
    "format": FORMAT_VERSION,
    "config": dict(config),
    "inputs": dict(inputs),
  }
  # In this order: a folder with neither file holds nothing.
  write_json(folder / STARTED, recipe | {"digest": digest(_as_json(recipe))})
  (folder / MANIFEST).unlink(missing_ok=True)


def finish(
  folder: epath.Path,
  *,
  config: Mapping[str, Any],
  inputs: Mapping[str, str],
  counts: Mapping[str, Any],
  seconds: float,
) -> dict[str, Any]:
  """Proves `folder` done: hashes its files and writes the manifest last.

  States to resume from are not among them: they may go then.

  Returns:
    The manifest.
  """
  files = {}
  for name, path in files_below(folder):
    if not is_proof(name) and not is_resume(name):
      files[name] = {"sha256": sha256_file(path), "bytes": path.stat().length}
  manifest = {
    "format": FORMAT_VERSION,
    "config": dict(config),
    "inputs": dict(inputs),
    "counts": dict(counts),
    "files": files,
    "fingerprint": digest(
      {
        name: entry["sha256"]
        for name, entry in files.items()
        if not _is_volatile(name)
      }
    ),
    "versions": versions(),
    "seconds": round(seconds, 3),
  }
  manifest["digest"] = digest(_as_json(manifest))
  write_json(folder / MANIFEST, manifest)
  (folder / STARTED).unlink(missing_ok=True)
  journal.remove(folder)
  return manifest


def is_proof(file: str) -> bool:
  """Whether a file of that name says how others were made."""
  return file in (MANIFEST, STARTED) or journal.is_journal(file)


def is_resume(name: str) -> bool:
  """Whether a file, of that name in its artefact, is of a training's state."""
  return RESUME in name.split("/")[:-1]


def _is_volatile(name: str) -> bool:
  *folders, file = name.split("/")
  return (
    is_proof(file)
    or file in _VOLATILE_FILES
    or not _VOLATILE_FOLDERS.isdisjoint(folders)
  )


def has_own_proof(name: str) -> bool:
  """Whether a file is a proof itself, or one of Orbax or of TensorBoard."""
  *folders, file = name.split("/")
  return is_proof(file) or not _VOLATILE_FOLDERS.isdisjoint(folders)


def read_manifest(folder: epath.Path) -> dict[str, Any] | None:
  """The manifest of a finished folder, or None.

  Raises:
    UserError: the manifest is damaged or of another format version.
  """
  return _read_recipe(folder / MANIFEST)


def read_started(folder: epath.Path) -> dict[str, Any] | None:
  """The recipe of a folder that was begun and not finished, or None.

  Raises:
    UserError: as for `read_manifest`.
  """
  return _read_recipe(folder / STARTED)


def _read_recipe(path: epath.Path) -> dict[str, Any] | None:
  if not path.exists():
    return None
  try:
    recipe = read_json(path)
  except UserError:
    if path.exists():
      raise
    return None  # Another process has removed it since.
  if not isinstance(recipe, dict) or "format" not in recipe:
    raise UserError(f"{path} is damaged (no manifest): {mend(path)}")
  if recipe["format"] != FORMAT_VERSION:
    raise UserError(
      f"{path} has format version {recipe['format']}, this program reads "
      f"{FORMAT_VERSION}: use another --workdir, or {mend(path)}"
    )
  wanted = _MANIFEST_FIELDS if path.name == MANIFEST else _RECIPE_FIELDS
  if not all(isinstance(recipe.get(name), dict) for name in wanted) or (
    path.name == MANIFEST and not isinstance(recipe.get("fingerprint"), str)
  ):
    raise UserError(
      f"{path} is damaged (it lacks some of {', '.join(wanted)}, fingerprint): "
      f"{mend(path)}"
    )
  # Early manifests of this format had no digest.
  said = recipe.pop("digest", None)
  if said is not None and said != digest(recipe):
    raise UserError(f"{path} is altered (its digest differs): {mend(path)}")
  return recipe


def differences(
  recipe: Mapping[str, Any],
  *,
  config: Mapping[str, Any],
  inputs: Mapping[str, str],
) -> list[Difference]:
  """Where the recipe a folder was made by differs from today's.

  Config fields come first, under their dotted names; an input's field is
  "the artefact NAME" with fingerprints for values.
  """
  found = [
    Difference(field, was, now)
    for field, was, now in _unequal(
      _flat(recipe["config"]), _flat(_as_json(dict(config)))
    )
  ]
  found += [
    Difference(f"the artefact {name}", was and was[:12], now and now[:12])
    for name, was, now in _unequal(recipe["inputs"], dict(inputs))
  ]
  return found


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
  """Every field by its dotted name, those of sections in a section too."""
  found = {}
  for name, value in config.items():
    if isinstance(value, dict):
      found |= {f"{name}.{field}": x for field, x in _flat(value).items()}
    else:
      found[name] = value
  return found


def _as_json(value: Any) -> Any:
  return json.loads(json.dumps(value))


def _unequal(
  was: Mapping[str, Any], now: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
  names = sorted({*was, *now})
  return [
    (name, was.get(name), now.get(name))
    for name in names
    if was.get(name) != now.get(name)
  ]


def is_done(
  folder: epath.Path, config: Mapping[str, Any], inputs: Mapping[str, str]
) -> bool:
  """Whether `folder` is finished, whole, and made by this very recipe.

  Raises:
    UserError: a file of the finished folder is missing or altered.
  """
  manifest = read_manifest(folder)
  if manifest is None or differences(manifest, config=config, inputs=inputs):
    return False
  require_whole(folder)
  return True


def require_whole(folder: epath.Path) -> None:
  """Checks every file of a finished folder against its manifest.

  Raises:
    UserError: names the first damaged file and the mend.
  """
  for problem in problems(folder):
    raise UserError(f"{problem}: {mend(folder / MANIFEST)}")


def problems(folder: epath.Path) -> Iterator[str]:
  """Every file of a finished folder that is not as its manifest says.

  Raises:
    UserError: the manifest itself is damaged.
  """
  manifest = read_manifest(folder)
  for name, entry in (manifest or {"files": {}})["files"].items():
    path = folder / name
    if not path.exists():
      yield f"{path} is missing"
    elif path.stat().length != entry["bytes"]:
      yield (
        f"{path} has {path.stat().length} bytes, "
        f"its manifest says {entry['bytes']}"
      )
    elif sha256_file(path) != entry["sha256"]:
      yield f"{path} is altered (its sha256 is not the manifest's)"
