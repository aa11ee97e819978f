# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The public archives of five tasks, and how rows stand in them.

A checksum is given where TFDS's own lists have one; the others are recorded
at the first download and checked from then on.
"""

import csv
import dataclasses
import io
from collections.abc import Callable, Iterator
from typing import IO

from etils import epath

from gd_jax.data import downloads, files
from gd_jax.data.files import Row
from gd_jax.errors import UserError
from gd_jax.progress import Progress

Parse = Callable[[str, IO[bytes]], Iterator[Row]]


@dataclasses.dataclass(frozen=True)
class Member:
  """Where one split stands: a file, or a member of an archive, and its form.

  Attributes:
    file: the file on the web.
    member: name inside the archive; None where the file is no archive.
    parse: (name for errors, open file) -> rows.
    note: what a user of this split should know.
  """

  file: downloads.RemoteFile
  member: str | None
  parse: Parse
  note: str = ""


@dataclasses.dataclass(frozen=True)
class ArchiveSource:
  """One split in a file that is, or will be, downloaded into `folder`."""

  where: Member
  folder: epath.Path

  def __str__(self) -> str:
    path = self.folder / self.where.file.name
    return f"{path}:{self.where.member}" if self.where.member else str(path)

  @property
  def note(self) -> str:
    """What a user of this split should know; often nothing."""
    return self.where.note

  def fingerprint(self) -> str | None:
    """Digest of what `read` depends on; None before the first download of a
    file that nobody published a checksum of."""
    sha256 = downloads.known_sha256(self.where.file, self.folder)
    return sha256 and f"{sha256}/{self.where.member}"

  def fetch(self, *, allow_download: bool, progress: Progress) -> None:
    """Makes sure that the right file is there.

    Raises:
      UserError: it is neither there nor to be had.
    """
    downloads.fetch(
      self.where.file, self.folder, allow=allow_download, progress=progress
    )

  def read(self) -> Iterator[Row]:
    """Yields the rows; raises UserError where the layout is another."""
    path = self.folder / self.where.file.name
    with downloads.open_member(path, self.where.member) as file:
      yield from self.where.parse(str(self), file)


def find_sources(
  task: str, *, evaluate_on: str, folder: epath.Path
) -> dict[str, ArchiveSource]:
  """Where the rows to train and, if the archive has any, to evaluate on are."""
  members = ARCHIVES[task]
  return {
    split: ArchiveSource(members[split], folder)
    for split in ("train", evaluate_on)
    if split in members
  }


def _tsv_named(names: dict[str, str]) -> Parse:
  """GLUE's form: sentence<TAB>label, with a header and ids for labels."""

  def parse(name: str, file: IO[bytes]) -> Iterator[Row]:
    for number, line in enumerate(_text(file, "utf-8"), start=1):
      sentence, _, label = line.rstrip("\r\n").rpartition("\t")
      if number > 1:
        label = _known(name, number, names, label)
        yield files.row(name, number, label=label, text=sentence)

  return parse


def _trec(name: str, file: IO[bytes]) -> Iterator[Row]:
  """COARSE:fine, a blank, the question; no header."""
  for number, line in enumerate(_text(file, "latin-1"), start=1):
    kind, _, question = line.partition(" ")
    label = _known(name, number, TREC_LABELS, kind.partition(":")[0])
    yield files.row(name, number, label=label, text=question)


def _csv_numbered(labels: tuple[str, ...]) -> Parse:
  """Zhang et al.'s form: class number from 1, then columns of text.

  The columns are joined by a blank; empty ones are left out. A backslash and
  an n stand for a line break.
  """
  numbered = {str(n): label for n, label in enumerate(labels, start=1)}

  def parse(name: str, file: IO[bytes]) -> Iterator[Row]:
    reader = csv.reader(_text(file, "utf-8"))
    number = 1
    try:
      for fields in reader:
        label = _known(name, number, numbered, fields[0] if fields else "")
        columns = (" ".join(f.replace("\\n", " ").split()) for f in fields[1:])
        text = " ".join(column for column in columns if column)
        yield files.row(name, number, label=label, text=text)
        number = reader.line_num + 1
    except csv.Error as error:
      raise _damaged(name, number, str(error)) from error

  return parse


