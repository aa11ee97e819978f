# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A task's rows: from a folder of files or a public archive, through TFDS.

Only what is evaluated on is opened: with `evaluate_on="validation"` neither
the test file nor its fingerprint is read.
"""

import contextlib
import dataclasses
import io
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from etils import epath

from gd_jax import artefacts, rngs
from gd_jax.data import archives, draws, files
from gd_jax.data.files import Row
from gd_jax.errors import UserError
from gd_jax.progress import Progress

CUSTOM = "custom"
TASKS = (*archives.ARCHIVES, CUSTOM)
DEFAULT_CACHE = "~/.cache/gd_jax/tfds"
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
    fingerprint: digest of the contents the rows were read from.
  """

  train: list[Row]
  validation: list[Row] | None
  test: list[Row] | None
  labels: tuple[str, ...]
  fingerprint: str

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

  def __str__(self) -> str:
    return str(self.path)

  def read(self) -> Iterable[Row]:
    """Yields the rows; raises UserError as `files.read_rows` does."""
    return files.read_rows(self.path, max_line_bytes=self.max_line_bytes)

  def fingerprint(self) -> str:
    """Digest of what `read` depends on."""
    return artefacts.sha256_file(self.path)


Sources = Mapping[str, FileSource | archives.ArchiveSource]


def load(config: Any, progress: Progress) -> Splits:
  """Reads the rows of `config.task` that `config.data` asks for.

  Raises:
    UserError: a file is missing, damaged or no use for a classifier.
  """
  sources = find_sources(config, progress)
  rows = _prepare(config.task, sources, _cache_folder(config))
  train, evaluate_on = rows["train"], config.data.evaluate_on
  evaluation = rows.get(evaluate_on)
  if evaluation is None:
    train, evaluation = _carve(train)
    progress.say(
      f"data: no validation file, so {len(evaluation):,} of the training rows "
      "are set apart to evaluate on"
    )
  return Splits(
    train=train,
    validation=evaluation if evaluate_on == "validation" else None,
    test=evaluation if evaluate_on == "test" else None,
    labels=_labels(train, sources["train"]),
    fingerprint=fingerprint(sources),
  )


def find_sources(config: Any, progress: Progress) -> Sources:
  """Where the rows of each split that is needed come from, by split name.

  Raises:
    UserError: the task is unknown or a file of it is missing.
  """
  data, task = config.data, config.task
  if data.evaluate_on not in ("test", "validation"):
    raise UserError(
      f"config.data.evaluate_on is {data.evaluate_on!r}; it can be 'test' or "
      "'validation'"
    )
  if task not in TASKS:
    raise UserError(
      f"config.task is {task!r}; it can be {', '.join(TASKS)}, or "
      "tfds:NAME for a set of the TFDS catalogue"
    )
  if task == CUSTOM:
    if not data.folder:
      raise UserError(
        "the task 'custom' needs a folder: --config=configs/custom.py:FOLDER"
      )
    return _in_folder(epath.Path(data.folder).expanduser(), data)
  if data.dir:
    return _in_folder(epath.Path(data.dir).expanduser() / task, data)
  return archives.find_sources(
    task,
    evaluate_on=data.evaluate_on,
    folder=_cache_folder(config) / "downloads",
    allow_download=data.allow_download,
    progress=progress,
  )


def fingerprint(sources: Sources) -> str:
  """Digest of the contents of all sources; paths and times do not enter."""
  return artefacts.digest(
    {split: source.fingerprint() for split, source in sources.items()}
  )


def _in_folder(folder: epath.Path, data: Any) -> Sources:
  if not folder.is_dir():
    raise UserError(
      f"{folder} is no folder: put train.tsv and test.tsv there, or mend "
      "--config.data.dir"
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


def _cache_folder(config: Any) -> epath.Path:
  return epath.Path(config.data.cache_dir or DEFAULT_CACHE).expanduser()


def _prepare(
  task: str, sources: Sources, cache: epath.Path
) -> dict[str, list[Row]]:
  """Rows by split, from a TFDS copy that is prepared where there is none.

  The copy's folder is named by the fingerprint of its sources and appears
  whole, by one rename: two processes may prepare it at once.
  """
  import tensorflow_datasets as tfds

  from gd_jax.data import builders

  builder_class = builders.BUILDERS.get(task, builders.LabelledTexts)
  version = builder_class.VERSION
  name = f"{task}-{version}-{fingerprint(sources)[:20]}"
  folder = cache / name
  if not folder.exists():
    temporary = cache / f".{name}.{secrets.token_hex(4)}.tmp"
    try:
      temporary.mkdir(parents=True)
      builder = builder_class(data_dir=temporary, sources=sources)
      # TFDS prints to stdout, which is for results, and shows its own bars.
      tfds.disable_progress_bar()
      with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare()
      with contextlib.suppress(OSError):  # another process was first
        temporary.rename(folder)
    except OSError as error:
      raise UserError(
        f"{cache} can't be written ({error.strerror}): set "
        "--config.data.cache_dir to another folder"
      ) from error
    finally:
      if temporary.exists():
        temporary.rmtree()
  builder = builder_class(data_dir=folder)
  return {split: builder.rows(split) for split in sources}


def _carve(rows: list[Row]) -> tuple[list[Row], list[Row]]:
  """Splits rows into those that train and a stratified fifth that does not."""
  taken = set(
    draws.per_class(
      rows,
      draws.held_out_size(CARVED_FRACTION),
      seed=_CARVE_SEED,
      purpose="carve",
    )
  )
  kept = [row for index, row in enumerate(rows) if index not in taken]
  return kept, [rows[index] for index in sorted(taken)]


def _labels(rows: list[Row], source: Any) -> tuple[str, ...]:
  labels = tuple(sorted({row.label for row in rows}))
  if len(labels) == 1:
    raise UserError(
      f"{source}: one class only ({labels[0]!r}); a classifier needs at least "
      "two, so add rows of another class"
    )
  if len(labels) == len(rows):
    raise UserError(
      f"{source}: {len(rows)} rows and as many classes, each row a class of "
      "its own; are the columns label and text swapped?"
    )
  return labels
