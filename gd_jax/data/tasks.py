# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A task's rows: from a folder of files or a public archive, through TFDS.

Only what is evaluated on is opened: with `evaluate_on="validation"` neither
the test file nor its fingerprint is read.
"""

import dataclasses
from typing import Any

from etils import epath

from gd_jax import artefacts, hub
from gd_jax.data import archives, catalogue, draws, files, prepared
from gd_jax.data.files import Row
from gd_jax.errors import UserError
from gd_jax.progress import Progress

CUSTOM = "custom"
CARVED_FRACTION = 0.2
# Not data.seed: the evaluation rows stay the same over all draws.
_CARVE_SEED = 0


@dataclasses.dataclass(frozen=True)
class Splits:
  """A task's rows, in the order of their files.

  Attributes:
    train: rows that a draw may take.
    validation: rows to evaluate on when `evaluate_on` is "validation".
    test: rows to evaluate on when `evaluate_on` is "test".
    labels: names of the training classes, sorted; the place is the class id.
  """

  train: list[Row]
  validation: list[Row] | None
  test: list[Row] | None
  labels: tuple[str, ...]

  @property
  def evaluation(self) -> list[Row]:
    """The split that this run evaluates on."""
    rows = self.validation if self.test is None else self.test
    assert rows is not None, "load() fills one of the two"
    return rows


@dataclasses.dataclass(frozen=True)
class FileSource:
  """One split in a file of the user's own."""

  path: epath.Path
  max_line_bytes: int
  note = ""

  def __str__(self) -> str:
    return str(self.path)

  def fingerprint(self) -> str:
    """Digest of what `read` depends on; raises UserError if it's unreadable."""
    try:
      return f"{artefacts.sha256_file(self.path)}/{self.path.suffix}"
    except OSError as error:
      raise UserError(
        f"{self.path} can't be read ({error.strerror}): mend its permissions"
      ) from error

  def fetch(self, *, allow_download: bool, progress: Progress) -> None:
    """Does nothing: the file is there."""

  def read(self) -> list[Row]:
    """Its rows; raises UserError as `files.read_rows` does."""
    return files.read_rows(self.path, max_line_bytes=self.max_line_bytes)


Sources = dict[str, FileSource] | dict[str, archives.ArchiveSource]


def load(config: Any, progress: Progress) -> Splits:
  """Reads the rows of `config.task` that `config.data` asks for.

  Raises:
    UserError: a file is missing, damaged or no use for a classifier.
  """
  data = config.data
  cache = _cache(data)
  if config.task.startswith(catalogue.PREFIX):
    rows = catalogue.load_rows(
      config.task,
      evaluate_on=data.evaluate_on,
      cache=cache,
      allow_download=data.allow_download,
      progress=progress,
    )
  else:
    sources = find_sources(config)
    for source in sources.values():
      if source.note:
        progress.say(f"data: {source.note}")
    rows = prepared.load_rows(
      config.task,
      sources,
      cache=cache,
      allow_download=data.allow_download,
      progress=progress,
    )
  train, evaluation = rows["train"], rows.get(data.evaluate_on)
  labels = _labels(train)
  if evaluation is None:
    train, evaluation = _carve(train)
    progress.say(
      f"data: no {data.evaluate_on} rows are given, so {len(evaluation):,} of "
      "the training rows are set apart to evaluate on"
    )
  return Splits(
    train=train,
    validation=evaluation if data.evaluate_on == "validation" else None,
    test=evaluation if data.evaluate_on == "test" else None,
    labels=labels,
  )


def source_fingerprint(config: Any) -> str | None:
  """Digest of the contents `load` would read; paths and times do not enter.

  None where that is not known: the files are out of reach, or stand in an
  archive without a published checksum that was not downloaded yet.
  """
  if config.task.startswith(catalogue.PREFIX):
    return None
  try:
    return prepared.fingerprint(find_sources(config))
  except UserError:
    return None


def why_unseen(config: Any) -> str | None:
  """Why `source_fingerprint` is None for `config`; None where it is not."""
  if config.task.startswith(catalogue.PREFIX):
    return f"sets of the TFDS catalogue, as {config.task}, have no fingerprint"
  try:
    if prepared.fingerprint(find_sources(config)) is None:
      return f"the archive of {config.task} is not downloaded"
  except UserError as error:
    return str(error)
  return None


def place(config: Any) -> str:
  """Where the rows of `config.task` come from, for a line to a user."""
  data = config.data
  if config.task == CUSTOM:
    return str(data.folder)
  return f"{data.dir}/{config.task}" if data.dir else f"the task {config.task}"


def find_sources(config: Any) -> Sources:
  """Where the rows of each split that is needed are, by split name.

  Raises:
    UserError: the task is unknown or a file of it is missing.
  """
  data, task = config.data, config.task
  if task == CUSTOM and not data.folder:
    raise UserError(
      "the task 'custom' needs a folder: --config=configs/custom.py:FOLDER"
    )
  if task == CUSTOM:
    return _in_folder(epath.Path(data.folder).expanduser(), data)
  if data.dir:
    return _in_folder(epath.Path(data.dir).expanduser() / task, data)
  if task not in archives.ARCHIVES:
    raise UserError(
      f"config.task is {task!r}; without --config.data.dir it can be "
      f"{', '.join(archives.ARCHIVES)}, or {catalogue.PREFIX}NAME for a set of "
      "the TFDS catalogue"
    )
  cache = _cache(data)
  return archives.find_sources(
    task, evaluate_on=data.evaluate_on, folder=cache / "downloads"
  )


def _cache(data: Any) -> epath.Path:
  """data.cache_dir, else a folder beside what else is kept between runs."""
  if data.cache_dir:
    return epath.Path(data.cache_dir).expanduser()
  return epath.Path(hub.cache_dir()) / "tfds"


def _in_folder(folder: epath.Path, data: Any) -> Sources:
  if not folder.is_dir():
    raise UserError(
      f"{folder} is no folder: put train.tsv and test.tsv there, or name "
      "another folder"
    )
  sources = {}
  for split in ("train", data.evaluate_on):
    path = files.find(folder, split)
    if path is not None:
      sources[split] = FileSource(path, data.max_line_bytes)
    elif split != "validation":
      raise UserError(
        f"{folder} has no {split} file: put {split}.tsv, {split}.csv or "
        f"{split}.jsonl there"
      )
  return sources


def _carve(rows: list[Row]) -> tuple[list[Row], list[Row]]:
  """Splits rows into those that train and a stratified fifth that does not."""
  size = draws.held_out_size(CARVED_FRACTION)
  taken = draws.per_class(rows, size, seed=_CARVE_SEED, purpose="carve")
  chosen = set(taken)
  kept = [row for index, row in enumerate(rows) if index not in chosen]
  return kept, [rows[index] for index in taken]


def _labels(rows: list[Row]) -> tuple[str, ...]:
  labels = tuple(sorted({row.label for row in rows}))
  if len(labels) == 1:
    raise UserError(
      f"the training rows have one class only ({labels[0]!r}); a classifier "
      "needs at least two, so add rows of another class"
    )
  if len(labels) == len(rows):
    raise UserError(
      f"there are {len(rows)} training rows and as many classes, each row a "
      "class of its own; are the columns label and text swapped?"
    )
  return labels
