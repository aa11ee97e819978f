# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes configs.md of the comments and values in configs/common.py.

Run: python docs/make_configs.py

A field's comment is "[UNIT] what it is. Change when to set it."
"""

import importlib
import pathlib
import re
import sys
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configs.md"

_HEAD = """\
# Every field of a config

Made by `python docs/make_configs.py` from `configs/common.py` and the other
config files; a test keeps it equal to them. Set a field on the command line:
`--config.corpus.num_texts=25000`, a tuple as
`--config.students.arms='("gd",)'`. A name that is not there is answered with
the nearest one, a value that makes no sense with what it can be, both before
any work. The defaults here are those of `configs/common.py`; below stands what
each config file changes.
"""
_COLUMNS = (
  "| field | default | unit | what | when |\n| --- | --- | --- | --- | --- |"
)
# Helpers whose fields are in more than one section.
_SHARED = {
  "add_memory_fields": ("teacher", "generator"),
  "pretrain": ("generator.pretrain",),
}


class Field(NamedTuple):
  """A field's name without its section, and what its comment says."""

  name: str
  unit: str
  what: str
  when: str


def main() -> None:
  """Writes the page."""
  PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
  """The page's text.

  Raises:
    ValueError: a field has no comment, or one without unit or "Change".
  """
  sys.path.insert(0, str(ROOT))
  common = importlib.import_module("configs.common")
  config = common.get_config("TASK")
  fields = read_fields(pathlib.Path(common.__file__).read_text("utf-8"))
  values = flat(config)
  if nameless := sorted(values.keys() - fields.keys()):
    raise ValueError(f"configs/common.py says nothing of {nameless}")
  sections: dict[str, list[str]] = {}
  for name in fields:
    section = name.partition(".")[0] if "." in name else "the whole"
    sections.setdefault(section, []).append(_row(name, fields, values[name]))
  blocks = [_HEAD]
  for section, rows in sections.items():
    lines = [f"## {section}", "", _COLUMNS, *rows]
    blocks.append("\n".join(lines) + "\n")
  blocks.append(_changes(common))
  return "\n".join(blocks)


def read_fields(source: str) -> dict[str, Field]:
  """The commented fields of configs/common.py, by dotted name."""
  found, sections, comment = {}, ("",), []
  for line in source.splitlines():
    if match := re.match(r"def (\w+)\(", line):
      name = match[1].removeprefix("_")
      sections = _SHARED.get(name, ("" if name == "get_config" else name,))
      if name == "quick":
        break
    stripped = line.strip()
    if stripped.startswith("# "):
      comment.append(stripped[2:])
      continue
    match = re.match(r"(?:c|config)\.([\w.]+) = ", stripped)
    text = " ".join(comment)
    if match and text.startswith("["):
      for section in sections:
        dotted = f"{section}.{match[1]}".removeprefix(".")
        found[dotted] = _parse(match[1], text)
    comment = []
  return found


def flat(section: Any, prefix: str = "") -> dict[str, Any]:
  """A section's values by name; those of a section in it by dotted name."""
  values = {}
  for name, value in section.items():
    if hasattr(value, "items"):
      values |= flat(value, f"{prefix}{name}.")
    else:
      values[prefix + name] = value
  return values


def _parse(name: str, text: str) -> Field:
  match = re.fullmatch(r"\[(.+?)\] (.+?) (Change .+)", text) or re.fullmatch(
    r"\[(.+?)\] (.+)()", text
  )
  if match is None or not match[3]:
    raise ValueError(f"{name}: '[UNIT] what it is. Change ...', not {text!r}")
  return Field(name, *match.groups())


def _row(name: str, fields: dict[str, Field], value: Any) -> str:
  field = fields[name]
  default = "the file's" if name == "task" else f"`{_shown(value)}`"
  cells = [f"`{name}`", default, field.unit, field.what, field.when]
  return f"| {' | '.join(cells)} |"


def _shown(value: Any) -> str:
  return repr(value).replace("|", r"\|")


def _changes(common: Any) -> str:
  """What each config file sets otherwise."""
  lines = ["## What the config files change", ""]
  for path in sorted((ROOT / "configs").rglob("*.py")):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    module = importlib.import_module(name)
    if path.stem == "common":
      continue
    config = module.get_config("FOLDER" if path.stem == "custom" else "")
    defaults = flat(common.get_config(config.task))
    changed = {
      field: value
      for field, value in flat(config).items()
      if value != defaults[field]
    }
    # Where the package lies is no matter of the config.
    if changed.get("data.dir") is not None:
      changed["data.dir"] = "the package's own"
    shown = ", ".join(f"`{k}={_shown(v)}`" for k, v in changed.items())
    lines.append(f"- `{path.relative_to(ROOT)}`: {shown or 'nothing'}")
  quick = common.quick(common.get_config("TASK"))
  defaults = flat(common.get_config("TASK"))
  changed = {k: v for k, v in flat(quick).items() if v != defaults[k]}
  shown = ", ".join(f"`{k}={_shown(v)}`" for k, v in changed.items())
  lines.append(
    f"- `:quick` behind them, `,quick` behind `custom.py:FOLDER`: {shown}"
  )
  lines.append(
    "- `:quick` behind those of `configs/paper/`: the small models as well"
  )
  return "\n".join(lines) + "\n"


if __name__ == "__main__":
  main()
