# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What texts a file holds, and which of its rows are no good."""

import io

import pytest

from gd_jax import predict_input
from gd_jax.errors import UserError


def _lines(name, data):
  return list(predict_input.read(io.BytesIO(data), name))


def test_columns_of_a_tsv_file():
  two = _lines("a.tsv", b"label\ttext\nx\ta\tb\n\ny\tc\r\n")
  assert [(line.number, line.text) for line in two] == [(2, "a\tb"), (4, "c")]
  three = _lines("a.tsv", b"\xef\xbb\xbftext\tid\tn\nhello\t1\t2\nshort\n")
  assert three[0].text == "hello"
  assert three[1].error == "1 columns, the header has 3"
  with pytest.raises(UserError, match="no column is named 'text'"):
    _lines("a.tsv", b"hello\nworld\n")


def test_of_two_texts_in_a_row_none_is_taken():
  # Dies if: the first, or the last, is answered as if it were the row's.
  data = b'{"text": "a", "text": "b"}\n{"text": "c", "id": 1}\n'
  first, second = _lines("a.jsonl", data)
  assert first.text is None
  assert first.error == "no valid JSON ('text' stands in it twice)"
  assert second.text == "c"
  for name, between in (("a.tsv", b"\t"), ("a.csv", b",")):
    header = between.join([b"text", b"id", b"Text"])
    with pytest.raises(UserError, match="line 1: 2 columns are named 'text'"):
      _lines(name, header + b"\n")


def test_a_text_may_hold_tabs_in_either_of_two_columns():
  found = _lines("a.TSV", b"text\tlabel\na\tb\tx\n")
  assert found[0].text == "a\tb"


def test_rows_of_a_csv_file():
  # Dies if: a .csv file is read as plain lines, or a bad row ends the reading.
  data = b'\xef\xbb\xbfid,Text\n1,"a, b\nc"\n\n2\n3,\xff\n4,"d" e\n5,f\r\n'
  found = _lines("a.Csv", data)
  assert [(line.number, line.text) for line in found] == [
    (2, "a, b\nc"),
    (5, None),
    (6, None),
    (7, None),
    (8, "f"),
  ]
  assert [line.error for line in found[1:4]] == [
    "1 columns, the header has 2",
    "invalid UTF-8 at byte 1",
    "no valid CSV (',' expected after '\"')",
  ]
  assert found[-1].end == len(data)
  with pytest.raises(UserError, match="no column is named 'text'"):
    _lines("a.csv", b"")


def test_a_csv_row_over_several_lines_stays_one_row():
  # Dies if: a bad byte cuts it, and its pieces are answered as rows.
  data = b'text,label\n"one\n\xff\nthree, y\nend",x\nlast,z\n"open,w\nmore,v\n'
  found = _lines("a.csv", data)
  assert [(line.number, line.text) for line in found] == [
    (2, None),
    (6, "last"),
    (7, None),
  ]
  assert found[0].error == "invalid UTF-8 at byte 5"
  assert "read up to line 8: check its quotes" in found[2].error


def test_what_is_no_file_of_lines_is_refused():
  for name in ("a.csv", "a.tsv", "a.txt"):
    with pytest.raises(UserError, match="ends its lines with CR alone"):
      _lines(name, b"text,label\ra,x\r")
    with pytest.raises(UserError, match="is UTF-16"):
      _lines(name, "text\na\n".encode("utf-16"))
  assert _lines("a.txt", b"a\rb\r\n")[0].text == "a\rb"
  with pytest.raises(UserError, match="line 1: no valid CSV"):
    _lines("a.csv", b"text\rx,label\na,b\n")
  for name in ("a.jsonl", "a.json"):
    with pytest.raises(UserError, match="holds a JSON array"):
      _lines(name, b'\n [{"text": "a"},\n{"text": "b"}]\n')
  assert _lines("a.jsonl", b'{"text": "a"}\n[1]\n')[1].error


def test_a_byte_order_mark_is_no_part_of_a_text():
  bom = b"\xef\xbb\xbf"
  assert _lines("a.txt", bom + b"a\n")[0].text == "a"
  assert _lines("a.jsonl", bom + b'{"text": "a"}\n')[0].text == "a"


def test_a_line_without_end_takes_no_memory(monkeypatch):
  # Dies if: a whole line is read before its length is looked at.
  monkeypatch.setattr(predict_input, "MAX_LINE_BYTES", 10)
  found = _lines("-", b"0123456789\n" + b"x" * 95 + b"\n\nlast")
  assert [line.text for line in found] == ["0123456789", None, "", "last"]
  assert found[1].error == "longer than 10 bytes"
  assert found[-1].end == 11 + 96 + 1 + 4
