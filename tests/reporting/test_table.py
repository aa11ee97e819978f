# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import io
import json

import pytest
from rich.console import Console

from gd_jax.reporting import table


def _shown(made, width=160):
  console = Console(file=io.StringIO(), width=width)
  console.print(made)
  return console.file.getvalue()


def _row(shown, start):
  (line,) = [
    line for line in shown.splitlines() if line.strip().startswith(start)
  ]
  return " ".join(line.split())


def test_a_run_in_eighty_columns(make_results):
  shown = _shown(table.of_results(make_results()), width=80)
  assert _row(shown, "gd") == (
    "gd 87.0 ± 1.0 3 84.0–90.0 85.0 ± 1.0 87.0 1 M 3,200"
  )
  assert _row(shown, "tfidf").startswith("tfidf 74.0 1 71.0–77.0 72.0 ")
  assert "± is the std over 3 seeds." in shown
  assert "…" not in shown


def test_unseen_labels_are_said(make_results):
  assert "no training text has" not in _shown(table.of_results(make_results()))
  shown = _shown(table.of_results(make_results(unseen_labels={"x": 2})))
  assert "no training text has" in shown


def test_names_are_neither_markup_nor_commands(make_results):
  # Dies if: an arm or a task is handed to rich as markup.
  name = "[bold]x[/bold]\x1b[31m"
  results = make_results(("teacher", name), task=name)
  shown = _shown(table.of_results(results))
  assert shown.count("[bold]x[/bold]\ufffd[31m") == 2
  shown = _shown(table.of_sweep([({name: name}, results)]))
  assert shown.count("[bold]x[/bold]\ufffd[31m") == 3


def test_a_sweep_is_one_table(make_results):
  points = [
    ({"students.temperature": 1.0}, make_results()),
    ({"students.temperature": 2.0, "seed": 4}, make_results(("gd", "kd"))),
  ]
  shown = _shown(table.of_sweep(points))
  assert _row(shown, "students.temperature") == (
    "students.temperature seed teacher tfidf gold kd gd"
  )
  assert _row(shown, "1.0") == ("1.0 91.0 74.0 78.0 ± 1.0 87.0 ± 1.0")
  assert _row(shown, "2.0") == "2.0 4 84.0 ± 1.4 87.0 ± 1.0"
  assert "over 2, 3 student seeds" in shown


def test_draws_are_averaged(make_results):
  # Dies if: points of other settings are averaged as if they were draws.
  low, high = make_results(("gd",)), make_results(("gd",))
  high["arms"]["gd"]["accuracy"]["mean"] = 0.91
  high["config"] = {"data": {"seed": 1}}
  draws = [
    ({"corpus.num_texts": 10, "seed": 0, "data.seed": 0}, low),
    ({"corpus.num_texts": 10, "seed": 1, "data.seed": 1}, high),
    ({"corpus.num_texts": 20, "seed": 0, "data.seed": 0}, low),
  ]
  shown = _shown(table.of_draws(draws))
  assert _row(shown, "10") == "10 2 89.0 ± 2.8"
  assert _row(shown, "20") == "20 1 87.0"
  assert "Draws differ in: rows, teacher" in " ".join(shown.split())


def test_without_draws_there_is_no_second_table(make_results):
  points = [({"corpus.num_texts": n}, make_results(("gd",))) for n in (10, 20)]
  assert table.of_draws(points) is None


@pytest.mark.parametrize("same", [{}, {"seed": 1}])
def test_sweeps_of_one_point_print(make_results, capsys, same):
  table.print_sweep([(same, make_results())])
  assert "87.0 ± 1.0" in capsys.readouterr().out


def test_a_table_that_nobody_reads_ends_nothing(
  make_results, tmp_path, run_unread
):
  # Dies if: rich ends the process, before the report's manifest is written.
  path = tmp_path / "results.json"
  path.write_text(json.dumps(make_results()))
  code = """
import json, sys
from gd_jax.reporting import table
results = json.load(open(sys.argv[1]))
table.print_results(results)
table.print_sweep([({"seed": 1}, results)])
print("on it goes", file=sys.stderr)
"""
  assert run_unread(code, str(path)) == (0, "on it goes\n")
