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
from gd_jax.errors import UserError

# The condition where each class has a generator of its own.
PER_CLASS = "per_class"
_CLASS_FOLDER = "class-"


@dataclasses.dataclass(frozen=True)
class Format:
  """The generator's text format.

  Attributes:
    bos_id: Stands before every text.
    eos_id: Stands after every whole text; may equal `bos_id` (GPT-2's case).
    max_tokens: The most tokens of one text, BOS and EOS not counted.
    banned_ids: Never sampled: special tokens and such, EOS excepted.
    first_tokens: How many training texts begin with each token.
    prefixes: What stands between BOS and a text of each class, all equally
      long; () where the generator is not told the class.
  """

  bos_id: int
  eos_id: int
  max_tokens: int
  banned_ids: tuple[int, ...]
  first_tokens: Mapping[int, int]
  prefixes: tuple[tuple[int, ...], ...] = ()

  @property
  def prefix_length(self) -> int:
    """How many tokens stand between BOS and a text."""
    return len(self.prefixes[0]) if self.prefixes else 0


def make_prefixes(
  tokenizer: Tokenizer, labels: Sequence[str], bos_id: int
) -> tuple[tuple[int, ...], ...]:
  """The prefix of each class: its name and a colon.

  Shorter ones are filled up with BOS in front, so that all texts begin at the
  same place.

  Raises:
    UserError: The tokenizer can't tell two names apart.
  """
  names = [encode(tokenizer, f"{label}:") for label in labels]
  longest = max(map(len, names))
  prefixes = tuple((*[bos_id] * (longest - len(name)), *name) for name in names)
  if len(set(prefixes)) < len(prefixes):
    raise UserError(
      "generator.condition='prefix': the generator's tokenizer can't tell the"
      f" labels {', '.join(labels)} apart; rename them, or leave the condition"
      " away"
    )
  return prefixes


def prompted_label(row_id: int, fmt: Format) -> int | None:
  """The class whose prefix row `row_id` of a corpus is drawn after."""
  return row_id % len(fmt.prefixes) if fmt.prefixes else None


def class_folder(folder: epath.Path, label: int) -> epath.Path:
  """Where the generator of one class is kept, under the phase's `folder`."""
  return folder / f"{_CLASS_FOLDER}{label:05d}"


def folders(folder: epath.Path) -> list[epath.Path]:
  """The folders of the phase's generators: itself, or one of each class."""
  by_class = sorted(folder.glob(f"{_CLASS_FOLDER}*"))
  return by_class or [folder]


def frame(
  text_ids: Sequence[int], fmt: Format, label: int | None = None
) -> list[int]:
  """BOS, the class's prefix, the text's tokens, EOS: what the model learns.

  A text longer than `max_tokens` is cut and gets no EOS: it did not end there,
  and the model shall not learn that it does.

  Args:
    text_ids: The text's own tokens.
    fmt: The format.
    label: The text's class; not read where the format has no prefixes.
  """
  prefix = fmt.prefixes[label] if fmt.prefixes and label is not None else ()
  if len(text_ids) > fmt.max_tokens:
    return [fmt.bos_id, *prefix, *text_ids[: fmt.max_tokens]]
  return [fmt.bos_id, *prefix, *text_ids, fmt.eos_id]


def unframe(tokens: Sequence[int], fmt: Format) -> tuple[list[int], bool]:
  """(the text's tokens, whether the text ended): the inverse of `frame`.

  Args:
    tokens: What was framed or sampled, from BOS on; what follows the first
      EOS is ignored.
    fmt: The format.
  """
  ids = [int(token) for token in tokens[1 + fmt.prefix_length :]]
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
  fields = dataclasses.asdict(fmt)
  if not fmt.prefixes:
    del fields["prefixes"]
  artefacts.write_json(folder / "format.json", fields)


def load(folder: epath.Path) -> Format:
  """Reads `folder`/format.json.

  Raises:
    UserError: It is missing or damaged.
  """
  fields = artefacts.read_json(folder / "format.json")
  fields["banned_ids"] = tuple(fields["banned_ids"])
  counts = fields["first_tokens"].items()
  fields["first_tokens"] = {int(token): count for token, count in counts}
  prefixes = fields.get("prefixes", ())
  fields["prefixes"] = tuple(tuple(prefix) for prefix in prefixes)
  return Format(**fields)
