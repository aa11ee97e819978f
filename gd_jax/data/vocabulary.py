# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The students' words: the teacher's word pieces, pruned, and their vectors.

One vocabulary serves training, evaluation, export and browser, for all arms.
It is made before training, from labelled and generated texts, never from test
texts.
"""

import collections
import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import safetensors.numpy
from etils import epath
from jaxtyping import Float
from tokenizers import Tokenizer

from gd_jax import artefacts
from gd_jax.data import tokenizers
from gd_jax.errors import UserError

PAD, UNK = "[PAD]", "[UNK]"
PAD_ID, UNK_ID = 0, 1
# Rows of a product with all that stay: some 30 MB where those are 8,000.
_AT_A_TIME = 1024
_NOTE, _EMBEDDINGS = "vocabulary.json", "embeddings.safetensors"


def prune(
  teacher: Tokenizer,
  texts: Iterable[str],
  *,
  vocab_size: int | None,
  table: Float[np.ndarray, "T D"] | None = None,
) -> tuple[Tokenizer, list[int]]:
  """The student's tokenizer, made from the teacher's.

  It holds [PAD] = 0, [UNK] = 1, every single character and ##character that
  the teacher knows (so that what the teacher can spell never becomes [UNK]),
  and the pieces of `texts`, most frequent first, until `vocab_size` is full.
  Normalizer and pre-tokenizer are the teacher's; there are no special tokens
  in the file, hence "[PAD]" in somebody's text is just text.

  Of the teacher's other pieces there is none, and what they spell is cut into
  smaller ones; with `table`, each has the id of the nearest that occurs in
  `texts`: others that stay have vectors which nothing trains.

  Args:
    teacher: A WordPiece tokenizer.
    texts: What the student will be trained on.
    vocab_size: The most ids; fewer where `texts` hold fewer pieces. None: all
      of the teacher's, in its order.
    table: The teacher's embeddings, to read left-out pieces by.

  Returns:
    (tokenizer, teacher_ids): teacher_ids[i] is the teacher's id of the
    student's piece i, and of several that share it, of the one that stayed.

  Raises:
    UserError: The teacher's tokenizer is not WordPiece, or `vocab_size` is too
      small for the characters alone.
  """
  parts = _word_pieces(teacher)
  vocabulary: dict[str, int] = parts["model"]["vocab"]
  unknown = parts["model"]["unk_token"]
  counts = count_pieces(teacher, texts)
  if vocab_size is None:
    chosen = [piece for piece in vocabulary if piece not in (PAD, unknown)]
    chosen.sort(key=lambda piece: vocabulary[piece])
  else:
    chosen = _most_frequent(parts, counts, vocab_size=vocab_size)
  pieces = [PAD, UNK, *chosen]
  teacher_ids = [
    vocabulary.get(PAD, 0),
    vocabulary[unknown],
    *(vocabulary[piece] for piece in chosen),
  ]
  vocab = {piece: i for i, piece in enumerate(pieces)}
  if table is not None:
    no_text = {*teacher_ids, *tokenizers.unwritable_ids(teacher)}
    left_out = [
      piece for piece, number in vocabulary.items() if number not in no_text
    ]
    with_text = range(UNK_ID + 1, len(teacher_ids))
    near = _nearest(
      table[np.asarray(teacher_ids)],
      [i for i in with_text if counts[teacher_ids[i]]] or with_text,
      table[[vocabulary[piece] for piece in left_out]],
    )
    vocab |= dict(zip(left_out, near, strict=True))
  parts["model"]["vocab"] = vocab
  parts["model"]["unk_token"] = UNK
  parts |= {
    "added_tokens": [],
    "post_processor": None,
    "padding": None,
    "truncation": None,
  }
  return Tokenizer.from_str(json.dumps(parts)), teacher_ids


def require_room(teacher: Tokenizer, vocab_size: int | None) -> None:
  """Raises UserError where `prune` would, whatever the texts are."""
  parts = _word_pieces(teacher)
  if vocab_size is not None:
    _characters(parts, vocab_size=vocab_size)


def _word_pieces(teacher: Tokenizer) -> dict[str, Any]:
  parts = json.loads(teacher.to_str())
  kind = parts["model"]["type"]
  if kind != "WordPiece":
    raise UserError(
      "the students' vocabulary is pruned from WordPiece, and the teacher's "
      f"tokenizer is {kind}: choose another BERT as config.teacher.init"
    )
  return parts


def _special(parts: dict[str, Any]) -> set[str]:
  return {token["content"] for token in parts["added_tokens"]} | {PAD, UNK}


def _characters(parts: dict[str, Any], *, vocab_size: int) -> list[str]:
  """Those that the teacher knows, which the student has to have."""
  prefix = parts["model"]["continuing_subword_prefix"]
  special = _special(parts)
  found = [
    piece
    for piece in parts["model"]["vocab"]
    if len(piece.removeprefix(prefix)) == 1 and piece not in special
  ]
  if len(found) + 2 > vocab_size:
    raise UserError(
      f"config.students.vocab_size is {vocab_size}, but the teacher's single "
      f"characters alone are {len(found) + 2}: raise it to at least that"
    )
  return found


def _most_frequent(
  parts: dict[str, Any], counts: collections.Counter[int], *, vocab_size: int
) -> list[str]:
  """All characters, and other pieces in the order of `counts`, then by id."""
  vocabulary: dict[str, int] = parts["model"]["vocab"]
  characters = _characters(parts, vocab_size=vocab_size)
  room = vocab_size - 2 - len(characters)
  known = {*characters, *_special(parts), parts["model"]["unk_token"]}
  names = {number: piece for piece, number in vocabulary.items()}
  words = [
    names[number] for number in counts if names.get(number, PAD) not in known
  ]
  chosen = [*characters, *words[:room]]
  chosen.sort(key=lambda piece: (-counts[vocabulary[piece]], vocabulary[piece]))
  return chosen


def _nearest(
  kept: Float[np.ndarray, "V D"],
  targets: Sequence[int],
  left_out: Float[np.ndarray, "N D"],
) -> list[int]:
  """Which of `targets`, rows of `kept`, is nearest to each of `left_out`.

  By the cosine between vectors less the targets' mean: all words' vectors share
  a direction, which says nothing of any.
  """
  ids = np.asarray(targets)
  rows = kept[ids].astype(np.float32)
  mean = rows.mean(axis=0)
  rows = _unit(rows - mean)
  found: list[int] = []
  for start in range(0, len(left_out), _AT_A_TIME):
    others = left_out[start : start + _AT_A_TIME].astype(np.float32)
    near = (_unit(others - mean) @ rows.T).argmax(axis=1)
    found += ids[near].tolist()
  return found


def _unit(rows: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
  """Of length 1; a vector of nothing stays so."""
  lengths = np.linalg.norm(rows, axis=1, keepdims=True)
  return rows / np.maximum(lengths, np.finfo(rows.dtype).tiny)


def count_pieces(
  tokenizer: Tokenizer, texts: Iterable[str]
) -> collections.Counter[int]:
  """How often each id occurs, most frequent first, ties by id."""
  rows = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
  found = collections.Counter(number for row in rows for number in row.ids)
  return collections.Counter(
    dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
  )


def encode(
  tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int
) -> list[list[int]]:
  """The ids of each text, cut at `max_tokens`; never empty, never [PAD].

  A text without a single piece becomes one [UNK]: a student has to say
  something about it, too.
  """
  rows = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
  return [
    [i or UNK_ID for i in row.ids[:max_tokens]] or [UNK_ID] for row in rows
  ]


def require_width(width: int, of_teacher: int) -> None:
  """Raises UserError where no projection has so many numbers."""
  if width > of_teacher:
    raise UserError(
      f"config.students.embed_width is {width}, wider than the teacher's "
      f"embeddings ({of_teacher}): lower it, or set "
      "config.students.embeddings=random"
    )


def teacher_embeddings(
  table: Float[np.ndarray, "T D"],
  teacher_ids: Sequence[int],
  *,
  width: int,
  std: float = 1.0,
) -> Float[np.ndarray, "V width"]:
  """The teacher's vectors of the student's pieces, at the student's width.

  They are projected onto their first `width` principal components, which keeps
  as much of the distances between words as any linear map to that width can.

  Args:
    table: The teacher's embeddings.
    teacher_ids: As from `prune`.
    width: The student's embedding width; at most D, and at most V.
    std: The standard deviation of the result's entries over all pieces. Adam
      moves a frequent word's entries by some tenths whatever their size: small
      ones forget where they came from, and words that training never saw are
      left behind (TREC, gold, validation: 63.7 at 0.1, 71.7 at 0.5, 71.9 at 1,
      57.3 at random).

  Returns:
    float32; the row of [PAD] is zero.

  Raises:
    UserError: `width` is larger than the teacher's.
  """
  require_width(width, table.shape[1])
  rows = table[np.asarray(teacher_ids)].astype(np.float64)
  real = rows[1:] - rows[1:].mean(axis=0)
  values, vectors = np.linalg.eigh(real.T @ real)
  basis = vectors[:, np.argsort(-values)[:width]]
  # An eigenvector's sign is arbitrary: fix it, lest libraries disagree.
  basis *= np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(width)])
  projected = real @ basis
  projected *= std / projected.std()
  pad = np.zeros((1, width))
  return np.concatenate([pad, projected]).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
  """What all arms share.

  Attributes:
    tokenizer: The students'.
    teacher_ids: The teacher's id of each id, as `prune` says.
    embeddings: Where the students' table starts; None: at random, by seed.
  """

  tokenizer: Tokenizer
  teacher_ids: list[int]
  embeddings: Float[np.ndarray, "V E"] | None


def save(folder: epath.Path, made: Vocabulary, *, source: str) -> None:
  """Writes tokenizer.json, embeddings.safetensors and, last, vocabulary.json.

  Args:
    folder: Gets the files.
    made: What to write.
    source: A digest of what it was made from.
  """
  tokenizers.save(folder, made.tokenizer)
  path = folder / _EMBEDDINGS
  if made.embeddings is None:
    path.unlink(missing_ok=True)
  else:
    arrays = {"embeddings": made.embeddings}
    artefacts.write_atomic(path, safetensors.numpy.save(arrays))
  artefacts.write_json(
    folder / _NOTE,
    {
      "teacher_ids": made.teacher_ids,
      "embeddings": made.embeddings is not None,
      "source": source,
    },
  )


def load(folder: epath.Path, *, source: str) -> Vocabulary | None:
  """What `save` wrote; None where a file is gone or it is of another source.

  Raises:
    UserError: A file is damaged.
  """
  if not (folder / _NOTE).exists():
    return None
  note = artefacts.read_json(folder / _NOTE)
  if note["source"] != source:
    return None
  files = [folder / "tokenizer.json"]
  files += [folder / _EMBEDDINGS] if note["embeddings"] else []
  if not all(file.exists() for file in files):
    return None
  embeddings = None
  if note["embeddings"]:
    try:
      arrays = safetensors.numpy.load((folder / _EMBEDDINGS).read_bytes())
      embeddings = arrays["embeddings"]
    except (OSError, safetensors.SafetensorError, KeyError) as error:
      raise UserError(
        f"{folder / _EMBEDDINGS} can't be read ({error}): "
        f"{artefacts.mend(folder / _EMBEDDINGS)}"
      ) from error
  return Vocabulary(tokenizers.load(folder), note["teacher_ids"], embeddings)
