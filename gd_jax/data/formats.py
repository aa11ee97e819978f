# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a text becomes the generator's tokens, and tokens a text again.

Training and sampling both come here, so that they can't disagree on where a
text begins and ends.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from etils import epath
from tokenizers import Tokenizer

from gd_jax import artefacts


@dataclasses.dataclass(frozen=True)
class Format:
  """The generator's text format.

  Attributes:
    bos_id: Stands before every text.
    eos_id: Stands after every whole text; may equal `bos_id` (GPT-2's case).
    max_tokens: The most tokens of one text, BOS and EOS not counted.
    banned_ids: Never sampled: special tokens and such, EOS excepted.
    first_tokens: How many training texts begin with each token.
  """

  bos_id: int
  eos_id: int
  max_tokens: int
  banned_ids: tuple[int, ...]
  first_tokens: Mapping[int, int]


def frame(text_ids: Sequence[int], fmt: Format) -> list[int]:
  """BOS, the text's tokens, EOS: what the model is trained on.

  A text longer than `max_tokens` is cut and gets no EOS: it did not end there,
  and the model shall not learn that it does. `frame([], fmt)[:1]` is the
  prompt of a new text.
  """
  if len(text_ids) > fmt.max_tokens:
    return [fmt.bos_id, *text_ids[: fmt.max_tokens]]
  return [fmt.bos_id, *text_ids, fmt.eos_id]


def unframe(tokens: Sequence[int], fmt: Format) -> tuple[list[int], bool]:
  """(the text's tokens, whether the text ended): the inverse of `frame`.

  Args:
    tokens: What was framed or sampled, from BOS on; what follows the first
      EOS is ignored.
    fmt: The format.
  """
  ids = [int(token) for token in tokens[1:]]
  if fmt.eos_id not in ids:
    return ids, False
  return ids[: ids.index(fmt.eos_id)], True


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
  """A text's own tokens, nothing added."""
  return tokenizer.encode(text.strip(), add_special_tokens=False).ids


def decode(tokenizer: Tokenizer, text_ids: Sequence[int]) -> str:
  """The text of unframed tokens, on one line."""
  text = tokenizer.decode(list(text_ids), skip_special_tokens=True)
  return " ".join(text.split())


def save(folder: epath.Path, fmt: Format) -> None:
  """Writes `folder`/format.json."""
  artefacts.write_json(folder / "format.json", dataclasses.asdict(fmt))


def load(folder: epath.Path) -> Format:
  """Reads `folder`/format.json.

  Raises:
    UserError: It is missing or damaged.
  """
  fields = artefacts.read_json(folder / "format.json")
  fields["banned_ids"] = tuple(fields["banned_ids"])
  counts = fields["first_tokens"].items()
  fields["first_tokens"] = {int(token): count for token, count in counts}
  return Format(**fields)
