# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labelled rows from a TSV, CSV or JSON-lines file, read strictly.

Every line of a file becomes a row or an error that names the file and the
line; only wholly empty lines are passed over. All three forms name their
columns: `label` and `text`, or one of the synonyms below.

- TSV: no quoting. With two columns a line is split at one tab only, so that
  the text may hold more of them.
- CSV: the usual quoting; a quoted field may run over several lines.
- JSON lines: one object a line; a label may also be an integer or a boolean.
"""

import csv
import json
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from etils import epath

from gd_jax.columns import LABEL_COLUMNS, TEXT_COLUMNS, object_once
from gd_jax.errors import UserError

MAX_LINE_BYTES = 100_000
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"


class Row(NamedTuple):
  """One labelled text.

  Attributes:
    line: number of the line in its file where the row begins, from 1; it is
      the row's id.
    text: the text, without white space at its ends, never empty.
    label: the label's name, likewise.
  """

  line: int
  text: str
  label: str


def find(folder: epath.PathLike, split: str) -> epath.Path | None:
  """The file of `split` in `folder`: its name plus one of our suffixes.

  Raises:
    UserError: there is more than one.
  """
  folder = epath.Path(folder)
  paths = [folder / f"{split}{suffix}" for suffix in _READERS]
  found = [path for path in paths if path.exists()]
  if len(found) > 1:
    names = " and ".join(path.name for path in found)
    raise UserError(f"{folder} holds both {names}: keep only one of them")
  return found[0] if found else None


def read_rows(
  path: epath.PathLike, *, max_line_bytes: int = MAX_LINE_BYTES
) -> list[Row]:
  """Reads all rows of a file, in file order; the suffix says which form.

  Raises:
    UserError: the file can't be read or any of its lines is no good row.
  """
  path = epath.Path(path)
  read = _READERS.get(path.suffix.lower())
  if read is None:
    known = ", ".join(_READERS)
    raise UserError(f"{path}: unknown suffix; rename it to one of {known}")
  rows = list(read(path, _lines(path, max_line_bytes), max_line_bytes))
  if not rows:
    raise UserError(f"{path} holds no rows: add one labelled text a line")
  return rows


def row(path: Any, line: int, *, label: str, text: str) -> Row:
  """A `Row` without white space at the ends of its two strings.

  Raises:
    UserError: either shows nothing, or can't be written as UTF-8.
  """
  label, text = label.strip(), text.strip()
  for name, value in (("label", label), ("text", text)):
    if not any(map(_shows, value)):
      raise _error(path, line, f"a row without a {name}; add it or delete it")
    if "\0" in value or not _encodable(value):
      raise _error(
        path, line, f"the {name} holds a character that is no text; remove it"
      )
  return Row(line, text, label)


def _shows(character: str) -> bool:
  # Blanks, control codes, zero-width and combining characters and fillers of
  # Hangul and Braille do not, alone.
  unseen = unicodedata.category(character) in ("Cc", "Cf", "Mn", "Me")
  return not (unseen or character.isspace() or character in _FILLERS)


def _encodable(value: str) -> bool:
  # JSON can spell lone surrogates, which no UTF-8 file can hold.
  return not any("\ud800" <= character <= "\udfff" for character in value)


def _error(path: Any, line: int, problem: str) -> UserError:
  return UserError(f"{path}, line {line}: {problem}")


def _lines(path: epath.Path, max_line_bytes: int) -> list[str]:
  """The lines without their ends; LF and CRLF end one, nothing else does."""
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(f"{path} can't be read: {error.strerror}") from error
  data = data.removeprefix(b"\xef\xbb\xbf")
  if not data.strip():
    raise UserError(f"{path} is empty: give it a header and labelled rows")
  if b"\r" in data and b"\n" not in data:
    raise UserError(
      f"{path} ends its lines with CR alone, as old Macs did: save it with LF "
      "(Unix) or CRLF (Windows) line ends"
    )
  lines = []
  for number, line in enumerate(data.split(b"\n"), start=1):
    if len(line) > max_line_bytes:
      raise _error(
        path,
        number,
        f"{len(line):,} bytes in one line, more than {max_line_bytes:,}; "
        "break it up or raise --config.data.max_line_bytes",
      )
    if b"\0" in line:
      raise _error(path, number, "a NUL byte; save the file as UTF-8 text")
    try:
      lines.append(line.removesuffix(b"\r").decode("utf-8"))
    except UnicodeDecodeError as error:
      raise _error(
        path,
        number,
        f"invalid UTF-8 at byte {error.start + 1} of the line; save the file "
        "as UTF-8",
      ) from error
  return lines


def _columns(path: epath.Path, names: Sequence[str]) -> tuple[int, int]:
  """Where the label and the text stand, by the names in the header."""
  names = [name.strip().casefold() for name in names]
  if len(names) < 2:
    raise _error(
      path,
      1,
      f"one column only ({names[0][:40]!r}); a {path.suffix} file needs a "
      f"label and a text, with {_SEPARATORS[path.suffix.lower()]} between them",
    )
  places = []
  for wanted in (LABEL_COLUMNS, TEXT_COLUMNS):
    place = next((names.index(n) for n in wanted if n in names), None)
    if place is None or names.count(names[place]) > 1:
      shown = ", ".join(repr(name[:40]) for name in names[:4])
      raise _error(
        path,
        1,
        f"no header: the first line is {shown}; name the columns there, "
        "'label' and 'text', each once",
      )
    places.append(place)
  return places[0], places[1]


def _tsv(
  path: epath.Path, lines: list[str], max_line_bytes: int
) -> Iterator[Row]:
  del max_line_bytes
  header = lines[0].split("\t")
  label_at, text_at = _columns(path, header)
  for number, line in enumerate(lines[1:], start=2):
    if not line:
      continue
    if len(header) > 2:
      fields = line.split("\t")
    elif text_at == 1:
      fields = line.split("\t", 1)
    else:
      fields = line.rsplit("\t", 1)
    _check_width(path, number, fields, header)
    yield row(path, number, label=fields[label_at], text=fields[text_at])


def _csv(
  path: epath.Path, lines: list[str], max_line_bytes: int
) -> Iterator[Row]:
  # The csv module's own limit on a field is one number for the process, so it
  # is put back afterwards.
  limit = csv.field_size_limit()
  csv.field_size_limit(max(limit, max_line_bytes))
  reader = csv.reader((f"{line}\n" for line in lines), strict=True)
  header: list[str] = []
  label_at = text_at = 0
  number = 1
  try:
    for fields in reader:
      if fields and not header:
        header = fields
        label_at, text_at = _columns(path, header)
      elif fields:
        _check_width(path, number, fields, header)
        yield row(path, number, label=fields[label_at], text=fields[text_at])
      number = reader.line_num + 1
  except csv.Error as error:
    raise _error(
      path, number, f"no valid CSV ({error}); check the quotes of this row"
    ) from error
  finally:
    csv.field_size_limit(limit)


def _check_width(
  path: epath.Path, line: int, fields: list[str], header: list[str]
) -> None:
  if len(fields) != len(header):
    raise _error(
      path,
      line,
      f"{len(fields)} columns where the header has {len(header)}; a row needs "
      "its label and its text",
    )


def _json_lines(
  path: epath.Path, lines: list[str], max_line_bytes: int
) -> Iterator[Row]:
  del max_line_bytes
  if next(filter(None, map(str.strip, lines)), "").startswith("["):
    raise UserError(
      f"{path} holds a JSON array: write one object a line, not an array"
    )
  for number, line in enumerate(lines, start=1):
    if not line:
      continue
    try:
      record = json.loads(line, object_pairs_hook=object_once)
    # RecursionError: a line of a thousand brackets.
    except (ValueError, RecursionError) as error:
      raise _error(path, number, f"no valid JSON ({error})") from error
    if not isinstance(record, dict):
      raise _error(
        path, number, 'no JSON object; write {"label": ..., "text": ...}'
      )
    label = _first(record, LABEL_COLUMNS)
    text = _first(record, TEXT_COLUMNS)
    if isinstance(label, int):  # a bool is one too
      label = json.dumps(label)
    if not isinstance(label, str) or not isinstance(text, str):
      raise _error(
        path, number, "a row without a 'label' or a 'text'; both are strings"
      )
    yield row(path, number, label=label, text=text)


def _first(record: dict[str, Any], names: Sequence[str]) -> Any:
  return next((record[name] for name in names if name in record), None)


_READERS = {
  ".tsv": _tsv,
  ".csv": _csv,
  ".jsonl": _json_lines,
  ".json": _json_lines,
}
_SEPARATORS = {".tsv": "a tab", ".csv": "a comma"}
