# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast rows are drawn, live and in the end."""

from etils import epath

from gd_jax import artefacts
from gd_jax.sampling.sampler import Block

_SUMS = ("rows", "tokens", "steps", "slot_steps", "seconds")


class Tally:
  """How fast rows are drawn: sums over blocks, and over a corpus's runs."""

  def __init__(self, path: epath.Path, *, silent: bool = False):
    """Goes on from what an earlier run of the same corpus wrote to `path`.

    `silent`: writes nothing, because another host does.
    """
    self._silent = silent
    earlier = artefacts.read_json(path) if path.exists() else {}
    self._path = path
    self._sums = {name: earlier.get(name, 0) for name in _SUMS}

  def add(self, block: Block) -> None:
    """Counts one block in; a token counts if drawn for a row, end included."""
    found = {
      "rows": len(block.rows),
      "tokens": sum(len(row.tokens) for row in block.rows),
      "steps": block.steps,
      "slot_steps": block.steps * block.slots,
      "seconds": block.seconds,
    }
    for name, value in found.items():
      self._sums[name] += value

  @property
  def rows(self) -> int:
    """Rows drawn so far, earlier runs' included."""
    return self._sums["rows"]

  def rates(self) -> dict[str, float]:
    """What is written to the metrics: means over all so far."""
    summary = self.summary()
    names = ("rows_per_second", "tokens_per_second", "slot_use")
    return {f"corpus/{name}": summary[name] for name in names}

  def live(self) -> dict[str, float | str]:
    """What the progress bar shows beside rows per second and time left."""
    summary = self.summary()
    return {
      "tokens/s": f"{summary['tokens_per_second']:,.0f}",
      "slots in use": f"{100 * summary['slot_use']:.0f}%",
    }

  def summary(self) -> dict[str, float]:
    """Sums and rates. `slot_use` is the share of slots' steps that gave a row
    a token; rows in progress are not counted yet."""
    seconds = max(self._sums["seconds"], 1e-9)
    return {
      **self._sums,
      "seconds": round(self._sums["seconds"], 3),
      "rows_per_second": round(self._sums["rows"] / seconds, 1),
      "tokens_per_second": round(self._sums["tokens"] / seconds, 1),
      "slot_use": round(
        self._sums["tokens"] / max(self._sums["slot_steps"], 1), 4
      ),
    }

  def write(self) -> None:
    """Writes the summary."""
    if not self._silent:
      artefacts.write_json(self._path, self.summary())
