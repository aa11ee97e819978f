# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Leaves the evaluation texts of all tasks out of files of general text.

A run does so for its own task, and a task that finds some has a general model
of its own. Of files that hold none of any task's, all tasks share one model.

Run: python -m experiments.paper.general_text --config.data.dir=DIR \
  --out=FOLDER FILE [FILE ...]
Writes FOLDER/NAME.txt.xz for each and prints how many lines it leaves out.
Other lines are kept, but for white space, their order, and repeats of those
that `general_text.read` holds out.
"""

import argparse
import lzma
import sys
from collections.abc import Sequence

from etils import epath

from experiments.paper import base
from gd_jax import artefacts
from gd_jax.data import general_text, tasks
from gd_jax.errors import UserError
from gd_jax.progress import Progress


def evaluation_texts(data_dir: str, task: str) -> list[str]:
  """The test texts of a task.

  Raises:
    UserError: There are no such files, or they are no good.
  """
  config = base.get_config(task)
  config.data.dir = data_dir
  return [row.text for row in tasks.load(config, Progress()).evaluation]


def clean(file: str, texts: Sequence[str], out: epath.Path) -> int:
  """Writes `file` without the lines that hold one of `texts`.

  Returns:
    How many it left out.

  Raises:
    UserError: The file can't be read, is not UTF-8, or holds no text.
  """
  found = general_text.read(file, texts)
  lines = "".join(f"{text}\n" for text in [*found.heldout, *found.train])
  artefacts.write_atomic(
    out / f"{found.name}.txt.xz", lzma.compress(lines.encode("utf-8"))
  )
  return len(found.copies)


def main(argv: Sequence[str] | None = None) -> int:
  """Cleans the files; 2 if something is no good."""
  parser = argparse.ArgumentParser(description="See the module's docstring.")
  parser.add_argument("--config.data.dir", dest="data_dir", required=True)
  parser.add_argument("--out", required=True)
  parser.add_argument("files", nargs="+")
  args = parser.parse_args(argv)
  out = epath.Path(args.out)
  try:
    general_text.require_different_names(args.files)
    texts = [
      text
      for task in base.TASKS
      for text in evaluation_texts(args.data_dir, task)
    ]
    out.mkdir(parents=True, exist_ok=True)
    for file in args.files:
      print(f"{file}: {clean(file, texts, out)} lines left out", flush=True)
  except (UserError, OSError) as error:
    print(error, file=sys.stderr)
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
