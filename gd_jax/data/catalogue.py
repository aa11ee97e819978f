# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sets of the TFDS catalogue, such as `tfds:glue/sst2`.

Their builders need TensorFlow, which comes with the `catalog` extra alone.
"""

import contextlib
import importlib.util
import io
from typing import Any

from etils import epath

from gd_jax.data import files
from gd_jax.data.files import Row
from gd_jax.errors import UserError
from gd_jax.progress import Progress

PREFIX = "tfds:"


def load_rows(
  task: str,
  *,
  evaluate_on: str,
  cache: epath.Path,
  allow_download: bool,
  progress: Progress,
) -> dict[str, list[Row]]:
  """The rows of a catalogue set by split, prepared where they are not yet.

  A test split without labels, as GLUE's are, is replaced by the validation
  split.

  Raises:
    UserError: TensorFlow is not installed, there is no such set, or it has no
      text or no label.
  """
  if importlib.util.find_spec("tensorflow") is None:
    raise UserError(
      f"the task {task!r} is of the TFDS catalogue, which needs TensorFlow: "
      "pip install 'gd_jax[catalog]', or give the rows as files with "
      "--config.data.dir=DIR"
    )
  import tensorflow_datasets as tfds

  name = task.removeprefix(PREFIX)
  with contextlib.redirect_stdout(io.StringIO()):
    try:
      builder = tfds.builder(name, data_dir=cache, file_format="array_record")
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
      raise UserError(
        f"the TFDS catalogue has no {name!r}: see "
        "https://www.tensorflow.org/datasets/catalog for its names"
      ) from error
    if not builder.is_prepared():
      if not allow_download:
        raise UserError(
          f"{task} is not prepared in {cache}: add "
          "--config.data.allow_download to fetch it"
        )
      progress.say(f"data: fetching and preparing {task} in {cache}, once")
      builder.download_and_prepare()
  return splits_of(builder, evaluate_on=evaluate_on, progress=progress)


def splits_of(
  builder: Any, *, evaluate_on: str, progress: Progress
) -> dict[str, list[Row]]:
  """The training rows and those to evaluate on, of a prepared TFDS builder.

  Without labelled test rows those of validation are tested on, and on them
  alone: who asks for rows to validate on gets none of them. So whether test
  rows have labels is looked at in any case.
  """
  found = {
    split: _rows(builder, split) if split in builder.info.splits else []
    for split in ("train", "validation", "test")
  }
  if not found["test"] and found["validation"]:
    progress.say(
      f"data: {builder.name} has no labelled test rows, so its validation rows "
      "are the test rows"
    )
    found = {"train": found["train"], "test": found["validation"]}
  return {
    split: found[split] for split in ("train", evaluate_on) if found.get(split)
  }


def _rows(builder: Any, split: str) -> list[Row]:
  """The labelled rows of a split; their ids are places in the prepared set."""
  import tensorflow_datasets as tfds

  features = builder.info.features
  texts = [
    name for name, f in features.items() if isinstance(f, tfds.features.Text)
  ]
  classes = [
    name
    for name, f in features.items()
    if isinstance(f, tfds.features.ClassLabel)
  ]
  if not texts or not classes:
    raise UserError(
      f"the TFDS set {builder.name!r} has no text with a label; its features "
      f"are {', '.join(features)}"
    )
  label_name = "label" if "label" in classes else classes[0]
  names = features[label_name].names
  source = builder.as_data_source(split=split)
  rows = []
  for index, example in enumerate(source.__getitems__(range(len(source)))):
    if (label := int(example[label_name])) >= 0:
      text = " ".join(example[name].decode("utf-8") for name in texts)
      place = f"{builder.name}:{split}"
      rows.append(files.row(place, index, label=names[label], text=text))
  return rows
