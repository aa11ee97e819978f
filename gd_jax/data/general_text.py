# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of plain text -> rows of tokens for a generator's pretraining.

A file is a domain, a line a text. Framed texts are laid end to end and cut
into rows of one length, so that no arithmetic goes into padding.

Legend: N rows, L tokens a row.
"""

import collections
import dataclasses
import hashlib
import lzma
import os
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer

from gd_jax import rngs, workdirs
from gd_jax.data import batches, draws
from gd_jax.errors import UserError

# Texts of each file that only judge.
_HELDOUT = 200
# So many first words of an evaluation text are looked up before the others.
_FIRST_WORDS = 5
_ENCODED_AT_ONCE = 4096


@dataclasses.dataclass(frozen=True)
class Domain:
  """One file.

  Attributes:
    name: The file's, without its endings.
    train: Texts to learn from.
    heldout: Texts that only judge.
    copies: Numbers of the lines, from 1, that hold an evaluation text and are
      left out.
    repeats: How many lines were left out of `train` because they repeat a
      held-out text, of this file or, after `apart`, of another.
  """

  name: str
  train: list[str]
  heldout: list[str]
  copies: list[int]
  repeats: int


def fingerprint(file: str) -> str:
  """The sha256 of a file's bytes.

  Raises:
    UserError: It can't be read.
  """
  try:
    return hashlib.sha256(workdirs.place(file).read_bytes()).hexdigest()
  except OSError as error:
    raise _unreadable(file, error) from error


def is_at_hand(file: str) -> bool:
  """Whether there is such a file; none in a bucket that can't be opened."""
  try:
    return workdirs.place(file).is_file()
  except UserError:
    return False


def require_files(files: Collection[str]) -> None:
  """Asks what can be asked of files without reading them.

  Raises:
    UserError: There is no such file, or two have one name.
  """
  require_different_names(files)
  for file in files:
    if not is_at_hand(file):
      raise UserError(
        f"config.generator.pretrain_on: there is no file {file}: mend the path"
      )


