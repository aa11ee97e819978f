# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the user sees while a phase works: lines, warnings, progress bars."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
  BarColumn,
  MofNCompleteColumn,
  TextColumn,
  TimeElapsedColumn,
  TimeRemainingColumn,
)
from rich.progress import (
  Progress as RichProgress,
)

_PLAIN_LINE_SECONDS = 20.0


def _live_text(live: dict[str, float | str]) -> str:
  return "  ".join(
    f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
    for name, value in live.items()
  )


class Bar:
  """One running bar; `advance` moves it on.

  Where the output is no terminal a bar would be noise in a log file, so a
  plain line is printed every 20 seconds instead.
  """

  def __init__(self, *, description: str, total: int, unit: str, done: int):
    self.description, self.total, self.unit = description, total, unit
    self.done = self._start_done = done
    self._start = self._last_line = time.monotonic()
    self._rich: tuple[RichProgress, int] | None = None
    self._speaks = True

  def advance(self, n: int = 1, **live: float | str) -> None:
    """Counts `n` more units as done and shows `live` values beside the bar."""
    self.done += n
    if self._rich is not None:
      rich, task = self._rich
      rich.update(
        task,  # pyright: ignore[reportArgumentType]
        completed=self.done,
        live=f"{self._rate():.4g} {self.unit}/s  {_live_text(live)}",
      )
    elif self._speaks:
      now = time.monotonic()
      if now - self._last_line >= _PLAIN_LINE_SECONDS:
        self._last_line = now
        print(self._plain_line(live), file=sys.stderr, flush=True)

  def _rate(self) -> float:
    seconds = max(time.monotonic() - self._start, 1e-9)
    return (self.done - self._start_done) / seconds

  def _plain_line(self, live: dict[str, float | str]) -> str:
    rate = self._rate()
    left = (self.total - self.done) / rate if rate > 0 else float("nan")
    return (
      f"  {self.description}: {self.done:,}/{self.total:,} {self.unit}, "
      f"{rate:.4g}/s, {left:.0f} s left  {_live_text(live)}"
    )


class Progress:
  """Lines, warnings and bars on stderr; stdout is for results.

  Attributes:
    warnings: every line given to `warn`, for callers from Python and tests.
  """

  def __init__(self, *, quiet: bool = False):
    self.quiet = quiet
    self.warnings: list[str] = []
    self._console = Console(stderr=True, highlight=False, soft_wrap=True)

  def say(self, line: str) -> None:
    """Prints one line."""
    if not self.quiet:
      self._console.print(line, markup=False)

  def warn(self, line: str) -> None:
    """Prints one line loudly and keeps it in `warnings`."""
    self.warnings.append(line)
    if not self.quiet:
      self._console.print(f"WARNING: {line}", style="bold red", markup=False)

  @contextlib.contextmanager
  def bar(
    self, description: str, total: int, *, unit: str = "rows", done: int = 0
  ) -> Iterator[Bar]:
    """A bar over `total` units, `done` of which are done already."""
    bar = Bar(description=description, total=total, unit=unit, done=done)
    if self.quiet or not self._console.is_terminal:
      bar._speaks = not self.quiet
      yield bar
      return
    with RichProgress(
      TextColumn("  {task.description}"),
      BarColumn(bar_width=30),
      MofNCompleteColumn(),
      TimeElapsedColumn(),
      TextColumn("left"),
      TimeRemainingColumn(),
      TextColumn("{task.fields[live]}"),
      console=self._console,
      transient=True,
    ) as rich:
      task = rich.add_task(description, total=total, completed=done, live="")
      bar._rich = (rich, task)
      yield bar
