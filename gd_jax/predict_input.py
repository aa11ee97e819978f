# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The texts of a file of any size, read row by row; a bad row ends nothing.

The forms are those of labelled files, see `data.files`, without a need for
labels; a file whose name tells of none of them holds a text a line.
"""

import codecs
import csv
import json
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from gd_jax.columns import TEXT_COLUMNS, object_once
from gd_jax.errors import UserError

# A longer line is not read as a whole.
MAX_LINE_BYTES = 10_000_000
_GZIP = b"\x1f\x8b"


class Line(NamedTuple):
  """One row of the input: a text, or what is wrong with it."""

  number: int  # of the line where it begins, from 1
  text: str | None
  error: str | None
  end: int  # its last byte's place in the file


def read(file: BinaryIO, source: str) -> Iterator[Line]:
  """The texts of a file; its name's end says of which kind it is.

  Raises:
    UserError: The header of a .tsv or .csv file has no column for the text, a
      .jsonl or .json file holds an array, or the file is UTF-16, compressed, or
      ends its lines with CR alone.
  """
  lines = _Lines(file, source)
  suffix = os.path.splitext(source)[1].lower()
  if suffix == ".csv":
    yield from _csv(lines, source)
    return
  parse: Callable[[str], str] = str
  rows: Iterator[bytes] = lines
  if suffix == ".tsv":
    parse = _tsv_parser(lines.header(), source)
  elif suffix in (".jsonl", ".json"):
    parse = _text_of_json
    rows = _objects(lines, source)
  for raw in rows:
    if not raw and parse is not str:
      continue
    text = problem = None
    try:
      text = parse(_decoded(raw))
    except ValueError as error:
      problem = str(error)
    yield Line(lines.number, text, problem, lines.end)


class _Lines:
  """The lines without their ends; of a too long one only the start.

  Attributes:
    number: of the last line that was read, from 1.
    end: where it ends in the file, bytes.
  """

  def __init__(self, file: BinaryIO, source: str):
    self._file, self._source = file, source
    self.number = self.end = 0

  def __iter__(self) -> Iterator[bytes]:
    return self

  def __next__(self) -> bytes:
    raw = rest = self._file.readline(MAX_LINE_BYTES + 1)
    if not raw:
      raise StopIteration
    self.number += 1
    self.end += len(raw)
    while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
      rest = self._file.readline(MAX_LINE_BYTES + 1)
      self.end += len(rest)
    if self.number == 1:
      raw = self._first(raw)
    return raw.removesuffix(b"\n").removesuffix(b"\r")

  def _first(self, raw: bytes) -> bytes:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
      raise UserError(f"{self._source} is UTF-16: save it as UTF-8")
    if raw.startswith(_GZIP):
      raise UserError(f"{self._source} is compressed: unpack it first")
    if b"\r" in raw and not raw.endswith(b"\n"):
      raise UserError(
        f"{self._source} ends its lines with CR alone, as old Macs did: save "
        "it with LF (Unix) or CRLF (Windows) line ends"
      )
    return raw.removeprefix(codecs.BOM_UTF8)

  def header(self) -> str:
    """The first line; "" if there is none."""
    return next(self, b"").decode("utf-8", "replace")


def _decoded(raw: bytes) -> str:
  if len(raw) > MAX_LINE_BYTES:
    raise ValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
  try:
    return raw.decode("utf-8")
  except UnicodeDecodeError as error:
    raise ValueError(f"invalid UTF-8 at byte {error.start + 1}") from error


def _place(columns: list[str], source: str) -> int:
  """The number of the column with the text."""
  names = [name.strip().casefold() for name in columns]
  places = [names.index(name) for name in TEXT_COLUMNS if name in names]
  if not places:
    raise UserError(
      f"{source}, line 1: no column is named 'text'; name the columns there, "
      "or give the texts as a .txt file, one a line"
    )
  name = names[places[0]]
  if names.count(name) > 1:
    raise UserError(
      f"{source}, line 1: {names.count(name)} columns are named {name!r}; "
      "leave the name to the one with the texts"
    )
  return places[0]


def _require_width(cells: list[str], columns: list[str]) -> None:
  if len(cells) != len(columns):
    raise ValueError(f"{len(cells)} columns, the header has {len(columns)}")


def _tsv_parser(header: str, source: str) -> Callable[[str], str]:
  columns = header.split("\t")
  place = _place(columns, source)

  def parse(line: str) -> str:
    # Of two columns the one with the text may hold tabs, as in training files.
    if len(columns) > 2:
      cells = line.split("\t")
    elif place == len(columns) - 1:
      cells = line.split("\t", place)
    else:
      cells = line.rsplit("\t", 1)
    _require_width(cells, columns)
    return cells[place]

  return parse


def _csv(lines: _Lines, source: str) -> Iterator[Line]:
  limit = csv.field_size_limit(MAX_LINE_BYTES)  # One for the whole process.
  try:
    try:
      columns = next(csv.reader([lines.header()]), [])
    except csv.Error as error:
      raise UserError(f"{source}, line 1: no valid CSV ({error})") from error
    place = _place(columns, source)
    # What is no UTF-8 stays in its row: rows are cut before it is looked at.
    decoded = (raw.decode("utf-8", "surrogateescape") + "\n" for raw in lines)
    reader = csv.reader(decoded, strict=True)
    while True:
      number = lines.number + 1
      text = problem = None
      try:
        cells = next(reader)
        if not cells:
          continue
        _require_width(cells, columns)
        text = _decoded(cells[place].encode("utf-8", "surrogateescape"))
      except StopIteration:
        return
      except csv.Error as error:
        problem = f"no valid CSV ({error})"
        if lines.number > number:
          problem += f", read up to line {lines.number}: check its quotes"
      except ValueError as error:
        problem = str(error)
      yield Line(number, text, problem, lines.end)
  finally:
    csv.field_size_limit(limit)


def _objects(lines: _Lines, source: str) -> Iterator[bytes]:
  """The lines of a file that begins with no array."""
  begun = False
  for raw in lines:
    if not begun and raw.lstrip().startswith(b"["):
      raise UserError(
        f"{source} holds a JSON array: write one object a line, not an array"
      )
    begun = begun or bool(raw.strip())
    yield raw


def _text_of_json(line: str) -> str:
  try:
    row = json.loads(line, object_pairs_hook=object_once)
  # RecursionError: a line of a thousand brackets.
  except (ValueError, RecursionError) as error:
    raise ValueError(f"no valid JSON ({error})") from error
  names = [
    name for name in TEXT_COLUMNS if isinstance(row, dict) and name in row
  ]
  if not names or not isinstance(row[names[0]], str):
    raise ValueError("no object with a string 'text'")
  return row[names[0]]
