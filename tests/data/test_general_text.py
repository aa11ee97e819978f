# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import lzma

import numpy as np
import pytest

from gd_jax.data import general_text, tokenizers
from gd_jax.errors import UserError


def _lines(n):
  return [f"message number {i} from the harbour" for i in range(n)]


def test_plain_and_xz_are_the_same_texts(tmp_path):
  lines = _lines(50)
  (tmp_path / "a.txt").write_text("\n\n".join(lines) + "\n")
  (tmp_path / "b.txt.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
  a, b = (
    general_text.read(str(tmp_path / name), [])
    for name in ("a.txt", "b.txt.xz")
  )
  assert (a.name, b.name) == ("a", "b")
  assert (a.train, a.heldout) == (b.train, b.heldout)
  assert sorted(a.train + a.heldout) == sorted(lines)


def test_no_held_out_text_is_learned_from(tmp_path):
  # Dies if: repeats of a held-out text stay among the others.
  lines = _lines(10)
  (tmp_path / "a.txt").write_text("\n".join(lines * 3 + ["MESSAGE number 0!"]))
  found = general_text.read(str(tmp_path / "a.txt"), [])
  assert not {*found.train} & {*found.heldout}
  assert len(found.train) + len(found.heldout) + found.repeats == 31


# Dies if: a domain learns what another is judged by.
def test_no_domain_learns_what_another_holds_out(tmp_path):
  (tmp_path / "a.txt").write_text("\n".join(_lines(10)))
  first = general_text.read(str(tmp_path / "a.txt"), [])
  other = ["its own first line", "its own second line"]
  lines = [*other, *(text.upper() for text in first.heldout)]
  (tmp_path / "b.txt").write_text("\n".join(lines))
  second = general_text.read(str(tmp_path / "b.txt"), [])
  a, b = general_text.apart([first, second])
  assert [b, a] == general_text.apart([second, first])
  assert a == first
  assert b.train and not {t.lower() for t in b.train} & {*first.heldout}
  assert b.repeats == len(second.train) - len(b.train) > 0
  (tmp_path / "b.txt").write_text("\n".join([other[0], *first.heldout]))
  second = general_text.read(str(tmp_path / "b.txt"), [])
  with pytest.raises(UserError, match="lines of b are all the same as some"):
    general_text.apart([first, second])


@pytest.mark.parametrize(
  ("line", "is_copy"),
  [
    ("Where is the nearest harbour in Genoa ?", True),
    ("He asked: where is the nearest harbour, in Genoa?! And left.", True),
    ("where is the nearest harbour in genoan times", False),
    ("is the nearest harbour in Genoa", False),
    ("a few words", True),
    ("no more than a few words here", False),
  ],
)
def test_lines_that_hold_an_evaluation_text_are_left_out(
  tmp_path, line, is_copy
):
  # Dies if: whole texts alone are compared, words are compared as characters,
  # or short texts are looked for inside longer ones.
  (tmp_path / "a.txt").write_text("\n".join([*_lines(5), line]))
  tests = ["where is the nearest harbour in Genoa?", "A few words."]
  found = general_text.read(str(tmp_path / "a.txt"), tests)
  assert found.copies == ([6] if is_copy else [])
  assert (line in found.train + found.heldout) is not is_copy


def test_packed_rows_hold_every_text_in_order_once(tmp_path):
  # Dies if: a frame's token is lost, a row is dropped or rows overlap.
  texts = _lines(40)
  tokenizer = tokenizers.train_byte_bpe(texts, vocab_size=280)
  settings = {"bos_id": 301, "eos_id": 302, "seed": 5}
  rows = general_text.pack(texts, tokenizer, row_tokens=7, **settings)
  assert rows["tokens"].shape[1] == 7 and rows["mask"].all()
  stream = rows["tokens"].reshape(-1)
  ends = np.flatnonzero(stream == 302)
  found, start = [], 0
  for end in ends:
    assert stream[start] == 301
    found.append(tokenizer.decode(stream[start + 1 : end].tolist()))
    start = end + 1
  assert len(stream) - start < 20, "less than a text is cut off"
  assert set(found) <= set(texts) and len(found) == len(set(found)) >= 39
  assert found != [text for text in texts if text in found]
  again = general_text.pack(texts, tokenizer, row_tokens=7, **settings)
  np.testing.assert_array_equal(again["tokens"], rows["tokens"])


def test_fewer_tokens_than_a_row_make_one_short_row():
  tokenizer = tokenizers.train_byte_bpe(["aa"], vocab_size=257)
  rows = general_text.pack(
    ["aa"], tokenizer, bos_id=1, eos_id=2, row_tokens=64, seed=0
  )
  assert rows["tokens"].shape == (1, 4)


@pytest.mark.parametrize(
  ("name", "data", "words"),
  [
    ("gone.txt", None, "gone.txt can't be read"),
    ("a.txt", b"one line\n\n", "has 1 texts to learn"),
    ("a.txt", b"good\nbad \xff\n", "line 2, is not UTF-8"),
    ("a.txt.xz", lzma.compress(b"a\nb\n" * 99)[:-9], "no whole .xz file"),
    ("a.txt", b"same\nsame\nSAME\nsame\n", "are all the same"),
  ],
)
def test_bad_files_are_named(tmp_path, name, data, words):
  if data is not None:
    (tmp_path / name).write_bytes(data)
  with pytest.raises(UserError, match=words):
    general_text.read(str(tmp_path / name), [])


def test_two_files_of_one_name_are_refused():
  with pytest.raises(UserError, match="2 files are named 'news'"):
    general_text.require_different_names(["x/news.txt", "news.txt.xz", "b"])
