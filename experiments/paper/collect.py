# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Takes from finished runs what the tables need: numbers, no text.

Run: python -m experiments.paper.collect --config=FILE.py:TASK --out=OUT \
  FOLDER [FOLDER ...]
FOLDER is a run's workdir, or holds some, as a sweep's does; those without a
report are passed over, so that a sweep can be collected as it grows. FILE.py is
the sweep: its points tell what a run changed. A run that is collected again
takes its own place. "gd_pretrained" is the arm gd of a sweep whose generator
first read general text: --take=gd:gd_pretrained adds it to what is in OUT.
"""

import argparse
import json
import pathlib
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath
from safetensors import SafetensorError
from safetensors.numpy import load_file

from experiments.paper import points, stored
from gd_jax import artefacts
from gd_jax.errors import UserError

# What is raised for files that are not whole.
_DAMAGED = (SafetensorError, zipfile.BadZipFile)
_FACTS = (
  *("task", "evaluate_on", "num_labelled"),
  *("platform", "versions"),
)


def collect(
  sweep: points.Sweep,
  folders: Sequence[pathlib.Path],
  take: dict[str, str] | None = None,
) -> list[stored.Run]:
  """The finished runs in `folders`.

  Args:
    sweep: Whose points they are.
    folders: Workdirs, or folders of such.
    take: {arm: name it gets}; None: all, as they are.

  Raises:
    UserError: A run is no point of the sweep, or lacks an arm of `take`.
  """
  runs = []
  for workdir in (found for folder in folders for found in _finished(folder)):
    results = json.loads((workdir / "report/results.json").read_text())
    try:
      _require_draw(results["config"])
      change, differs, command = sweep.place(results["config"])
    except UserError as error:
      raise UserError(f"{workdir}: {error}") from error
    if take is None and points.field(results["config"], points.PRETRAINED):
      raise UserError(
        f"{workdir}: its generator first read other text: say what its arms are"
        " to be called, such as --take=gd:gd_pretrained"
      )
    names = {arm: arm for arm in results["arms"]}
    if take is not None:
      missing = [arm for arm in take if arm not in names]
      if missing:
        raise UserError(
          f"{workdir}: it has no arm {missing[0]!r}; --take can name"
          f" {', '.join(names)}"
        )
      names = take
    ids, rows, seeds = _rights(workdir, names)
    manifests = {
      path.parent.name: artefacts.read_json(path)
      for path in sorted(epath.Path(workdir).glob(f"*/{artefacts.MANIFEST}"))
    }
    generator = manifests["generator"]
    general_text = None
    if points.field(results["config"], points.PRETRAINED):
      general_text = generator["inputs"]["texts"]
    runs.append(
      {
        "change": change,
        "command": command,
        "differs": differs,
        "draw": results["config"]["data"]["seed"],
        "evaluation": artefacts.digest(ids),
        "model": results["config"]["students"]["model"],
        "rows": rows,
        "seeds": seeds,
        "texts": {name: _texts(workdir, arm) for arm, name in names.items()},
        "params": {
          name: results["arms"][arm]["params_total"]
          for arm, name in names.items()
        },
        "recipe": sweep.recipe(results["config"], general_text),
        "perplexity": generator["counts"]["heldout_perplexity"],
        "seconds": results["seconds"],
        "hardware": _hardware(manifests.values()),
        "taught_by": manifests["teacher"]["fingerprint"],
      }
      | {key: results[key] for key in _FACTS}
    )
  return runs


def _require_draw(config: dict[str, Any]) -> None:
  """Refuses rows of one draw with a teacher and texts of another."""
  if len({points.field(config, name) for name in points.DRAW}) > 1:
    has = ", ".join(
      f"{name}={points.field(config, name)}" for name in points.DRAW
    )
    raise UserError(f"a draw has one seed for all, and this run {has}")


def _finished(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """The workdirs in a folder, or itself, whose report is done."""
  if not folder.is_dir():
    raise UserError(f"{folder}: there is no such folder")
  mark = f"report/{artefacts.MANIFEST}"
  for workdir in (folder, *sorted(folder.iterdir())):
    if (workdir / mark).exists():
      yield workdir
    elif (workdir / "data").is_dir():
      print(f"{workdir} has no report yet: passed over", file=sys.stderr)


def _hardware(manifests: Iterable[dict[str, Any]]) -> list[str]:
  """The kinds of devices that the phases measured their memory on."""
  kinds = (
    manifest.get("counts", {}).get("memory", {}).get("kind")
    for manifest in manifests
  )
  return sorted({kind for kind in kinds if kind is not None})


def _texts(workdir: pathlib.Path, arm: str) -> int:
  """How many texts without labels an arm learned from."""
  summary = workdir / "students" / arm / "0/summary.json"
  if not summary.exists():  # the teacher
    return 0
  return json.loads(summary.read_text()).get("generated_rows", 0)


def _rights(workdir: pathlib.Path, names: dict[str, str]):
  """(row ids, {name: how often each row was right}, {name: seeds})."""
  labels = json.loads((workdir / "data/evaluation_labels.json").read_text())
  by_id = dict(zip(labels["row_id"], labels["label"], strict=True))
  ids = sorted(by_id)
  rows, seeds = {}, {}
  for arm, name in names.items():
    found = load_file(workdir / "report" / "logits" / f"{arm}.safetensors")
    label = np.array([by_id[int(i)] for i in found["row_id"]])
    right = found["logits"].argmax(-1) == label[None]
    # In the order of ids, so that rows of several draws are the same.
    order = np.argsort(found["row_id"])
    rows[name] = right.sum(axis=0)[order].astype(np.uint8)
    seeds[name] = len(right)
  return ids, rows, seeds


def _pairs(take: str | None) -> dict[str, str] | None:
  """{arm: name it gets} of "gd:gd_pretrained,kd:kd"; None: nothing is said."""
  if take is None:
    return None
  pairs = [pair.split(":") for pair in take.split(",")]
  if not all(len(pair) == 2 and all(pair) for pair in pairs):
    raise UserError(
      f"--take={take}: name an arm and what it is to be called, as in"
      " gd:gd_pretrained, with commas between several"
    )
  names = dict(pairs)
  if len({*names.values()}) < len(pairs):
    raise UserError(f"--take={take}: two arms can't have one name")
  return names


def main(argv: Sequence[str] | None = None) -> int:
  """Returns the exit code: 2 for bad input, said in one line."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("folders", type=pathlib.Path, nargs="+")
  parser.add_argument("--config", required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--take", default=None)
  args = parser.parse_args(argv)
  try:
    runs = collect(points.Sweep(args.config), args.folders, _pairs(args.take))
    stored.save(args.out, runs)
  except KeyError as error:
    print(f"Error: a run's files have no {error}", file=sys.stderr)
    return 2
  except (UserError, ValueError, OSError, *_DAMAGED) as error:
    print(f"Error: {error}", file=sys.stderr)
    return 2
  for run in runs:
    if run["differs"]:
      print(f"draw {run['draw']} differs in {', '.join(run['differs'])}")
  print(f"{args.out}: {len(runs)} finished runs taken")
  return 0


if __name__ == "__main__":
  sys.exit(main())
