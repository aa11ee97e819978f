# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The five public archives, in fixtures of our own in their layout, served
by a local HTTP server."""

import dataclasses
import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile

import pytest

from configs import common
from gd_jax.data import archives, tasks
from gd_jax.errors import UserError
from gd_jax.progress import Progress


class _Handler(http.server.SimpleHTTPRequestHandler):
  def log_message(self, format, *args):
    del format, args


@pytest.fixture
def site(tmp_path):
  """(folder, url of the folder)."""
  folder = tmp_path / "site"
  folder.mkdir()
  handler = functools.partial(_Handler, directory=str(folder))
  with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def _serve(monkeypatch, site, task: str, contents: dict[str, bytes]) -> None:
  """Puts files on the site and points the task's archive there."""
  folder, url = site
  for name, content in contents.items():
    (folder / name).write_bytes(content)
  moved = {}
  for split, member in archives.ARCHIVES[task].items():
    known = hashlib.sha256(contents[member.file.name]).hexdigest()
    file = dataclasses.replace(
      member.file,
      url=f"{url}/{member.file.name}",
      sha256=member.file.sha256 and known,
    )
    moved[split] = dataclasses.replace(member, file=file)
  monkeypatch.setitem(archives.ARCHIVES, task, moved)


def _zip(**members: str) -> bytes:
  out = io.BytesIO()
  with zipfile.ZipFile(out, "w") as archive:
    for name, content in members.items():
      archive.writestr(name, content)
  return out.getvalue()


def _tgz(**members: str) -> bytes:
  out = io.BytesIO()
  with tarfile.open(fileobj=out, mode="w:gz") as archive:
    for name, content in members.items():
      info = tarfile.TarInfo(name)
      info.size = len(content.encode())
      archive.addfile(info, io.BytesIO(content.encode()))
  return out.getvalue()


def _load(tmp_path, task: str, **data):
  config = common.get_config(task)
  config.data.cache_dir = str(tmp_path / "cache")
  config.data.allow_download = True
  config.data.update(data)
  return tasks.load(config, Progress(quiet=True))


def _pairs(rows) -> list[tuple[str, str]]:
  return [(row.label, row.text) for row in rows]


_SST2 = _zip(
  **{
    "SST-2/train.tsv": "sentence\tlabel\nwarm and wise \t1\n"
    'a "mess" \t0\nlimp \t0\n',
    "SST-2/dev.tsv": "sentence\tlabel\nno spark\t0\n",
    "SST-2/test.tsv": "index\tsentence\n0\tnobody knows\n",
  }
)


def test_sst2_has_its_development_rows_for_a_test(tmp_path, site, monkeypatch):
  _serve(monkeypatch, site, "sst2", {"SST-2.zip": _SST2})
  said = []
  progress = Progress(quiet=True)
  monkeypatch.setattr(progress, "say", said.append)
  config = common.get_config("sst2")
  config.data.cache_dir = str(tmp_path / "cache")
  config.data.allow_download = True
  splits = tasks.load(config, progress)
  assert _pairs(splits.train) == [
    ("positive", "warm and wise"),
    ("negative", 'a "mess"'),
    ("negative", "limp"),
  ]
  assert _pairs(splits.evaluation) == [("negative", "no spark")]
  assert any("development rows are the test rows" in line for line in said)


def test_trec(tmp_path, site, monkeypatch):
  _serve(
    monkeypatch,
    site,
    "trec",
    {
      "train_5500.label": "NUM:dist How far is the caf\xe9 ?\n"
      "LOC:other Where is it ?\nLOC:city Which town is it ?\n".encode(
        "latin-1"
      ),
      "TREC_10.label": b"ABBR:exp What does XYZ mean ?\n",
    },
  )
  splits = _load(tmp_path, "trec")
  assert _pairs(splits.train) == [
    ("numeric", "How far is the café ?"),
    ("location", "Where is it ?"),
    ("location", "Which town is it ?"),
  ]
  assert _pairs(splits.evaluation) == [("abbreviation", "What does XYZ mean ?")]
  assert splits.labels == ("location", "numeric")


def test_validation_does_not_even_fetch_the_test(tmp_path, site, monkeypatch):
  train = b"".join(
    b"%s:x question %d ?\n" % (kind, i)
    for i in range(10)
    for kind in (b"NUM", b"LOC")
  )
  files = {"train_5500.label": train, "TREC_10.label": b"NUM:x a ?\n"}
  _serve(monkeypatch, site, "trec", files)
  splits = _load(tmp_path, "trec", evaluate_on="validation")
  assert len(splits.train) == 16 and len(splits.evaluation) == 4
  assert not (tmp_path / "cache" / "downloads" / "TREC_10.label").exists()


