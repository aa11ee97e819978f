# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import string

import numpy as np
import pytest
from etils import epath
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from gd_jax.data import tokenizers, vocabulary
from gd_jax.errors import UserError

CHARACTERS = string.ascii_lowercase + string.digits + "?!,é"
WORDS = ["kettle", "leak", "##s", "##ing", "broken", "the", "tea", "toast"]


@pytest.fixture(scope="module")
def teacher():
  pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
  pieces += [*CHARACTERS, *(f"##{c}" for c in CHARACTERS)]
  pieces += [w for w in WORDS if w not in pieces]
  made = Tokenizer(
    models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]")
  )
  made.normalizer = normalizers.BertNormalizer(strip_accents=False)
  made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
  made.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
  made.encode_special_tokens = True
  return made


TEXTS = ["The kettle leaks!", "tea, tea, the kettle", "leaking the tea?"]
ROOM = 2 + 2 * len(CHARACTERS)


def test_the_most_frequent_pieces_stay(teacher):
  made, teacher_ids = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM + 3)
  vocab = made.get_vocab()
  assert len(vocab) == ROOM + 3 == len(teacher_ids)
  assert {word for word in WORDS if word in vocab} - {"##s"} == {
    "the",
    "tea",
    "kettle",
  }
  assert (vocab["[PAD]"], vocab["[UNK]"]) == (0, 1)
  # "tea" and "the" occur three times, and "tea" stands first at the teacher.
  order = sorted(vocab, key=vocab.get)
  assert set(order[2:4]) == {"the", "tea"}
  for piece, number in vocab.items():
    assert teacher.token_to_id(piece) == teacher_ids[number]


# Dies if: a piece is left out, or [PAD] and [UNK] are not where students look.
def test_all_of_the_teachers_pieces(teacher):
  made, teacher_ids = vocabulary.prune(teacher, TEXTS, vocab_size=None)
  assert made.get_vocab_size() == teacher.get_vocab_size()
  assert sorted(teacher_ids) == list(range(teacher.get_vocab_size()))
  ids = vocabulary.encode(made, ["The kettle leaks! ☃"], max_tokens=9)[0]
  expected = teacher.encode("The kettle leaks! ☃", add_special_tokens=False).ids
  assert [teacher_ids[i] for i in ids] == expected
  assert ids[-1] == vocabulary.UNK_ID


def test_pieces_that_never_occur_are_left_out(teacher):
  made, _ = vocabulary.prune(teacher, TEXTS, vocab_size=10_000)
  assert made.get_vocab_size() == ROOM + len(
    ["kettle", "leak", "##ing", "the", "tea"]
  )
  assert made.token_to_id("broken") is None


@pytest.fixture(scope="module")
def table(teacher):
  """Vectors of the teacher's: "toast" is near "tea", and all share a part."""
  rng = np.random.default_rng(0)
  rows = rng.normal(size=(teacher.get_vocab_size(), 16)).astype(np.float32)
  # Long ones, of no mean, and one that is hardly more than what all share.
  characters = np.array([teacher.token_to_id(c) for c in CHARACTERS])
  rows[characters] *= 5
  rows[characters[1::2]] = -rows[characters[::2]]
  rows[teacher.token_to_id("the")] *= 0.05
  near = {"toast": "tea", "broken": "leak", "##ing": "##s"}
  for piece, other in near.items():
    rows[teacher.token_to_id(piece)] = 0.3 * rows[teacher.token_to_id(other)]
  rows[teacher.token_to_id("toast")] += 0.02
  # Nearest of all, but in no text, or none.
  for piece in ("z", "[UNK]"):
    rows[teacher.token_to_id(piece)] = rows[teacher.token_to_id("toast")]
  return rows + 50


