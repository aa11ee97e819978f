# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labelled files are read strictly: a row or an error, never neither."""

import csv
import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gd_jax.data import files
from gd_jax.data.files import Row
from gd_jax.errors import UserError


def _read(tmp_path, name: str, data: bytes, **kwargs) -> list[Row]:
  path = tmp_path / name
  path.write_bytes(data)
  return files.read_rows(path, **kwargs)


_GOOD = {
  "shared form": (
    "a.tsv",
    b"label\ttext\ngood\tfine film\nbad\tdull\n",
    [(2, "fine film", "good"), (3, "dull", "bad")],
  ),
  "no newline at the end": (
    "a.tsv",
    b"label\ttext\ngood\tfine",
    [(2, "fine", "good")],
  ),
  "crlf": ("a.tsv", b"label\ttext\r\ngood\tfine\r\n", [(2, "fine", "good")]),
  "bom": (
    "a.tsv",
    b"\xef\xbb\xbflabel\ttext\ngood\tfine\n",
    [(2, "fine", "good")],
  ),
  "quotes stay in tsv": (
    "a.tsv",
    b'label\ttext\ngood\t"fine" he said, "\n',
    [(2, '"fine" he said, "', "good")],
  ),
  "tabs in the text": (
    "a.tsv",
    b"label\ttext\ngood\tfine\tand dandy\n",
    [(2, "fine\tand dandy", "good")],
  ),
  "sentence first": (
    "a.tsv",
    b"sentence\tlabel\nfine\tand dandy\tgood\n",
    [(2, "fine\tand dandy", "good")],
  ),
  "more columns": (
    "a.tsv",
    b"id\tClass\tText\n7\tgood\tfine\n",
    [(2, "fine", "good")],
  ),
  "blank lines": (
    "a.tsv",
    b"label\ttext\n\ngood\tfine\n\n\n",
    [(3, "fine", "good")],
  ),
  "other line separators": (
    "a.tsv",
    "label\ttext\ngood\tone\u2028two\x0bthree\x85four\n".encode(),
    [(2, "one\u2028two\x0bthree\x85four", "good")],
  ),
  "csv quotes": (
    "a.csv",
    b'text,label\n"fine, he said ""so""",good\n',
    [(2, 'fine, he said "so"', "good")],
  ),
  "csv over two lines": (
    "a.csv",
    b'text,label\r\n"one\r\ntwo",good\r\nthree,bad\r\n',
    [(2, "one\ntwo", "good"), (4, "three", "bad")],
  ),
  "json lines": (
    "a.jsonl",
    b'{"label": "good", "text": "fine"}\n{"text": "dull", "label": 0}\n',
    [(1, "fine", "good"), (2, "dull", "0")],
  ),
  "json twice, of what is not read": (
    "a.jsonl",
    b'{"label": "a", "text": "b", "more": {"x": 1, "x": 2}}',
    [(1, "b", "a")],
  ),
  "json bool": (
    "a.json",
    b'{"class": true, "sentence": "fine"}',
    [(1, "fine", "true")],
  ),
}


# Dies if: CRLF, BOM, quotes or synonyms are read another way, or lines are
# split by str.splitlines.
@pytest.mark.parametrize("case", _GOOD)
def test_reads(tmp_path, case):
  name, data, rows = _GOOD[case]
  assert _read(tmp_path, name, data) == [Row(*row) for row in rows]


