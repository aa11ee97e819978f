# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""batch x length x sampler, of gd_jax alone, and the plot of it."""

import pathlib
from collections.abc import Sequence
from typing import Any

import engine
import measure

from gd_jax.sampling import choose


def run(
  folder: pathlib.Path,
  *,
  batches: Sequence[int],
  lengths: Sequence[int],
  rounds: int,
  cache_layout: str | None = None,
) -> dict[str, Any]:
  """Tokens a second of each combination; all rows have all tokens.

  Args:
    folder: The model's.
    batches: How many rows are drawn side by side.
    lengths: How many tokens the rows have.
    rounds: How often each combination is timed.
    cache_layout: As of `engine.Engine`.
  """
  points = []
  for kind in choose.SAMPLERS:
    for max_tokens in lengths:
      made = {
        batch: engine.Engine(
          folder,
          batch=batch,
          max_tokens=max_tokens,
          kind=kind,
          top_k=40,
          cache_layout=cache_layout,
        )
        for batch in batches
      }
      for each in made.values():
        each.compile()
      programs = {str(batch): each.fixed for batch, each in made.items()}
      for batch, runs in measure.alternate(programs, rounds).items():
        rate = measure.spread([each.rate() for each in runs])
        point = {
          "sampler": kind,
          "max_tokens": max_tokens,
          "batch": int(batch),
          "tokens_per_second": rate,
        }
        points.append(point)
        print(f"{kind} {max_tokens} {batch}: {rate['median']:,.0f}", flush=True)
  return {"points": points}


def plot(found: dict[str, Any], path: pathlib.Path) -> None:
  """One panel a sampler, one line a length."""
  import matplotlib

  matplotlib.use("Agg")
  matplotlib.rcParams.update({"svg.hashsalt": "gd_jax", "svg.fonttype": "none"})
  from matplotlib import pyplot

  kinds = list(dict.fromkeys(p["sampler"] for p in found["points"]))
  figure, axes = pyplot.subplots(
    1, len(kinds), sharey=True, figsize=(3 * len(kinds), 3), squeeze=False
  )
  for axis, kind in zip(axes[0], kinds, strict=True):
    of_kind = [p for p in found["points"] if p["sampler"] == kind]
    for length in dict.fromkeys(p["max_tokens"] for p in of_kind):
      line = [p for p in of_kind if p["max_tokens"] == length]
      axis.plot(
        [p["batch"] for p in line],
        [p["tokens_per_second"]["median"] for p in line],
        marker="o",
        label=f"{length} tokens",
      )
    axis.set(title=kind, xlabel="rows at a time", xscale="log")
    batches = sorted({p["batch"] for p in of_kind})
    axis.set_xticks(batches, [str(batch) for batch in batches])
    axis.minorticks_off()
  axes[0][0].set_ylabel(found["setting"]["rates"].split(",")[0])
  axes[0][0].set_ylim(bottom=0)
  axes[0][-1].legend()
  figure.tight_layout()
  # No date and no random ids: the same numbers give the same file.
  figure.savefig(path, metadata={"Date": None})
  pyplot.close(figure)
