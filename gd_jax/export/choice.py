# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which of the trained students leaves: never the one that tested best."""

from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError
from gd_jax.reporting import arms
from gd_jax.training import distill_loop


def choose(
  students: epath.Path,
  reported: Mapping[str, Any],
  *,
  arm: str | None,
  seed: int | None,
) -> epath.Path | None:
  """The folder students/ARM/SEED to export.

  Args:
    students: The phase's folder.
    reported: "arms" of results.json; others that lie in the folder are an
      earlier config's.
    arm: An arm; None: gd, or what comes nearest to it.
    seed: A seed of the arm; None: the one that did best on held-out rows, of
      equal ones the first. Where no row was held out that is seed 0.

  Returns:
    None where `arm` is None and no student was trained.

  Raises:
    UserError: There is no such arm or seed.
  """
  found = _trained(students, reported)
  if arm is None:
    if not found:
      return None
    arm = arms.headline(found)
  if arm not in found:
    raise UserError(
      f"export: no student of the arm {arm!r} was trained: set "
      f"--config.export.arm to one of {', '.join(found) or '(none)'}"
    )
  if seed is None:
    return best(found[arm])
  for folder in found[arm]:
    if folder.name == str(seed):
      return folder
  there = ", ".join(folder.name for folder in found[arm])
  raise UserError(
    f"export: {arm} has no seed {seed}: set --config.export.seed to one of "
    f"{there}"
  )


def best(folders: Sequence[epath.Path]) -> epath.Path:
  """The student that did best on held-out rows; of equal ones the first."""

  def held_out(folder: epath.Path) -> tuple[float, ...]:
    summary: dict[str, Any] = artefacts.read_json(folder / "summary.json")
    return distill_loop.rank(summary["heldout"])

  return max(folders, key=held_out)


def _trained(
  students: epath.Path, reported: Mapping[str, Any]
) -> dict[str, list[epath.Path]]:
  """Each arm's folders by seed; those without a network (tfidf) left out."""
  found: dict[str, list[epath.Path]] = {}
  for path in students.glob("*/*/params.json"):
    arm, seed = path.parent.parent.name, path.parent.name
    # A copy that somebody made is no seed.
    if not seed.isdecimal():
      continue
    if arm in reported and int(seed) < reported[arm]["num_seeds"]:
      found.setdefault(arm, []).append(path.parent)
  return {
    arm: sorted(found[arm], key=lambda folder: int(folder.name))
    for arm in arms.in_order(found)
  }
