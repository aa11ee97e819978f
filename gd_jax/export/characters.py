# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a tokenizer does to each character, as tables for other languages.

Browsers know other versions of Unicode than the tokenizers library, and each
other. So the library is asked about every character there is, once, when a
student is exported, and a page looks the answers up.
"""

from collections.abc import Callable, Iterable
from typing import Any

from tokenizers import Tokenizer

_BLOCK = 1024
_HANGUL = range(0xAC00, 0xD7A4)
_SURROGATES = range(0xD800, 0xE000)


def tables(tokenizer: Tokenizer) -> dict[str, Any]:
  """What becomes of each character before words are cut into pieces.

  Returns:
    "dropped": ranges [first, last, first, last, ...] of code points that vanish
      and "spaced": those that get a blank on each side;
    "hangul": whether syllables become their letters, by Unicode's rule;
    "changed": {character: string} for all others that do not stay;
    "gaps": ranges of those that end a word, and "alone": those that are a word.
  """
  dropped, spaced, changed = [], [], {}
  normalize = tokenizer.normalizer.normalize_str
  for point, after in _differing(normalize):
    before = chr(point)
    if not after:
      dropped.append(point)
    elif after == f" {before} ":
      spaced.append(point)
    elif point not in _HANGUL:
      changed[before] = after
  gaps, alone = _ends_of_words(tokenizer)
  return {
    "dropped": ranges(dropped),
    "spaced": ranges(spaced),
    "hangul": len(normalize(chr(_HANGUL[0]))) > 1,
    "changed": changed,
    "gaps": ranges(gaps),
    "alone": ranges(alone),
  }


def ranges(points: Iterable[int]) -> list[int]:
  """Rising numbers as [first, last, first, last, ...] of unbroken runs."""
  found: list[int] = []
  for point in points:
    if found and found[-1] == point - 1:
      found[-1] = point
    else:
      found += [point, point]
  return found


def _blocks() -> Iterable[list[int]]:
  """All code points that are characters, a block at a time."""
  for start in range(0, 0x110000, _BLOCK):
    points = range(start, start + _BLOCK)
    if start not in _SURROGATES:
      yield list(points)


def _differing(
  normalize: Callable[[str], str],
) -> Iterable[tuple[int, str]]:
  for points in _blocks():
    # Most blocks hold letters that stay as they are: one question for each.
    text = "".join(map(chr, points))
    if normalize(text) == text:
      continue
    for point in points:
      if (after := normalize(chr(point))) != chr(point):
        yield point, after


def _ends_of_words(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
  gaps, alone = [], []
  split = tokenizer.pre_tokenizer.pre_tokenize_str
  for points in _blocks():
    # Characters between letters: one that's part of a word leaves one word.
    text = "a" + "".join(f"{chr(point)}a" for point in points)
    if len(split(text)) == 1:
      continue
    starts = {start for _, (start, _) in split(text)}
    for place, point in enumerate(points):
      if 2 * place + 2 in starts:
        (alone if 2 * place + 1 in starts else gaps).append(point)
  return gaps, alone
