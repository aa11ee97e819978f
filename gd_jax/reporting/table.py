# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The results in the terminal: one table a run, one over a whole sweep."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gd_jax import pipes
from gd_jax.reporting import arms, settings, statistics, words
from gd_jax.reporting.settings import Point, Points, Results

# Where stdout is no terminal there is no edge to wrap at.
_FILE_WIDTH = 160


def print_results(results: Results) -> None:
  """Prints the table of one run to stdout."""
  _console().print(of_results(results))


def print_sweep(points: Points) -> None:
  """Prints one table over all points of a sweep to stdout.

  Args:
    points: (field overrides, results.json) of each point.
  """
  console = _console()
  console.print(of_sweep(points))
  draws = of_draws(points)
  if draws is not None:
    console.print(draws)


def of_results(results: Results) -> Table:
  """A row per arm: scores with their spread, size and speed."""
  table = _table(
    f"{results['task']}: {words.count(results['num_labelled'])} labelled, "
    f"{words.count(results['num_synthetic'])} generated, "
    f"{words.count(results['num_evaluated'])} {results['evaluate_on']} rows",
    _footnote(results),
  )
  table.add_column("arm")
  for head in (
    "accuracy",
    "seeds",
    "interval",
    "macro F1",
    "held out",
    "params",
    "texts/s",
  ):
    table.add_column(head, justify="right", no_wrap=True)
  headline = arms.headline(results["arms"])
  for name in arms.in_order(results["arms"]):
    arm = results["arms"][name]
    held_out = arm["heldout_accuracy"]
    table.add_row(
      Text(words.visible(name)),
      words.spread(arm["accuracy"]),
      str(arm["num_seeds"]),
      "–".join(map(words.percent, arm["accuracy"]["interval"])),
      words.spread(arm["macro_f1"]),
      "" if held_out is None else words.percent(held_out),
      words.short(arm["params_total"]),
      words.short(arm["examples_per_second"]),
      style="bold" if name == headline else None,
    )
  return table


def of_sweep(points: Points) -> Table:
  """A row per point: the swept fields, then each arm's accuracy."""
  fields, names = settings.fields(points), settings.arms_of(points)
  table = _table("Accuracy at every point of the sweep", _spread_note(points))
  for field in fields:
    table.add_column(Text(words.visible(field)))
  for name in names:
    table.add_column(Text(words.visible(name)), justify="right", no_wrap=True)
  for point, results in points:
    table.add_row(
      *(_value(point, field) for field in fields),
      *(
        words.spread(results["arms"][name]["accuracy"])
        if name in results["arms"]
        else ""
        for name in names
      ),
    )
  return table


def of_draws(points: Points) -> Table | None:
  """A row per setting: each arm's mean over its draws; None without draws.

  A draw's accuracy is the mean over its students' seeds.
  """
  found = settings.of(points)
  if max(len(setting.draws) for setting in found) < 2:
    return None
  table = _table(
    "Mean accuracy over draws",
    "± is the standard deviation over draws of each draw's mean over its "
    f"seeds. Draws differ in: {settings.what_differs(found)}.",
  )
  fields = list(dict.fromkeys(f for setting in found for f in setting.point))
  for field in fields:
    table.add_column(Text(words.visible(field)))
  table.add_column("draws", justify="right")
  names = settings.arms_of(points)
  for name in names:
    table.add_column(Text(words.visible(name)), justify="right", no_wrap=True)
  for setting in found:
    scores = [_over_draws(setting.draws, name) for name in names]
    table.add_row(
      *(_value(setting.point, field) for field in fields),
      str(len(setting.draws)),
      *scores,
    )
  return table


def _over_draws(draws: Sequence[Results], name: str) -> str:
  means = [
    draw["arms"][name]["accuracy"]["mean"]
    for draw in draws
    if name in draw["arms"]
  ]
  return words.spread(statistics.over_seeds(means)) if means else ""


class _Console(Console):
  """Where nobody reads the table, the run goes on without it."""

  def on_broken_pipe(self) -> None:
    self.quiet = True
    pipes.close_stdout()


def _console() -> Console:
  console = _Console()
  return console if console.is_terminal else _Console(width=_FILE_WIDTH)


def _table(title: str, footnote: str) -> Table:
  return Table(
    box=box.SIMPLE_HEAD,
    padding=(0, 1),
    pad_edge=False,
    collapse_padding=True,
    title=Text(words.visible(title), style="bold"),
    title_justify="left",
    caption=Text(footnote),
    caption_justify="left",
    header_style="",
  )


def _footnote(results: Results) -> str:
  lines = [results["spread"]["std"], results["spread"]["interval"]]
  if results["unseen_labels"]:
    lines.append(results["spread"]["unseen"])
  lines.append(results["speed"]["words"])
  return "\n".join(words.visible(line) for line in lines)


def _spread_note(points: Points) -> str:
  seeds = {
    len(arm["accuracy"]["per_seed"])
    for _, results in points
    for arm in results["arms"].values()
  } - {1}
  if not seeds:
    return "One seed each."
  return (
    f"± is the standard deviation over {', '.join(map(str, sorted(seeds)))} "
    "student seeds."
  )


def _value(point: Point, field: str) -> Text:
  return Text(words.visible(str(point[field])) if field in point else "")