_BAD = {
  "empty": ("a.tsv", b"", "is empty"),
  "only white space": ("a.csv", b"\xef\xbb\xbf \r\n\n", "is empty"),
  "header alone": ("a.tsv", b"label\ttext\n", "no rows"),
  "no header": ("a.tsv", b"good\tfine\nbad\tdull\n", "line 1: no header"),
  "csv without header": ("a.csv", b"good,fine\n", "line 1: no header"),
  "column twice": ("a.tsv", b"label\ttext\ttext\n", "each once"),
  "one column": ("a.tsv", b"label\ngood\n", "line 1: one column"),
  "spaces for tabs": ("a.tsv", b"label text\ngood fine\n", "a tab between"),
  "semicolons": ("a.csv", b"label;text\ngood;fine\n", "a comma between"),
  "no tab": ("a.tsv", b"label\ttext\na\tb\njust text\n", "line 3: 1 columns"),
  "no label": ("a.tsv", b"label\ttext\na\tb\n \tfine\n", "line 3: a row with"),
  "no text": ("a.csv", b"label,text\ngood,\n", "line 2: a row without a text"),
  "no width": (
    "a.tsv",
    "label\ttext\na\tb\na\t\u200b \u200d\n".encode(),
    "line 3: a row without a text",
  ),
  "fillers": (
    "a.tsv",
    "label\ttext\na\t\u3164\u2800\ufe0f\n".encode(),
    "line 2: a row without a text",
  ),
  "csv width": ("a.csv", b"label,text\ngood,a,b\n", "line 2: 3 columns"),
  "csv open quote": (
    "a.csv",
    b'label,text\na,b\ng,"fine\n',
    "line 3: no valid",
  ),
  "utf-8": ("a.tsv", b"label\ttext\na\tb\nc\t\xff\n", "line 3: invalid UTF-8"),
  "latin-1": ("a.csv", b"label,text\na,caf\xe9\n", "line 2: invalid UTF-8 at"),
  "utf-16": ("a.tsv", "label\ttext".encode("utf-16"), "save the file as UTF-8"),
  "nul": ("a.tsv", b"label\ttext\na\tb\0c\n", "line 2: a NUL"),
  "long line": (
    "a.tsv",
    b"label\ttext\na\tb\na\t" + b"x" * 1_000_000 + b"\n",
    "line 3: 1,000,002 bytes in one line, more than 100,000",
  ),
  "suffix": ("a.xlsx", b"label\ttext\na\tb\n", "unknown suffix"),
  "json": ("a.jsonl", b'{"label": "a", "text": "b"}\n{\n', "line 2: no valid"),
  "cr alone": ("a.tsv", b"label\ttext\ra\tb\r", "a.tsv ends its lines with CR"),
  "cr alone in json": ("a.json", b'{"label": "a"}\r{}\r', "with CR alone"),
  "json array": ("a.json", b'[{"label": "a"}]', "one object a line, not an"),
  "json array, indented": ("a.jsonl", b"\n[\n  {\n", "one object a line, not"),
  "json number": ("a.jsonl", b"1", "line 1: no JSON object"),
  "json twice": (
    "a.jsonl",
    b'{"label": "a", "text": "b", "label": "c"}',
    "line 1: no valid JSON ('label' stands in it twice)",
  ),
  "json label": ("a.jsonl", b'{"text": "a"}', "line 1: a row without a 'lab"),
  "json float": ("a.jsonl", b'{"text": "a", "label": 1.5}', "without a 'lab"),
  "json nul": ("a.jsonl", b'{"text": "a\\u0000", "label": "b"}', "no text"),
  "json surrogate": (
    "a.jsonl",
    b'{"text": "a", "label": "\\ud800"}',
    "line 1: the label holds",
  ),
  "json depth": ("a.jsonl", b'{"a":' + b"[" * 90_000, "line 1: no valid"),
}


# Dies if: any of these checks is taken out.
@pytest.mark.parametrize("case", _BAD)
def test_refuses(tmp_path, case):
  name, data, words = _BAD[case]
  with pytest.raises(UserError) as caught:
    _read(tmp_path, name, data)
  assert words in str(caught.value)
  assert str(tmp_path / name) in str(caught.value)
  assert "\n" not in str(caught.value)


def test_the_limit_on_a_line_can_be_raised(tmp_path):
  text = "x" * 300_000
  for name, separator in (("a.tsv", "\t"), ("b.csv", ",")):
    data = f"label{separator}text\na{separator}{text}\n".encode()
    with pytest.raises(UserError, match="max_line_bytes"):
      _read(tmp_path, name, data)
    before = csv.field_size_limit()
    rows = _read(tmp_path, name, data, max_line_bytes=400_000)
    assert rows == [Row(2, text, "a")]
    assert csv.field_size_limit() == before


def test_an_absent_file_is_a_user_error(tmp_path):
  with pytest.raises(UserError, match="can't be read: No such file"):
    files.read_rows(tmp_path / "a.tsv")


def test_finds_one_file_per_split(tmp_path):
  assert files.find(tmp_path, "train") is None
  (tmp_path / "train.csv").write_text("")
  found = files.find(tmp_path, "train")
  assert found is not None and found.name == "train.csv"
  (tmp_path / "train.tsv").write_text("")
  with pytest.raises(UserError, match=r"both train\.tsv and train\.csv"):
    files.find(tmp_path, "train")