def read(file: str, evaluation_texts: Iterable[str]) -> Domain:
  """The texts of one file, plain or .xz; blank lines are no texts.

  A line that holds a whole evaluation text, letter case and punctuation aside,
  is left out: what is judged later shall not have been read before. An
  evaluation text of at most five words counts only as a whole line.

  Args:
    file: Its path.
    evaluation_texts: What nothing may be learned from.

  Raises:
    UserError: The file can't be read, is not UTF-8, or holds no text.
  """
  lines = _lines(file)
  holds = _Finder(evaluation_texts)
  kept, copies = [], []
  for number, line in enumerate(lines, start=1):
    if not (text := " ".join(line.split())):
      continue
    if holds(text):
      copies.append(number)
    else:
      kept.append(text)
  if len(kept) < 2:
    raise UserError(
      f"config.generator.pretrain_on: {file} has {len(kept)} texts to learn"
      " from; a file needs at least 2 lines, a text on each"
    )
  every = max(2, -(-len(kept) // _HELDOUT))
  heldout = kept[::every]
  name = os.path.basename(file).split(".", 1)[0]
  rest = [text for i, text in enumerate(kept) if i % every]
  (domain,) = apart([Domain(name, rest, heldout, copies, repeats=0)])
  return domain


def apart(domains: Sequence[Domain]) -> list[Domain]:
  """Without the training texts that any of the domains holds out.

  Raises:
    UserError: A domain has no other ones.
  """
  heldout = {
    draws.normalise(text) for domain in domains for text in domain.heldout
  }
  found = []
  for domain in domains:
    train = [t for t in domain.train if draws.normalise(t) not in heldout]
    if not train:
      raise UserError(
        f"config.generator.pretrain_on: the lines of {domain.name} are all the"
        " same as some that only judge: add others, or leave the file out"
      )
    repeats = domain.repeats + len(domain.train) - len(train)
    found.append(dataclasses.replace(domain, train=train, repeats=repeats))
  return found


def pack(
  texts: Sequence[str],
  tokenizer: Tokenizer,
  *,
  bos_id: int,
  eos_id: int,
  row_tokens: int,
  seed: int,
) -> dict[str, np.ndarray]:
  """BOS, text, EOS, BOS, text ...: in random order, cut into full rows.

  Args:
    texts: In any order.
    tokenizer: The generator's.
    bos_id: Before each text.
    eos_id: After each text.
    row_tokens: L; what is left over after the last full row is dropped, unless
      it is all there is.
    seed: Of the order.

  Returns:
    {"tokens" [N L], "mask" [N L]} int32, the mask all ones but for a single
    short row.
  """
  order = rngs.numpy_stream(seed, "pack").permutation(len(texts))
  parts: list[np.ndarray] = []
  for start in range(0, len(texts), _ENCODED_AT_ONCE):
    some = [texts[i] for i in order[start : start + _ENCODED_AT_ONCE]]
    encoded = tokenizer.encode_batch_fast(some, add_special_tokens=False)
    for one in encoded:
      parts.append(np.array([bos_id, *one.ids, eos_id], np.int32))
  tokens: Int[np.ndarray, " n"] = np.concatenate(parts)
  num_rows = len(tokens) // row_tokens
  if not num_rows:
    return batches.from_rows([tokens.tolist()])
  rows = tokens[: num_rows * row_tokens].reshape(num_rows, row_tokens)
  return {"tokens": rows, "mask": np.ones_like(rows)}


def require_different_names(files: Collection[str]) -> None:
  """Raises UserError where two files would be one domain."""
  names = collections.Counter(
    os.path.basename(file).split(".", 1)[0] for file in files
  )
  for name, count in names.items():
    if count > 1:
      raise UserError(
        f"config.generator.pretrain_on: {count} files are named {name!r};"
        " rename them, since their held-out perplexity is told by name"
      )


class _Finder:
  """Whether a text holds one of some texts as a run of whole words."""

  def __init__(self, texts: Iterable[str]):
    self._whole: set[str] = set()
    self._by_start: dict[tuple[str, ...], list[str]] = {}
    for text in texts:
      words = draws.normalise(text).split()
      # So few words stand in many texts: only the same text is a copy.
      self._whole.add(" ".join(words))
      if len(words) > _FIRST_WORDS:
        start = tuple(words[:_FIRST_WORDS])
        self._by_start.setdefault(start, []).append(f" {' '.join(words)} ")

  def __call__(self, text: str) -> bool:
    normal = draws.normalise(text)
    if normal in self._whole:
      return True
    if not self._by_start:
      return False
    words = normal.split()
    starts = zip(*(words[i:] for i in range(_FIRST_WORDS)), strict=False)
    padded = f" {normal} "
    return any(
      known in padded
      for start in starts
      if start in self._by_start
      for known in self._by_start[start]
    )


def _lines(file: str) -> list[str]:
  try:
    data = workdirs.place(file).read_bytes()
    if file.endswith(".xz"):
      data = lzma.decompress(data)
  except OSError as error:
    raise _unreadable(file, error) from error
  except (lzma.LZMAError, EOFError) as error:
    raise UserError(
      f"config.generator.pretrain_on: {file} is no whole .xz file ({error});"
      " compress it again"
    ) from error
  lines = data.split(b"\n")
  for number, line in enumerate(lines, start=1):
    if not line.isascii():
      try:
        line.decode("utf-8")
      except UnicodeDecodeError as error:
        raise UserError(
          f"config.generator.pretrain_on: {file}, line {number}, is not UTF-8:"
          " convert the file"
        ) from error
  return [line.decode("utf-8") for line in lines]


def _unreadable(file: str, error: OSError) -> UserError:
  return UserError(
    f"config.generator.pretrain_on: {file} can't be read"
    f" ({error.strerror or type(error).__name__}): mend the path"
  )