@pytest.mark.parametrize(
  ("task", "name", "folder", "train", "rows"),
  [
    (
      "ag_news",
      "ag_news_csv.tar.gz",
      "ag_news_csv",
      '"3","Oil up","It #39;s\\dear"\n"4","A ""chip""","small"\n"4","b","c"\n',
      [
        ("Business", "Oil up It's dear"),
        ("Sci/Tech", 'A "chip" small'),
        ("Sci/Tech", "b c"),
      ],
    ),
    (
      "dbpedia",
      "dbpedia_csv.tgz",
      "dbpedia_csv",
      '1,"Acme"," Acme makes ""things"".\n"\n14,"Ode"," Ode is a poem."\n'
      '14,"Elegy"," Elegy is one too."\n',
      [
        ("Company", 'Acme Acme makes "things".'),
        ("WrittenWork", "Ode Ode is a poem."),
        ("WrittenWork", "Elegy Elegy is one too."),
      ],
    ),
    (
      "yahoo_answers",
      "yahoo_answers_csv.tgz",
      "yahoo_answers_csv",
      '"5","why beep?","","unplug it\\nthen wait"\n"10","who won?","a","b"\n'
      '"10","who?","",""\n',
      [
        ("Computers & Internet", "why beep? unplug it then wait"),
        ("Politics & Government", "who won? a b"),
        ("Politics & Government", "who?"),
      ],
    ),
  ],
)
def test_csv_archives(
  tmp_path, site, monkeypatch, task, name, folder, train, rows
):
  members = {
    f"{folder}/classes.txt": "ignored\n",
    f"{folder}/test.csv": '"2","a","b","c"\n',
    f"{folder}/train.csv": train,
  }
  _serve(monkeypatch, site, task, {name: _tgz(**members)})
  splits = _load(tmp_path, task)
  assert _pairs(splits.train) == rows
  second = archives.ARCHIVES[task]["test"]
  assert second.file.name == name
  assert len(splits.evaluation) == 1


# Dies if: a prepared copy still needs its archive, or the record is not read.
def test_once_prepared_the_archive_is_not_needed(tmp_path, site, monkeypatch):
  members = {
    "dbpedia_csv/train.csv": '1,"a","b"\n2,"c","d"\n2,"e","f"\n',
    "dbpedia_csv/test.csv": '1,"g","h"\n',
  }
  _serve(monkeypatch, site, "dbpedia", {"dbpedia_csv.tgz": _tgz(**members)})
  config = common.get_config("dbpedia")
  config.data.cache_dir = str(tmp_path / "cache")
  assert tasks.source_fingerprint(config) is None
  # Rows that were files' can't be told from the archive's then.
  assert tasks.why_unseen(config) == "the archive of dbpedia is not downloaded"
  first = _load(tmp_path, "dbpedia")
  assert tasks.source_fingerprint(config) is not None
  assert tasks.why_unseen(config) is None
  (tmp_path / "cache" / "downloads" / "dbpedia_csv.tgz").unlink()
  assert _load(tmp_path, "dbpedia", allow_download=False) == first


# Dies if: a row that is not of the layout is skipped, or gets out as another
# exception.
@pytest.mark.parametrize(
  ("task", "files", "words"),
  [
    (
      "trec",
      {"train_5500.label": b"NUM:x a ?\nwhat\n", "TREC_10.label": b""},
      "train_5500.label, line 2: not the public layout (the label is 'what\\n",
    ),
    (
      "sst2",
      {"SST-2.zip": _zip(**{"SST-2/train.tsv": "sentence\tlabel\na\t1\nb\n"})},
      "SST-2.zip:SST-2/train.tsv, line 3: not the public layout",
    ),
    (
      "dbpedia",
      {"dbpedia_csv.tgz": _tgz(**{"dbpedia_csv/train.csv": '1,"a"\n\n'})},
      "train.csv, line 2: not the public layout (the label is ''",
    ),
    (
      "yahoo_answers",
      {
        "yahoo_answers_csv.tgz": _tgz(
          **{"yahoo_answers_csv/train.csv": '1,a\n1,"' + "x" * 200_000}
        )
      },
      "train.csv, line 2: not the public layout (field larger",
    ),
    (
      "dbpedia",
      {"dbpedia_csv.tgz": _tgz(**{"elsewhere/train.csv": "1,a\n"})},
      "dbpedia_csv.tgz holds no regular file dbpedia_csv/train.csv",
    ),
  ],
)
def test_another_layout_is_refused(
  tmp_path, site, monkeypatch, task, files, words
):
  _serve(monkeypatch, site, task, files)
  with pytest.raises(UserError) as caught:
    _load(tmp_path, task)
  assert words in str(caught.value)
  assert "\n" not in str(caught.value)


def test_checksums_are_those_of_tfds():
  import tensorflow_datasets as tfds
  from etils import epath

  lists = epath.Path(tfds.__file__).parent
  known = "".join(
    (lists / name).read_text()
    for name in (
      "datasets/trec/checksums.tsv",
      "datasets/ag_news_subset/checksums.tsv",
      "url_checksums/glue.txt",
    )
  )
  files = {
    member.file
    for members in archives.ARCHIVES.values()
    for member in members.values()
  }
  with_checksum = [file for file in files if file.sha256 is not None]
  assert len(with_checksum) == 4
  for file in with_checksum:
    lines = [line for line in known.splitlines() if file.sha256 in line]
    assert any(file.url in line for line in lines), file