# Bytes alone would hardly ever get past the header, nor fragments past the
# first bad line: so most of a file is good lines, with a few fragments.
_GOOD_LINES = {
  ".tsv": [b"label\ttext\n", b"a\tb\n", b"b\tc d\r\n", b"\n"],
  ".csv": [b"text,label\n", b"a,b\n", b'"b ""c\n"",",d\r\n', b"\r\n"],
  ".jsonl": [
    b"",
    b'{"label": "a", "text": "b"}\n',
    b'{"class": 1, "text": "b"}',
  ],
}
_FRAGMENTS = [b"\n", b"\r\n", b"\t", b",", b'"', b"a", b" ", b"\r", b"\0"]
_FRAGMENTS += [b"\xef\xbb\xbf", b"\xff", "é\u2028\x85".encode(), b"x" * 400]
_FRAGMENTS += [
  b"{",
  b"}",
  b'"\\ud800"',
  b'"\\n"',
  b":",
  b"1",
  b" \n",
  b"[" * 250,
]


def _files_of(suffix: str) -> st.SearchStrategy[bytes]:
  header, *lines = _GOOD_LINES[suffix]
  good = st.lists(st.sampled_from(lines), max_size=4).map(b"".join)
  piece = st.sampled_from(_FRAGMENTS) | st.binary(max_size=4)
  body = st.lists(st.tuples(good, piece), max_size=3).map(
    lambda pairs: b"".join(part for pair in pairs for part in pair)
  )
  first = st.sampled_from([header, header, b"\xef\xbb\xbf" + header, b""])
  return st.tuples(first, body, good).map(b"".join)


# Dies if: a line is dropped, an exception other than UserError gets out, or a
# text is altered on the way (a bare `continue` for short lines; no catch of
# csv.Error, RecursionError or surrogates).
@pytest.mark.parametrize("suffix", _GOOD_LINES)
def test_any_bytes_give_rows_that_round_trip_or_a_user_error(tmp_path, suffix):
  path, copy = tmp_path / f"a{suffix}", tmp_path / "copy.jsonl"

  @settings(max_examples=300, deadline=None)
  @given(data=_files_of(suffix))
  def check(data: bytes):
    path.write_bytes(data)
    try:
      rows = files.read_rows(path, max_line_bytes=300)
    except UserError as error:
      assert "\n" not in str(error)
      return
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if suffix != ".csv":  # there a row may take many lines
      full = [n for n, line in enumerate(lines, start=1) if line.strip(b"\r")]
      expected = full if suffix == ".jsonl" else full[1:]
      assert [row.line for row in rows] == expected
    for row in rows:
      assert row.text and row.label
      if suffix == ".tsv":
        line = lines[row.line - 1].decode("utf-8")
        assert row.text in line and row.label in line
    copy.write_text(
      "".join(
        json.dumps({"label": row.label, "text": row.text}) + "\n"
        for row in rows
      )
    )
    again = files.read_rows(copy, max_line_bytes=10_000)
    assert [row[1:] for row in again] == [row[1:] for row in rows]

  check()


_WORDS = st.text(
  st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
  min_size=1,
  max_size=20,
).map(str.strip)


def _is_seen(value):
  return any(unicodedata.category(c)[0] in "LNPS" for c in value) and not (
    any(c in "\u115f\u1160\u2800\u3164\uffa0" for c in value)
  )


# Dies if: a CSV row is lost or joined with its neighbour.
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(_WORDS, _WORDS), min_size=1, max_size=8))
def test_csv_of_any_text_round_trips(tmp_path_factory, rows):
  rows = [row for row in rows if all(map(_is_seen, row))]
  path = tmp_path_factory.mktemp("csv") / "a.csv"
  quoted = [
    ",".join('"' + value.replace('"', '""') + '"' for value in row)
    for row in [("label", "text"), *rows]
  ]
  path.write_bytes("\n".join(quoted).encode())
  if not rows:
    return
  read = [(row.label, row.text) for row in files.read_rows(path)]
  # CRLF inside a quoted field is a line break like any other.
  lf = [tuple(v.replace("\r\n", "\n") for v in row) for row in rows]
  assert read == lf
