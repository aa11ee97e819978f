# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Copies of a task's rows appear whole, whoever else is at work."""

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from etils import epath

from gd_jax import signals
from gd_jax.data import prepared
from gd_jax.data.files import Row
from gd_jax.progress import Progress

_ROWS = [Row(2, "one", "a"), Row(3, "two", "b")]


@dataclasses.dataclass
class _Source:
  """Two rows; `between` is called after the first."""

  between: Callable[[], object] = lambda: None
  content: str | None = "same"

  def fingerprint(self) -> str | None:
    return self.content

  def fetch(self, *, allow_download: bool, progress: Progress) -> None:
    self.content = self.content or "fetched"

  def read(self) -> Iterator[Row]:
    yield _ROWS[0]
    self.between()
    yield _ROWS[1]


def _load(tmp_path, source: _Source) -> dict[str, list[Row]]:
  return prepared.load_rows(
    "custom",
    {"train": source},
    cache=epath.Path(tmp_path),
    allow_download=False,
    progress=Progress(quiet=True),
  )


# Dies if: the loser of a race raises, or leaves its half behind.
def test_another_process_may_be_first(tmp_path):
  first = []
  source = _Source(lambda: first.append(_load(tmp_path, _Source())))
  assert _load(tmp_path, source) == {"train": _ROWS}
  assert first == [{"train": _ROWS}]
  (copy,) = tmp_path.iterdir()
  assert copy.name.startswith("custom-")


# Dies if: a half-made copy takes the name of a whole one.
def test_a_stop_in_the_middle_leaves_nothing(tmp_path):
  def stop() -> None:
    signals._received.append(15)

  with pytest.raises(signals.Stopped):
    _load(tmp_path, _Source(stop))
  assert list(tmp_path.iterdir()) == []
  signals.forget()
  assert _load(tmp_path, _Source()) == {"train": _ROWS}


def test_a_source_without_a_fingerprint_is_fetched_first(tmp_path):
  source = _Source(content=None)
  assert prepared.fingerprint({"train": source}) is None
  assert _load(tmp_path, source) == {"train": _ROWS}
  assert source.content == "fetched"


def test_nothing_is_printed_to_stdout(tmp_path, capsys):
  _load(tmp_path, _Source())
  assert capsys.readouterr().out == ""
