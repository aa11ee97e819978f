# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json

import pytest
from etils import epath
from tokenizers import Tokenizer, processors

from gd_jax.data import tokenizers
from gd_jax.errors import UserError


def _ids(tokenizer, *names):
  return [tokenizers.require_id(tokenizer, name) for name in names]


def test_rows_are_framed_and_cut(tiny_bert):
  # Dies if: [SEP] is cut off, or max_tokens does not count [CLS] and [SEP].
  tokenizer = tokenizers.load(tiny_bert)
  cls, sep = _ids(tokenizer, "[CLS]", "[SEP]")
  rows = tokenizers.encode_for_teacher(
    tokenizer, ["", "a b", "a " * 50], max_tokens=8
  )
  assert rows[0] == [cls, sep]
  assert rows[1][0] == cls and rows[1][-1] == sep
  assert len(rows[1]) == 4
  assert len(rows[2]) == 8 and rows[2][-1] == sep


def test_encoding_for_the_teacher_leaves_the_tokenizer_as_it_was(tiny_bert):
  tokenizer = tokenizers.load(tiny_bert)
  tokenizers.encode_for_teacher(tokenizer, ["a"], max_tokens=4)
  assert len(tokenizer.encode("a " * 50).ids) == 52


def test_special_tokens_in_a_text_are_text(tiny_bert):
  # Dies if: encode_special_tokens is off: a text could end its own row.
  tokenizer = tokenizers.load(tiny_bert)
  (sep,) = _ids(tokenizer, "[SEP]")
  (row,) = tokenizers.encode_for_teacher(
    tokenizer, ["a [SEP] b"], max_tokens=64
  )
  assert row.count(sep) == 1
  bpe = tokenizers.train_byte_bpe(["a b"], vocab_size=300)
  assert 0 not in bpe.encode("a <|endoftext|> b").ids


@pytest.mark.parametrize("frame", [None, ("[CLS]", ""), ("", "[SEP]")])
def test_a_tokenizer_that_frames_no_text_is_refused(tiny_bert, frame):
  # Dies if: only one end of the frame is looked at, or none.
  made = json.loads(tokenizers.load(tiny_bert).to_str())
  made["post_processor"] = None
  tokenizer = Tokenizer.from_str(json.dumps(made))
  if frame is not None:
    tokenizer.post_processor = processors.TemplateProcessing(
      single=f"{frame[0]} $A {frame[1]}".strip(),
      special_tokens=[
        (name, tokenizer.token_to_id(name)) for name in frame if name
      ],
    )
  with pytest.raises(
    UserError, match=r"teacher's tokenizer\.json does not put"
  ):
    tokenizers.encode_for_teacher(tokenizer, ["a b"], max_tokens=8)
  with pytest.raises(UserError, match=r"/bert/tokenizer\.json does not put"):
    tokenizers.require_bert(tokenizer, "/bert", vocab_size=800)


def test_a_tokenizer_without_a_frame_s_tokens_is_refused():
  bpe = tokenizers.train_byte_bpe(["a b"], vocab_size=300)
  with pytest.raises(UserError, match="does not put a text between"):
    tokenizers.encode_for_teacher(bpe, ["a b"], max_tokens=8)


def test_a_tokenizer_of_another_model_is_refused(tiny_bert):
  # Dies if: usual padding is refused, or a vocabulary far too small is not.
  tokenizer = tokenizers.load(tiny_bert)
  size = tokenizer.get_vocab_size()
  tokenizers.require_bert(tokenizer, tiny_bert, vocab_size=size)
  tokenizers.require_bert(tokenizer, tiny_bert, vocab_size=int(size / 0.91))
  with pytest.raises(UserError, match=r"put the model's own tokenizer there"):
    tokenizers.require_bert(tokenizer, tiny_bert, vocab_size=int(size / 0.88))


def test_baked_in_padding_and_truncation_are_turned_off(tiny_bert, tmp_path):
  # Dies if: load keeps them: long texts would be cut without a word.
  tokenizer = tokenizers.load(tiny_bert)
  tokenizer.enable_padding(length=8)
  tokenizer.enable_truncation(max_length=8)
  tokenizers.save(epath.Path(tmp_path), tokenizer)
  loaded = tokenizers.load(tmp_path)
  assert len(loaded.encode("a").ids) == 3
  assert len(loaded.encode("a " * 50).ids) == 52


def test_a_byte_bpe_is_deterministic_and_can_write_everything():
  texts = ["the cat sat on the mat", "the dog sat on the log"] * 3
  first = tokenizers.train_byte_bpe(texts, vocab_size=280)
  second = tokenizers.train_byte_bpe(texts, vocab_size=280)
  assert first.to_str() == second.to_str()
  assert first.get_vocab_size() <= 280
  assert tokenizers.require_id(first, tokenizers.END_OF_TEXT) == 0
  text = "the ünseen 😀 sat"
  assert first.decode(first.encode(text).ids) == text


def test_bert_vocabulary_file(tiny_bert, tmp_path):
  made = tokenizers.load(tiny_bert)
  vocabulary = made.get_vocab()
  lines = sorted(vocabulary, key=vocabulary.get)
  (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n")
  (tmp_path / "tokenizer_config.json").write_text(
    json.dumps({"do_lower_case": True})
  )
  loaded = tokenizers.load(tmp_path)
  text = "Which one is it?"
  assert loaded.encode(text).ids == made.encode(text).ids


def test_gpt2_vocabulary_files(tmp_path):
  made = tokenizers.train_byte_bpe(["the cat sat on the mat"], vocab_size=270)
  made.model.save(str(tmp_path))
  loaded = tokenizers.load(tmp_path)
  text = "the cat 😀"
  assert loaded.encode(text).ids == made.encode(text).ids
  assert loaded.decode(loaded.encode(text).ids) == text


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_no_usable_tokenizer(tmp_path, content):
  if content is not None:
    (tmp_path / "tokenizer.json").write_text(content)
  with pytest.raises(UserError, match=r"holds no usable tokenizer"):
    tokenizers.load(tmp_path)


def test_unwritable_ids(tiny_bert):
  tokenizer = tokenizers.load(tiny_bert)
  special = _ids(tokenizer, "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
  assert tokenizers.unwritable_ids(tokenizer) == sorted(special)
  fields = json.loads(tokenizer.to_str())
  vocabulary = fields["model"]["vocab"]
  vocabulary["[unused3]"] = len(vocabulary)
  grown = tokenizer.from_str(json.dumps(fields))
  assert vocabulary["[unused3]"] in tokenizers.unwritable_ids(grown)


def test_require_id_names_what_is_missing(tiny_bert):
  tokenizer = tokenizers.load(tiny_bert)
  with pytest.raises(UserError, match="no <one> or <two> token"):
    tokenizers.require_id(tokenizer, "<one>", "<two>")
