# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Public files, fetched once, checked, stored whole; archives read in place.

Nothing is unpacked to disk, so no name inside an archive (`..`, a link) can
lead anywhere.
"""

import contextlib
import dataclasses
import hashlib
import http.client
import secrets
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from etils import epath

from gd_jax import artefacts, signals
from gd_jax.errors import UserError
from gd_jax.progress import Progress

TIMEOUT_SECONDS = 10
_BLOCK_BYTES = 1 << 18


@dataclasses.dataclass(frozen=True)
class RemoteFile:
  """A public file.

  Attributes:
    url: where it is fetched from.
    name: what it is called here.
    sha256: its known checksum in hex; None where nobody published one.
  """

  url: str
  name: str
  sha256: str | None = None


def known_sha256(file: RemoteFile, folder: epath.Path) -> str | None:
  """The published checksum, or else the one recorded at the first download."""
  if file.sha256 is not None:
    return file.sha256
  record = _record_path(folder / file.name)
  return artefacts.read_json(record)["sha256"] if record.exists() else None


def fetch(
  file: RemoteFile, folder: epath.Path, *, allow: bool, progress: Progress
) -> epath.Path:
  """The path of the file in `folder`, downloaded if it is not there yet.

  Beside it stands NAME.json with its url, size and sha256, recorded at the
  first download. A file that the user put there by hand is taken as well.

  Raises:
    UserError: it may not or cannot be downloaded, or is not the right one.
  """
  path = folder / file.name
  if path.exists():
    sha256 = artefacts.sha256_file(path)
    _check(file, path, sha256)
  else:
    if not allow:
      raise UserError(
        f"{path} is missing: add --config.data.allow_download to fetch it "
        f"from {file.url}, put it there by hand, or give the rows as files "
        "with --config.data.dir=DIR"
      )
    try:
      folder.mkdir(parents=True, exist_ok=True)
      sha256 = _download(file, path, progress)
    except OSError as error:
      raise UserError(
        f"{file.url} can't be fetched into {folder} ({_reason(error)}): mend "
        f"that, put {file.name} there by hand, or give the rows as files with "
        "--config.data.dir=DIR"
      ) from error
  if not _record_path(path).exists():
    size = path.stat().length
    record = {"url": file.url, "sha256": sha256, "bytes": size}
    artefacts.write_json(_record_path(path), record)
  return path


def _record_path(path: epath.Path) -> epath.Path:
  return path.parent / f"{path.name}.json"


def _check(file: RemoteFile, path: epath.Path, sha256: str) -> None:
  expected = known_sha256(file, path.parent)
  if expected is not None and sha256 != expected:
    raise UserError(
      f"{path} is not the file it should be: its sha256 is {sha256}, expected "
      f"{expected}; delete it and run again"
    )


def _reason(error: OSError) -> str:
  return str(getattr(error, "reason", None) or error.strerror or error)


def _download(file: RemoteFile, path: epath.Path, progress: Progress) -> str:
  """Fetches into a temporary file that takes its name once it is checked."""
  temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
  sha, received = hashlib.sha256(), 0
  try:
    with (
      urllib.request.urlopen(file.url, timeout=TIMEOUT_SECONDS) as response,
      temporary.open("wb") as out,
    ):
      if response.headers.get_content_type() == "text/html":
        raise OSError("the answer is a web page, not the file")
      total = int(response.headers.get("Content-Length") or 0)
      with progress.bar(f"fetching {file.name}", total, unit="bytes") as bar:
        while block := response.read(_BLOCK_BYTES):
          signals.check()
          out.write(block)
          sha.update(block)
          received += len(block)
          bar.advance(len(block))
    if received < total:
      raise OSError(f"the connection broke at {received:,} of {total:,} bytes")
    _check(file, path, sha.hexdigest())
    temporary.replace(path)
  except http.client.HTTPException as error:
    raise OSError(f"no proper answer: {error!r}") from error
  finally:
    temporary.unlink(missing_ok=True)
  return sha.hexdigest()


@contextlib.contextmanager
def open_member(path: epath.Path, member: str | None) -> Iterator[IO[bytes]]:
  """Opens a regular file inside a .zip, .tgz or .tar.gz for reading.

  With `member` None the file itself is opened.

  Raises:
    UserError: the archive is damaged or has no such regular file.
  """
  try:
    with contextlib.ExitStack() as stack:
      raw = stack.enter_context(path.open("rb"))
      if member is None:
        yield raw
      elif path.suffix == ".zip":
        archive = stack.enter_context(zipfile.ZipFile(raw))
        yield stack.enter_context(archive.open(member))
      else:
        tar = stack.enter_context(tarfile.open(fileobj=raw, mode="r:gz"))
        yield _in_tar(tar, member)
  except KeyError as error:
    raise UserError(
      f"{path} holds no regular file {member}: delete it and run again"
    ) from error
  except (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    UnicodeDecodeError,
    OSError,
  ) as error:
    raise UserError(
      f"{path} can't be read ({error}): delete it and run again"
    ) from error


def _in_tar(tar: tarfile.TarFile, member: str) -> IO[bytes]:
  for entry in tar:
    if entry.name.removeprefix("./") == member and entry.isreg():
      file = tar.extractfile(entry)
      assert file is not None, "a regular file can be opened"
      return file
  raise KeyError(member)
