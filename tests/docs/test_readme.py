# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every command and block of the README is run, in short where it is long.

A command that no rule knows fails the tests, and so does a rule without a
command.
"""

import re
import shlex
import subprocess
import sys

import pytest

from experiments import front_page
from experiments.paper import readme
from tests.docs import blocks

# Fixtures of the launcher's own tests: gcloud's stand-in.
from tests.experiments.tpu_vm.conftest import cloud  # noqa: F401

ROOT = blocks.ROOT
BLOCKS = blocks.read("README.md")


def _make_quickstart(reader, command, request):
  """The line that make would run, on tiny models and shrunk."""
  made = reader.run(*shlex.split(command.replace("make", "make -n", 1)))
  (line,) = [
    line
    for line in made.replace("\\\n", " ").splitlines()
    if "gd_jax.main" in line
  ]
  _, _, flags = line.partition("gd_jax.main")
  reader.gd_jax(*[_quick(word) for word in shlex.split(flags)])
  results = reader.clone / "runs/quickstart/report"
  assert (results / "results.json").exists()
  assert (results / "index.html").exists()


def _make_test(reader, command, request):
  made = reader.run(*shlex.split(command.replace("make", "make -n", 1)))
  assert '-m pytest -n 2 -m "not slow"' in made


def _gd_jax(reader, command, request):
  """Its first phase, which judges all fields; offline, from files."""
  reader.add_rows("FOLDER", "rows/trec")
  words = [_quick(word) for word in shlex.split(command)[1:]]
  words = [
    "--config.data.dir=rows" if "allow_download" in word else word
    for word in words
  ]
  reader.gd_jax(*words, "--phases=data")


def _plan(reader, command, request):
  words = [sys.executable, "-m", "gd_jax.main", *shlex.split(command)[1:]]
  assert "fits" in reader.run(*words)


def _python(reader, text, request):
  request.getfixturevalue("quickstart")
  reader.run(sys.executable, "-W", "error", "-c", text)


def _predict(reader, command, request):
  request.getfixturevalue("quickstart")
  reader.add_rows("FOLDER")
  (reader.clone / "FILE.tsv").write_text(
    (reader.clone / "FOLDER/test.tsv").read_text()
  )
  reader.run(
    sys.executable, "-m", "gd_jax.predict_files", *shlex.split(command)[1:]
  )


def _launch(reader, command, request):
  """Against the stand-in for gcloud, whose machines end at once."""
  pod = request.getfixturevalue("cloud")
  pod.end_jobs(0)
  # Names of buckets are in small letters.
  words = shlex.split(command.replace("BUCKET", "bucket"))
  pod.launch(words[2], "--poll_seconds=0.05", *words[3:])
  assert "create" in pod.verbs()


# What a command begins with, or has in it -> how it is run.
RULES = {
  r"^make quickstart$": _make_quickstart,
  r"^make test$": _make_test,
  r"^\.venv/bin/gd-jax (?!.*--dry_run)": _gd_jax,
  r"^\.venv/bin/gd-jax .*--dry_run": _plan,
  r"^\.venv/bin/gd-jax-predict ": _predict,
  r"^python experiments/tpu_vm/launch\.py ": _launch,
  r"^import gd_jax\n": _python,
}


def _pieces():
  """(what is run, as one) of all blocks but those marked."""
  for block in BLOCKS:
    if block.why is None:
      yield from (
        [block.text] if block.language == "python" else (blocks.commands(block))
      )


def _rules_of(piece):
  return [rule for pattern, rule in RULES.items() if re.search(pattern, piece)]


def _quick(word):
  """A --config in its quick form."""
  if not word.startswith("--config="):
    return word
  return word + (",quick" if ":" in word else ":quick")


@pytest.fixture(scope="module")
def quickstart(reader):
  """The first command was given."""
  if not (reader.clone / "runs/quickstart/export").exists():
    _make_quickstart(reader, "make quickstart", None)


def test_each_command_has_one_rule_and_each_rule_a_command():
  # Dies if: a block is added that nothing runs.
  pieces = [*_pieces()]
  assert {block.language for block in BLOCKS} == {"sh", "python"}
  for piece in pieces:
    assert len(_rules_of(piece)) == 1, f"no rule for: {piece}"
  used = {rule for piece in pieces for rule in _rules_of(piece)}
  assert used == {*RULES.values()}
  assert not _rules_of("rm -rf runs")


def test_a_block_that_is_not_run_is_parsed():
  marked = [block for block in BLOCKS if block.why is not None]
  assert len(marked) == 1
  for block in marked:
    assert len(block.why) > 10
    subprocess.run(["bash", "-n", "-c", block.text], check=True)


def test_the_scripts_that_are_named_are_installed():
  source = (ROOT / "setup.py").read_text("utf-8")
  assert "gd-jax = gd_jax.main:cli" in source
  assert "gd-jax-predict = gd_jax.predict_files:cli" in source


def test_links_lead_somewhere():
  pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
  pages += (ROOT / "docs").glob("*.md")
  for page in pages:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
      assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize(
  ("name", "lines"),
  [("results", front_page.results), ("speed", front_page.speed)],
)
def test_tables_are_what_the_results_say(name, lines):
  # Dies if: results change and front_page is not run. The commit of results
  # is known only after them.
  text = (ROOT / "README.md").read_text("utf-8")
  _, _, rest = text.partition(f"<!-- {name}: begin -->\n")
  found, _, _ = rest.partition(f"<!-- {name}: end -->\n")
  table = lines(front_page.HERE)
  assert table[0][-1] == front_page.COMMIT
  for row in table[1:]:
    row[-1] = "#"
  masked = re.sub(r"\| (\w{7,}|not yet) \|$", "| # |", found, flags=re.M)
  masked = masked.replace("commit | # |", "commit |")
  table[0][-1] = front_page.COMMIT
  assert masked == readme.in_markdown(table)


@pytest.mark.slow
@pytest.mark.parametrize("piece", [*_pieces()])
def test_the_command_runs(reader, request, piece):
  (rule,) = _rules_of(piece)
  rule(reader, piece, request)