def _text(file: IO[bytes], encoding: str) -> io.TextIOWrapper:
  return io.TextIOWrapper(file, encoding=encoding, newline="")


def _known(name: str, line: int, labels: dict[str, str], key: str) -> str:
  if key not in labels:
    raise _damaged(name, line, f"the label is {key[:40]!r}")
  return labels[key]


def _damaged(name: str, line: int, problem: str) -> UserError:
  return UserError(
    f"{name}, line {line}: not the public layout ({problem}); delete the file "
    "and run again"
  )


SST2_LABELS = {"0": "negative", "1": "positive"}
TREC_LABELS = {
  "ABBR": "abbreviation",
  "DESC": "description",
  "ENTY": "entity",
  "HUM": "human",
  "LOC": "location",
  "NUM": "numeric",
}
AG_NEWS_LABELS = ("World", "Sports", "Business", "Sci/Tech")
DBPEDIA_LABELS = (
  "Company",
  "EducationalInstitution",
  "Artist",
  "Athlete",
  "OfficeHolder",
  "MeanOfTransportation",
  "Building",
  "NaturalPlace",
  "Village",
  "Animal",
  "Plant",
  "Album",
  "Film",
  "WrittenWork",
)
YAHOO_ANSWERS_LABELS = (
  "Society & Culture",
  "Science & Mathematics",
  "Health",
  "Education & Reference",
  "Computers & Internet",
  "Sports",
  "Business & Finance",
  "Entertainment & Music",
  "Family & Relationships",
  "Politics & Government",
)

_SST2 = downloads.RemoteFile(
  url="https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",
  name="SST-2.zip",
  sha256="d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa",
)
_TREC_TRAIN = downloads.RemoteFile(
  url="http://cogcomp.org/Data/QA/QC/train_5500.label",
  name="train_5500.label",
  sha256="9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
)
_TREC_TEST = downloads.RemoteFile(
  url="http://cogcomp.org/Data/QA/QC/TREC_10.label",
  name="TREC_10.label",
  sha256="033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
)
_AG_NEWS = downloads.RemoteFile(
  url=(
    "https://drive.google.com/uc?export=download"
    "&id=0Bz8a_Dbh9QhbUDNpeUdjb0wxRms"
  ),
  name="ag_news_csv.tar.gz",
  sha256="4e2fc37d369e6e317a8b62d0d2f11d379f8c3dde60c07c35a46b069a246498ad",
)
_DBPEDIA = downloads.RemoteFile(
  url="https://s3.amazonaws.com/fast-ai-nlp/dbpedia_csv.tgz",
  name="dbpedia_csv.tgz",
)
_YAHOO_ANSWERS = downloads.RemoteFile(
  url="https://s3.amazonaws.com/fast-ai-nlp/yahoo_answers_csv.tgz",
  name="yahoo_answers_csv.tgz",
)


def _csv_archive(
  file: downloads.RemoteFile, folder: str, labels: tuple[str, ...]
) -> dict[str, Member]:
  parse = _csv_numbered(labels)
  return {
    "train": Member(file, f"{folder}/train.csv", parse),
    "test": Member(file, f"{folder}/test.csv", parse),
  }


ARCHIVES: dict[str, dict[str, Member]] = {
  "sst2": {
    "train": Member(_SST2, "SST-2/train.tsv", _tsv_named(SST2_LABELS)),
    "test": Member(
      _SST2,
      "SST-2/dev.tsv",
      _tsv_named(SST2_LABELS),
      note="the public test rows of sst2 have no labels, so its development "
      "rows are the test rows",
    ),
  },
  "trec": {
    "train": Member(_TREC_TRAIN, None, _trec),
    "test": Member(_TREC_TEST, None, _trec),
  },
  "ag_news": _csv_archive(_AG_NEWS, "ag_news_csv", AG_NEWS_LABELS),
  "dbpedia": _csv_archive(_DBPEDIA, "dbpedia_csv", DBPEDIA_LABELS),
  "yahoo_answers": _csv_archive(
    _YAHOO_ANSWERS, "yahoo_answers_csv", YAHOO_ANSWERS_LABELS
  ),
}
