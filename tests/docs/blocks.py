# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of a page of Markdown, and the commands in them."""

import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
_BLOCK = re.compile(
  r"(?:^<!-- not run: (?P<why>.+?) -->\n)?"
  r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
  re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
  """One fenced block; `why` says why it can't be run, if it can't."""

  language: str
  text: str
  why: str | None


def read(page: str) -> list[Block]:
  """The blocks of a page, in order.

  Raises:
    ValueError: a fence is not closed, or stands where no block is seen.
  """
  source = (ROOT / page).read_text("utf-8")
  found = [
    Block(match["language"], match["text"], match["why"])
    for match in _BLOCK.finditer(source)
  ]
  if source.count("```") != 2 * len(found):
    raise ValueError(f"{page}: a fence that is not seen as a block")
  return found


def commands(block: Block) -> list[str]:
  """The commands of a shell's block, each in one line without comments."""
  joined = block.text.replace("\\\n", " ")
  lines = (re.sub(r"\s+#.*", "", line) for line in joined.splitlines())
  return [" ".join(line.split()) for line in lines if line.strip()]
