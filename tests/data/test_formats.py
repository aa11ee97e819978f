# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import json

import pytest
from etils import epath
from hypothesis import given
from hypothesis import strategies as st

from gd_jax.data import formats, tokenizers
from gd_jax.errors import UserError

_FMT = formats.Format(
  bos_id=1, eos_id=2, max_tokens=5, banned_ids=(0, 1), first_tokens={7: 3}
)
_GPT2_FMT = formats.Format(
  bos_id=0, eos_id=0, max_tokens=5, banned_ids=(), first_tokens={}
)
_ids = st.lists(st.integers(3, 9), max_size=8)


@pytest.mark.parametrize("fmt", [_FMT, _GPT2_FMT])
@given(ids=_ids)
def test_unframe_undoes_frame(fmt, ids):
  # Dies if: training and sampling disagree on BOS, EOS or the cut.
  framed = formats.frame(ids, fmt)
  assert framed[0] == fmt.bos_id
  assert formats.unframe(framed, fmt) == (ids[:5], len(ids) <= 5)


@pytest.mark.parametrize("bos_id", [1, 2])
@given(ids=_ids, label=st.integers(0, 1))
def test_unframe_undoes_frame_with_a_prefix(bos_id, ids, label):
  # Dies if: the prefix is not taken off, or an end token in it (GPT-2's BOS
  # fills the shorter ones up) ends the text.
  prefixes = ((bos_id, 5), (6, 7))
  fmt = dataclasses.replace(_FMT, bos_id=bos_id, prefixes=prefixes)
  framed = formats.frame(ids, fmt, label)
  assert framed[:3] == [bos_id, *prefixes[label]]
  assert formats.unframe(framed, fmt) == (ids[:5], len(ids) <= 5)


def test_prefixes_are_equally_long_and_saved(tmp_path):
  tokenizer = tokenizers.train_byte_bpe(["to pay"], vocab_size=260)
  prefixes = formats.make_prefixes(tokenizer, ["to", "a"], 0)
  assert {len(prefix) for prefix in prefixes} == {3}
  assert prefixes[1][0] == 0
  assert tokenizer.decode(prefixes[1][1:]) == "a:"
  fmt = dataclasses.replace(_FMT, prefixes=prefixes)
  formats.save(epath.Path(tmp_path), fmt)
  assert formats.load(epath.Path(tmp_path)) == fmt
  assert [formats.prompted_label(i, fmt) for i in range(4)] == [0, 1, 0, 1]
  assert formats.prompted_label(3, _FMT) is None


def test_labels_that_look_alike_are_refused():
  tokenizer = tokenizers.train_byte_bpe(["to pay"], vocab_size=260)
  with pytest.raises(UserError, match="can't tell the labels a, a apart"):
    formats.make_prefixes(tokenizer, ["a", "a"], 0)


def test_every_text_begins_with_the_same_prompt():
  assert formats.frame([], _FMT)[:1] == formats.frame([3, 4], _FMT)[:1] == [1]


def test_a_cut_text_does_not_end():
  # Dies if: EOS is put after a text that was cut.
  assert formats.frame([3] * 6, _FMT) == [1, 3, 3, 3, 3, 3]
  assert formats.frame([3] * 5, _FMT) == [1, 3, 3, 3, 3, 3, 2]


def test_what_follows_the_end_is_ignored():
  assert formats.unframe([1, 4, 2, 5, 2], _FMT) == ([4], True)


def test_save_and_load(tmp_path):
  folder = epath.Path(tmp_path)
  formats.save(folder, _FMT)
  assert formats.load(folder) == _FMT
  assert set(json.loads((folder / "format.json").read_text())) == {
    "bos_id",
    "eos_id",
    "max_tokens",
    "banned_ids",
    "first_tokens",
  }


def test_load_names_the_damaged_file(tmp_path):
  (tmp_path / "format.json").write_text("{")
  with pytest.raises(UserError, match=r"format\.json is damaged"):
    formats.load(epath.Path(tmp_path))


@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_bytes_come_back_from_a_bpe(text):
  tokenizer = tokenizers.train_byte_bpe(["so it goes"], vocab_size=260)
  ids = formats.encode(tokenizer, text)
  assert formats.decode(tokenizer, ids) == " ".join(text.split())


def test_decode_leaves_no_special_tokens(tiny_bert):
  tokenizer = tokenizers.load(tiny_bert)
  ids = formats.encode(tokenizer, " Why [SEP] so?\n")
  special = tokenizers.require_id(tokenizer, "[SEP]")
  assert special not in ids
  assert formats.decode(tokenizer, [*ids, special]) == formats.decode(
    tokenizer, ids
  )
