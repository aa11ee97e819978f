# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tokenizers: loading one, encoding for the teacher, making one from text."""

import json
import re
from collections.abc import Iterable, Sequence

import tokenizers
from etils import epath
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from gd_jax import artefacts
from gd_jax.errors import UserError

END_OF_TEXT = "<|endoftext|>"
# Models pad their vocabulary, by far less than a tenth.
_LEAST_VOCABULARY = 0.9


def load(folder: epath.PathLike) -> Tokenizer:
  """The tokenizer of a Hugging Face folder or of one of our artefacts.

  Padding and truncation that the file bakes in are turned off: cut rows would
  go unnoticed. Special tokens written out in a text ("[SEP]") are read as
  plain text, so that nobody's data can end a row.

  Raises:
    UserError: The folder holds no tokenizer, or a damaged one.
  """
  folder = epath.Path(folder)
  path = folder / "tokenizer.json"
  try:
    if path.exists():
      tokenizer = Tokenizer.from_str(path.read_text())
    else:
      tokenizer = _from_vocabulary_files(folder)
  except Exception as error:  # tokenizers raises bare Exception.
    raise UserError(f"{folder} holds no usable tokenizer: {error}") from error
  tokenizer.no_padding()
  tokenizer.no_truncation()
  tokenizer.encode_special_tokens = True
  return tokenizer


def save(folder: epath.Path, tokenizer: Tokenizer) -> None:
  """Writes `folder`/tokenizer.json."""
  text = to_json(tokenizer, pretty=True)
  artefacts.write_atomic(folder / "tokenizer.json", text)


def to_json(tokenizer: Tokenizer, *, pretty: bool = False) -> str:
  """All of it, where `to_str` writes one of several pieces that share an id."""
  text = tokenizer.to_str(pretty=pretty)
  parts = json.loads(text)
  written = parts["model"]["vocab"]
  vocab = tokenizer.get_vocab(with_added_tokens=False)
  if len(vocab) == len(written):
    return text
  # One by one in the order of ids, whatever the order of a hash table.
  in_order = sorted(vocab, key=lambda piece: (vocab[piece], piece))
  parts["model"]["vocab"] = {piece: vocab[piece] for piece in in_order}
  return json.dumps(parts, ensure_ascii=False, indent=2 if pretty else None)


def encode_for_teacher(
  tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int
) -> list[list[int]]:
  """[CLS] pieces [SEP] of each text.

  Args:
    tokenizer: A BERT's, from `load`.
    texts: Any strings.
    max_tokens: Longer rows are cut to this, [CLS] and [SEP] counted, as Hugging
      Face's max_length counts.

  Raises:
    UserError: The tokenizer adds no [CLS] and [SEP].
  """
  require_frame(tokenizer, "the teacher's tokenizer.json")
  cutting = Tokenizer.from_str(tokenizer.to_str())
  cutting.encode_special_tokens = True
  cutting.enable_truncation(max_length=max_tokens)
  return [row.ids for row in cutting.encode_batch_fast(list(texts))]


def train_byte_bpe(texts: Iterable[str], *, vocab_size: int) -> Tokenizer:
  """A byte-level BPE (GPT-2's kind) learned from `texts`; deterministic.

  Every string can be encoded and comes back byte for byte. Id 0 is
  <|endoftext|>. The vocabulary is smaller than asked for where the texts hold
  fewer merges.
  """
  tokenizer = Tokenizer(models.BPE())
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
  tokenizer.decoder = decoders.ByteLevel()
  trainer = trainers.BpeTrainer(
    vocab_size=vocab_size,
    min_frequency=2,
    special_tokens=[END_OF_TEXT],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, trainer)
  tokenizer.encode_special_tokens = True
  return tokenizer


def require_id(tokenizer: Tokenizer, *names: str) -> int:
  """The id of the first of `names` that the tokenizer knows.

  Raises:
    UserError: It knows none.
  """
  for name in names:
    if (found := tokenizer.token_to_id(name)) is not None:
      return found
  raise UserError(f"the tokenizer has no {' or '.join(names)} token")


def require_bert(
  tokenizer: Tokenizer, folder: epath.PathLike, *, vocab_size: int
) -> None:
  """Refuses a tokenizer that is none of the BERT that lies in `folder`.

  Args:
    tokenizer: From `load(folder)`.
    folder: For the message.
    vocab_size: The model's.

  Raises:
    UserError: It adds no [CLS] and [SEP], or its vocabulary is far smaller than
      the model's; a slightly smaller one is usual, as models pad theirs.
  """
  path = epath.Path(folder) / "tokenizer.json"
  require_frame(tokenizer, str(path))
  size = tokenizer.get_vocab_size()
  if size < _LEAST_VOCABULARY * vocab_size:
    raise UserError(
      f"{path} has {size:,} word pieces where the model's config.json has a "
      f"vocab_size of {vocab_size:,}: put the model's own tokenizer there"
    )


def require_frame(tokenizer: Tokenizer, where: str) -> None:
  """Refuses a tokenizer that does not put a text between [CLS] and [SEP].

  Raises:
    UserError: It does not; `where` says whose tokenizer it is.
  """
  ids = tokenizer.encode("a").ids
  frame = [tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")]
  if None in frame or len(ids) < 2 or [ids[0], ids[-1]] != frame:
    raise UserError(
      f"{where} does not put a text between [CLS] and [SEP], as a BERT reads "
      "it: save it again with the post-processor of the BERT's own tokenizer"
    )


def unwritable_ids(tokenizer: Tokenizer) -> list[int]:
  """Ids that are no text: special tokens and BERT's [unusedN], sorted."""
  added = tokenizer.get_added_tokens_decoder()
  special = {i for i, token in added.items() if token.special}
  unused = {
    i
    for token, i in tokenizer.get_vocab().items()
    if re.fullmatch(r"\[unused\d+\]", token)
  }
  return sorted(special | unused)


def _from_vocabulary_files(folder: epath.Path) -> Tokenizer:
  """From vocab.txt (BERT) or vocab.json and merges.txt (GPT-2)."""
  if (folder / "merges.txt").exists():
    made = tokenizers.ByteLevelBPETokenizer.from_file(
      str(folder / "vocab.json"), str(folder / "merges.txt")
    )
    made.add_special_tokens([END_OF_TEXT])
    return Tokenizer.from_str(made.to_str())
  if (folder / "vocab.txt").exists():
    settings = {}
    if (folder / "tokenizer_config.json").exists():
      settings = artefacts.read_json(folder / "tokenizer_config.json")
    made = tokenizers.BertWordPieceTokenizer(
      str(folder / "vocab.txt"), lowercase=settings.get("do_lower_case", True)
    )
    return Tokenizer.from_str(made.to_str())
  raise UserError("no tokenizer.json, vocab.txt, or vocab.json and merges.txt")