# Dies if: a left-out piece is cut as before, or gets the id of another or of
# one that nothing trains, or vectors are compared with the part that all share,
# or by their length.
def test_left_out_pieces_are_read_as_the_nearest(teacher, table):
  texts = ["tea tea leak leak", "leaks leaks", "the ☃ a b c d e f g h i j"]
  plain, ids = vocabulary.prune(teacher, texts, vocab_size=ROOM + 3)
  made, same = vocabulary.prune(
    teacher, texts, vocab_size=ROOM + 3, table=table
  )
  assert same == ids
  assert len(plain.encode("toast").ids) > 1
  for piece, other in (("toast", "tea"), ("broken", "leak")):
    assert made.encode(piece).ids == [made.token_to_id(other)]
  assert made.encode("leaking").ids == made.encode("leaks").ids
  assert max(made.get_vocab().values()) == len(ids) - 1
  for text in texts:
    kept = [i for i in plain.encode(text).ids if i != vocabulary.UNK_ID]
    assert [i for i in made.encode(text).ids if i in kept] == kept


# Dies if: what is no text gets an id, or a piece the padding's.
def test_special_pieces_are_nearest_to_none(teacher, table):
  made, _ = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM, table=table)
  vocab = made.get_vocab()
  assert not {"[CLS]", "[SEP]", "[MASK]", "[unused0]"} & set(vocab)
  first = {piece for piece, i in vocab.items() if i <= vocabulary.UNK_ID}
  assert first == {"[PAD]", "[UNK]"}
  everywhere = vocabulary.prune(teacher, TEXTS, vocab_size=None, table=table)
  plain = vocabulary.prune(teacher, TEXTS, vocab_size=None)
  assert everywhere[0].get_vocab() == plain[0].get_vocab()


# Dies if: the file holds one piece of those that share an id.
def test_the_file_holds_all_that_share_an_id(teacher, table, tmp_path):
  made, ids = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM, table=table)
  whole = vocabulary.Vocabulary(made, ids, None)
  vocabulary.save(epath.Path(tmp_path), whole, source="abc")
  loaded = vocabulary.load(epath.Path(tmp_path), source="abc")
  plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
  for tokenizer in (loaded.tokenizer, plain):
    assert tokenizer.get_vocab() == made.get_vocab()
  first = (tmp_path / "tokenizer.json").read_text()
  tokenizers.save(epath.Path(tmp_path), loaded.tokenizer)
  assert (tmp_path / "tokenizer.json").read_text() == first


# Dies if: characters that do not occur in the texts are pruned.
@pytest.mark.parametrize(
  "text", ["zyx 987", "broken toasting", "é", "xleaksé", "KETTLE"]
)
def test_what_the_teacher_can_spell_never_becomes_unk(teacher, text):
  made, _ = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM)
  assert teacher.token_to_id("[UNK]") not in teacher.encode(text).ids
  assert vocabulary.UNK_ID not in made.encode(text).ids


def test_what_the_teacher_cannot_spell_is_unk(teacher):
  made, _ = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM + 5)
  assert vocabulary.encode(made, ["☂ tea"], max_tokens=9)[0][0] == 1


# Dies if: the teacher's normalizer or pre-tokenizer is lost.
def test_with_all_pieces_it_cuts_texts_as_the_teacher_does(teacher):
  made, _ = vocabulary.prune(teacher, TEXTS, vocab_size=10_000)
  for text in [*TEXTS, "TEA-kettles"]:
    theirs = teacher.encode(text, add_special_tokens=False).tokens
    assert made.encode(text).tokens == theirs


# Dies if: special or padding tokens are baked in.
def test_the_file_is_self_contained_and_equals_itself(teacher, tmp_path):
  made, teacher_ids = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM + 3)
  embeddings = np.arange(6, dtype=np.float32).reshape(2, 3)
  whole = vocabulary.Vocabulary(made, teacher_ids, embeddings)
  vocabulary.save(epath.Path(tmp_path), whole, source="abc")
  text = (tmp_path / "tokenizer.json").read_text()
  assert Tokenizer.from_str(text).to_str(pretty=True) == text
  parts = json.loads(text)
  assert not parts["added_tokens"]
  assert parts["post_processor"] is parts["padding"] is parts["truncation"]
  plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
  loaded = vocabulary.load(epath.Path(tmp_path), source="abc")
  assert loaded is not None
  for tokenizer in (plain, loaded.tokenizer):
    assert [tokenizer.encode(t).ids for t in TEXTS] == [
      made.encode(t).ids for t in TEXTS
    ]
  assert loaded.teacher_ids == teacher_ids
  np.testing.assert_array_equal(loaded.embeddings, embeddings)


