# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md has each line that the program can end with."""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
# Whose argument is such a line, and which argument.
CALLS = {
  "UserError": 0,
  "InUseError": 0,
  "PretrainedError": 0,
  "_complain": 0,
  "_error": 2,
  "end_at_once": 0,
}
# Made of other functions' words alone; those words, and where they come from.
MADE_ELSEWHERE = {
  "artefacts.require_whole": "bytes, its manifest says …",
  "checkpoints.load_params": "the checkpoint … can't be read (…)",
  "checkpoints.latest": "the checkpoint … can't be read (…)",
  "leases.take": "… is in use by process …",
  # What a config file or absl raised is passed on.
  "main._parse": None,
  "config_files.load": None,
  # What the reader of models raised is passed on.
  "failures.as_user_error": None,
  # What hosts.explanation found.
  "main.main": "host … has ended: …",
  "hosts.leave": "… was not heard of… and is given up: …",
  "pretrained._refuse": "…; …; …",
}
# Helpers whose callers are collected.
HELPERS = ("files._error",)
LEAST_LETTERS = 9


def collected():
  """(module.function, its line with … for what differs) of each site."""
  for path in sorted((ROOT / "gd_jax").rglob("*.py")):
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
      if not isinstance(function, ast.FunctionDef):
        continue
      for node in ast.walk(function):
        if isinstance(node, ast.Call) and (place := _place(node)) is not None:
          where = f"{path.stem}.{function.name}"
          if where not in HELPERS:
            yield where, _pattern(node.args[place])


def _place(call):
  name = getattr(call.func, "id", getattr(call.func, "attr", ""))
  return CALLS.get(name)


def _pattern(node):
  if isinstance(node, ast.JoinedStr):
    parts = [
      value.value if isinstance(value, ast.Constant) else "…"
      for value in node.values
    ]
    return "".join(map(str, parts))
  return node.value if isinstance(node, ast.Constant) else "…"


def _letters(text):
  return len(re.sub(r"[^a-zA-Z]", "", text))


def entries():
  text = PAGE.read_text("utf-8")
  return re.findall(r"^- `([^`]+)`", text, flags=re.MULTILINE)


def uncovered(sites, lines):
  return [
    f"{where}: {pattern}"
    for where, pattern in sites
    if not any(
      line in pattern
      for line in lines
      if _letters(line) >= min(LEAST_LETTERS, _letters(pattern))
    )
  ]


def test_every_line_of_the_program_stands_on_the_page():
  # Dies if: a UserError is raised whose line the page does not have.
  sites = [
    (where, pattern)
    for where, pattern in collected()
    if where not in MADE_ELSEWHERE or _letters(pattern)
  ]
  assert len(sites) > 150, "the collector has lost its sight"
  assert not uncovered(sites, entries())


def test_what_is_made_elsewhere_is_there_too():
  text = PAGE.read_text("utf-8")
  wordless = {where for where, pattern in collected() if not _letters(pattern)}
  assert wordless == {*MADE_ELSEWHERE}
  for line in filter(None, MADE_ELSEWHERE.values()):
    assert line in text, line


def test_the_page_has_no_line_that_nobody_prints():
  # Dies if: an error is removed or reworded and its entry stays.
  source = "\n".join(pattern for _, pattern in collected())
  elsewhere = [*filter(None, MADE_ELSEWHERE.values())]
  elsewhere += ["… is altered (its sha256 is not the manifest's)"]
  stale = [
    line for line in entries() if line not in source and line not in elsewhere
  ]
  assert not stale


def test_a_new_line_would_be_missed():
  assert uncovered([("x.y", "the moon is … too far")], entries())
