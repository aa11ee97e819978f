# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Leaves the evaluation texts of all tasks out of files of general text.

A run does so for its own task, and a task that finds some has a general model
of its own. Of files that hold none of any task's, all tasks share one model.

Run: python -m experiments.paper.general_text --config.data.dir=DIR \
  --out=FOLDER FILE [FILE ...]
Writes FOLDER/NAME.txt.xz for each and, for the tables, how many lines it leaves
out: results/general_text.json.
Other lines are kept, but for white space, their order, and repeats of those
that `general_text.read` holds out.
"""

import argparse
import itertools
import json
import lzma
import pathlib
import sys
from collections.abc import Sequence

from etils import epath

from experiments.paper import base
from gd_jax import artefacts
from gd_jax.data import general_text, tasks
from gd_jax.errors import UserError
from gd_jax.progress import Progress

RESULTS = pathlib.Path(__file__).parent / "results/general_text.json"


def evaluation_texts(data_dir: str, task: str) -> list[str]:
  """The test texts of a task.

  Raises:
    UserError: There are no such files, or they are no good.
  """
  config = base.get_config(task)
  config.data.dir = data_dir
  return [row.text for row in tasks.load(config, Progress()).evaluation]


def clean(
  file: str, texts: Sequence[str], out: epath.Path
) -> tuple[str, dict[str, int]]:
  """Writes `file` without the lines that hold one of `texts`.

  Returns:
    (its name, {"kept", "left_out": how many lines, blank ones not counted}).

  Raises:
    UserError: The file can't be read, is not UTF-8, or holds no text.
  """
  found = general_text.read(file, texts)
  lines = "".join(f"{text}\n" for text in [*found.heldout, *found.train])
  artefacts.write_atomic(
    out / f"{found.name}.txt.xz", lzma.compress(lines.encode("utf-8"))
  )
  kept = len(found.heldout) + len(found.train)
  return found.name, {"kept": kept, "left_out": len(found.copies)}


def main(
  argv: Sequence[str] | None = None, *, results: pathlib.Path = RESULTS
) -> int:
  """Cleans the files; 2 if something is no good."""
  parser = argparse.ArgumentParser(description="See the module's docstring.")
  parser.add_argument("--config.data.dir", dest="data_dir", required=True)
  parser.add_argument("--out", required=True)
  parser.add_argument("files", nargs="+")
  args = parser.parse_args(argv)
  out = epath.Path(args.out)
  try:
    general_text.require_different_names(args.files)
    by_task = {t: evaluation_texts(args.data_dir, t) for t in base.TASKS}
    texts = list(itertools.chain.from_iterable(by_task.values()))
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    for file in args.files:
      name, files[name] = clean(file, texts, out)
      print(f"{file}: {files[name]['left_out']} lines left out", flush=True)
    found = {
      "evaluation_texts": {task: len(own) for task, own in by_task.items()},
      "lines": files,
    }
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    artefacts.write_atomic(results, text)
  except (UserError, OSError) as error:
    print(error, file=sys.stderr)
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