# Dies if: a vocabulary of other texts is taken for this run's.
def test_load_takes_only_what_is_from_the_same_source(teacher, tmp_path):
  folder = epath.Path(tmp_path)
  assert vocabulary.load(folder, source="abc") is None
  made, ids = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM)
  vocabulary.save(folder, vocabulary.Vocabulary(made, ids, None), source="abc")
  assert vocabulary.load(folder, source="other") is None
  assert vocabulary.load(folder, source="abc").embeddings is None


def test_damaged_embeddings_are_said(teacher, tmp_path):
  folder = epath.Path(tmp_path)
  made, ids = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM)
  embeddings = np.ones((4, 4), np.float32)
  whole = vocabulary.Vocabulary(made, ids, embeddings)
  vocabulary.save(folder, whole, source="abc")
  (folder / "embeddings.safetensors").write_bytes(b"no")
  with pytest.raises(UserError, match=r"embeddings\.safetensors can't be read"):
    vocabulary.load(folder, source="abc")
  # Dies if: what is dropped as damaged is asked for ever after.
  for name in ("embeddings.safetensors", "tokenizer.json"):
    vocabulary.save(folder, whole, source="abc")
    (folder / name).unlink()
    assert vocabulary.load(folder, source="abc") is None


# Dies if: a text may become nothing at all, or "[PAD]" in a text padding.
def test_encode(teacher):
  made, _ = vocabulary.prune(teacher, TEXTS, vocab_size=ROOM + 5)
  rows = vocabulary.encode(made, ["", "tea " * 9, "[PAD] tea"], max_tokens=4)
  assert rows[0] == [vocabulary.UNK_ID]
  assert len(rows[1]) == 4
  assert all(number != vocabulary.PAD_ID for row in rows for number in row)


def test_refuses_what_it_cannot_prune(teacher):
  with pytest.raises(UserError, match=rf"raise it to at least.*|{ROOM}"):
    vocabulary.prune(teacher, TEXTS, vocab_size=ROOM - 1)
  bpe = tokenizers.train_byte_bpe(TEXTS, vocab_size=300)
  with pytest.raises(UserError, match="tokenizer is BPE"):
    vocabulary.prune(bpe, TEXTS, vocab_size=ROOM)


# Dies if: the projection is not the one that keeps most, or rows are mixed up.
def test_embeddings_keep_the_teachers_distances():
  rng = np.random.default_rng(0)
  low = rng.normal(size=(50, 4))
  table = low @ rng.normal(size=(4, 12)) + 3.0  # Of rank 4, not centred.
  ids = [0, *rng.permutation(np.arange(1, 50))[:30]]
  made = vocabulary.teacher_embeddings(table, ids, width=4, std=0.1)
  assert made.dtype == np.float32
  assert made.shape == (31, 4)
  np.testing.assert_array_equal(made[0], 0)
  np.testing.assert_allclose(made[1:].std(), 0.1, rtol=1e-5)
  rows = table[ids[1:]]
  theirs = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
  ours = np.linalg.norm(made[1:, None] - made[None, 1:], axis=-1)
  scale = theirs.sum() / ours.sum()
  np.testing.assert_allclose(ours * scale, theirs, rtol=1e-4, atol=1e-5)


def test_embeddings_wider_than_the_teachers_are_refused():
  with pytest.raises(UserError, match="embed_width is 13"):
    vocabulary.teacher_embeddings(np.ones((5, 12)), [0, 1], width=13)
