# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Downloads from a local HTTP server: whole, checked, or one clear line."""

import hashlib
import http.server
import io
import json
import tarfile
import threading
import time
import zipfile

import pytest
from etils import epath

from gd_jax.data import downloads
from gd_jax.data.downloads import RemoteFile
from gd_jax.errors import UserError
from gd_jax.progress import Progress

_BODY = b"some rows\n" * 1000
_SHA256 = hashlib.sha256(_BODY).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
  """Serves _BODY; the path says how."""

  requests = 0

  def do_GET(self):
    type(self).requests += 1
    if self.path == "/absent":
      self.send_error(404)
      return
    if self.path == "/page":
      self._answer(b"<html>sign in</html>", "text/html; charset=utf-8")
    elif self.path == "/cut":
      self._answer(_BODY, "text/plain", length=2 * len(_BODY))
    elif self.path == "/silent":
      time.sleep(3)
    else:
      self._answer(_BODY, "application/octet-stream")

  def _answer(self, body: bytes, kind: str, *, length: int | None = None):
    self.send_response(200)
    self.send_header("Content-Type", kind)
    self.send_header("Content-Length", str(length or len(body)))
    self.end_headers()
    self.wfile.write(body)

  def log_message(self, format, *args):
    del format, args


@pytest.fixture
def server():
  _Handler.requests = 0
  with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def _fetch(tmp_path, file: RemoteFile, *, allow: bool = True) -> epath.Path:
  return downloads.fetch(
    file, epath.Path(tmp_path), allow=allow, progress=Progress(quiet=True)
  )


# Dies if: the file is fetched twice, or its checksum is not written down.
def test_fetches_once_and_records_the_checksum(tmp_path, server):
  file = RemoteFile(f"{server}/rows", "rows.txt")
  assert downloads.known_sha256(file, epath.Path(tmp_path)) is None
  path = _fetch(tmp_path, file)
  assert path.read_bytes() == _BODY
  record = json.loads((tmp_path / "rows.txt.json").read_text())
  assert record == {"url": file.url, "sha256": _SHA256, "bytes": len(_BODY)}
  assert downloads.known_sha256(file, epath.Path(tmp_path)) == _SHA256
  assert _fetch(tmp_path, file, allow=False) == path
  assert _Handler.requests == 1
  assert len(list(tmp_path.iterdir())) == 2


# Dies if: a file on disk is trusted unseen.
def test_a_file_that_changed_since_is_refused(tmp_path, server):
  file = RemoteFile(f"{server}/rows", "rows.txt")
  _fetch(tmp_path, file).write_bytes(_BODY[:-1])
  with pytest.raises(UserError, match=r"not the file it should be.*delete it"):
    _fetch(tmp_path, file)


# Dies if: the published checksum is not compared, or a wrong file is kept.
def test_a_published_checksum_is_compared(tmp_path, server):
  good = RemoteFile(f"{server}/rows", "good.txt", sha256=_SHA256)
  assert _fetch(tmp_path, good).read_bytes() == _BODY
  bad = RemoteFile(f"{server}/rows", "bad.txt", sha256="0" * 64)
  with pytest.raises(UserError, match=f"{_SHA256}, expected 000"):
    _fetch(tmp_path, bad)
  assert not list(tmp_path.glob("*bad*"))


def test_without_leave_nothing_is_fetched(tmp_path, server):
  file = RemoteFile(f"{server}/rows", "rows.txt")
  with pytest.raises(UserError, match=r"rows.txt is missing: add --config\."):
    _fetch(tmp_path, file, allow=False)
  assert _Handler.requests == 0
  (tmp_path / "rows.txt").write_bytes(_BODY)  # put there by hand
  assert _fetch(tmp_path, file, allow=False).read_bytes() == _BODY
  assert downloads.known_sha256(file, epath.Path(tmp_path)) == _SHA256


# Dies if: half a file or an error page is kept, or the error is not ours.
@pytest.mark.parametrize(
  ("path", "words"),
  [
    ("absent", "Not Found"),
    ("cut", "the connection broke at 10,000 of 20,000 bytes"),
    ("page", "a web page"),
    ("silent", "timed out"),
  ],
)
def test_a_failed_download_is_one_line(
  tmp_path, server, monkeypatch, path, words
):
  monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.5)
  start = time.monotonic()
  with pytest.raises(UserError) as caught:
    _fetch(tmp_path, RemoteFile(f"{server}/{path}", "rows.txt"))
  assert words in str(caught.value) and f"{server}/{path}" in str(caught.value)
  assert "--config.data.dir=DIR" in str(caught.value)
  assert "\n" not in str(caught.value)
  assert list(tmp_path.iterdir()) == []
  assert time.monotonic() - start < 5


def test_no_network_is_one_line_at_once(tmp_path):
  start = time.monotonic()
  with pytest.raises(UserError, match="Connection refused"):
    _fetch(tmp_path, RemoteFile("http://127.0.0.1:9/rows", "rows.txt"))
  assert time.monotonic() - start < 5


def _zip(path, name: str, content: bytes) -> epath.Path:
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr(name, content)
  return epath.Path(path)


def _tgz(path, *entries: tuple[tarfile.TarInfo, bytes]) -> epath.Path:
  with tarfile.open(path, "w:gz") as archive:
    for info, content in entries:
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))
  return epath.Path(path)


def _read(path: epath.Path, member: str | None) -> bytes:
  with downloads.open_member(path, member) as file:
    return file.read()


def test_members_are_read_in_place(tmp_path):
  path = _zip(tmp_path / "a.zip", "d/rows", _BODY)
  assert _read(path, "d/rows") == _BODY
  other, wanted = tarfile.TarInfo("d/other"), tarfile.TarInfo("./d/rows")
  path = _tgz(tmp_path / "a.tgz", (other, b"x"), (wanted, _BODY))
  assert _read(path, "d/rows") == _BODY
  assert _read(path, None) == path.read_bytes()
  assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tgz", "a.zip"]


# Dies if: a link inside an archive is followed.
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_not_followed(tmp_path, kind):
  secret = tarfile.TarInfo("secret")
  link = tarfile.TarInfo("d/rows")
  link.type, link.linkname = kind, "secret"
  path = _tgz(tmp_path / "a.tgz", (secret, b"secret"), (link, b""))
  with pytest.raises(UserError, match="no regular file d/rows"):
    _read(path, "d/rows")


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_damaged_archives_are_one_line(tmp_path, name):
  path = epath.Path(tmp_path / name)
  path.write_bytes(b"no archive at all")
  with pytest.raises(UserError, match=f"{name} can't be read"):
    _read(path, "d/rows")


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_cut_archives_are_one_line(tmp_path, name):
  content = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(200))
  path = epath.Path(tmp_path / name)
  if name == "a.zip":
    _zip(path, "d/rows", content)
  else:
    _tgz(path, (tarfile.TarInfo("d/rows"), content))
  path.write_bytes(path.read_bytes()[:3000])
  with pytest.raises(UserError, match=f"{name} can't be read"):
    _read(path, "d/rows")
