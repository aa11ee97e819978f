# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The console script `gd-jax-predict`: classifies a text, or files of them.

  gd-jax-predict --model=runs/trec/export --text="how tall is it?"
  gd-jax-predict --model=runs/trec/export --input=FILE.tsv --output=OUT.jsonl

A file is read and answered a few lines at a time, so it may be of any size. A
line that can't be read is answered with its error, is counted, and stops
nothing.
"""

import argparse
import contextlib
import errno
import io
import itertools
import json
import os
import secrets
import signal
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO

from gd_jax import pipes, predict, predict_input
from gd_jax.errors import UserError
from gd_jax.predict_input import Line
from gd_jax.progress import Progress

_ROWS_AT_A_TIME = 512
_TOLD = 10
_COLUMNS = ("line", "label", "probability", "error")
_UNFINISHED = ".tmp"
_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def cli() -> None:
  """The console script."""
  # An exit unwinds: no hidden, half-written file stays behind.
  signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
  pipes.escape_unknown_characters()
  sys.exit(main(sys.argv[1:]))


def main(argv: list[str]) -> int:
  """Answers; returns the exit code: 0, or 2 for what the user can mend."""
  with pipes.reader_may_leave():
    flags = _parse(argv)
  progress = Progress()
  try:
    with warnings.catch_warnings():
      warnings.showwarning = lambda message, *rest, **named: progress.warn(
        str(message)
      )
      _require_output(flags)
      classifier = predict.load(
        os.path.expanduser(flags.model), backend=flags.backend, int8=flags.int8
      )
      if flags.text is not None:
        _print_answer(classifier, flags.text)
      else:
        source = os.path.expanduser(flags.input)
        target = os.path.expanduser(flags.output)
        _answer_file(classifier, source, target, progress)
  except BrokenPipeError:
    # Whoever reads the answers, such as `head`, has enough of them.
    pipes.close_stdout()
    return 0
  except KeyboardInterrupt:
    print("gd-jax-predict: interrupted", file=sys.stderr)
    return 130
  except (UserError, OSError) as error:
    line = _told(error, flags) if isinstance(error, OSError) else error
    print(f"gd-jax-predict: {line}", file=sys.stderr)
    pipes.flush_or_close()
    return 2
  return 0


def _parse(argv: list[str]) -> argparse.Namespace:
  parser = argparse.ArgumentParser("gd-jax-predict", description=__doc__)
  parser.formatter_class = argparse.RawDescriptionHelpFormatter
  parser.add_argument("--model", required=True, help="a folder WORKDIR/export")
  given = parser.add_mutually_exclusive_group(required=True)
  given.add_argument("--text", help="one text")
  given.add_argument(
    "--input",
    help="FILE.tsv or FILE.csv with a column `text`, FILE.jsonl with a field"
    " `text`, likewise .json, or any other file, or - for stdin: a text a line",
  )
  parser.add_argument(
    "--output",
    default="-",
    help="FILE.jsonl or FILE.tsv, replaced if it is there; - is stdout (JSON)",
  )
  parser.add_argument(
    "--backend", default="onnxruntime", choices=predict.BACKENDS
  )
  parser.add_argument("--int8", action="store_true", help="the smaller file")
  return parser.parse_args(argv)


def _print_answer(classifier: predict.Classifier, text: str) -> None:
  probabilities = classifier.predict_proba([text])[0]
  ranked = sorted(zip(classifier.labels, probabilities, strict=True), key=_last)
  for label, probability in reversed(ranked):
    print(f"{probability:.4f}  {label}")
  sys.stdout.flush()


def _last(pair: tuple[str, Any]) -> Any:
  return pair[-1]


def _answer_file(
  classifier: predict.Classifier,
  source: str,
  target: str,
  progress: Progress,
) -> None:
  total, bad, done = 0, 0, 0
  with contextlib.ExitStack() as stack:
    size = 0
    if source == "-":
      file = _stdin()
    else:
      file = stack.enter_context(open(source, "rb"))
      size = os.fstat(file.fileno()).st_size
    _require_another_file(file, target)
    out = stack.enter_context(_output("-" if _is_stdout(target) else target))
    write = _writer(target, out)
    bar = None
    if size:  # of a pipe it isn't known
      bar = stack.enter_context(progress.bar("predict", size, unit="bytes"))
    for chunk in _chunks(predict_input.read(file, source), _ROWS_AT_A_TIME):
      for line in (line for line in chunk if line.error):
        bad += 1
        if bad <= _TOLD:
          progress.say(f"{source}, line {line.number}: {line.error}")
      _answer(classifier, chunk, write)
      total += len(chunk)
      if bar is not None:
        bar.advance(chunk[-1].end - done)
      done = chunk[-1].end
  progress.say(f"{total:,} lines, {bad:,} of them bad")


def _answer(
  classifier: predict.Classifier,
  chunk: list[Line],
  write: Callable[[dict[str, Any]], None],
) -> None:
  good = [line.text for line in chunk if line.text is not None]
  answers = iter(classifier(good))
  for line in chunk:
    if line.text is None:
      write({"line": line.number, "error": line.error})
    else:
      label, probability = next(answers)
      write(
        {
          "line": line.number,
          "label": label,
          "probability": round(probability, 6),
        }
      )


def _stdin() -> BinaryIO:
  if sys.stdin is None:
    raise UserError(
      "--input=- reads stdin, which is closed: pipe texts into it"
    )
  return sys.stdin.buffer


def _require_output(flags: argparse.Namespace) -> None:
  if sys.stdout is None and (flags.text is not None or flags.output == "-"):
    raise UserError("the answers go to stdout, which is closed: give --output")
  if flags.text is not None and flags.output != "-":
    raise UserError(
      "--output is for the answers to --input: that to --text goes to stdout"
    )
  if flags.output.lower().endswith(".csv"):
    raise UserError(
      f"--output={flags.output} would hold JSON lines: name it .jsonl, or .tsv"
      " for columns"
    )
  target = os.path.expanduser(flags.output)
  if not target or os.path.isdir(target):
    raise UserError(f"--output={flags.output} is no file: name one in it")
  folder = os.path.dirname(target) or "."
  if not os.path.isdir(folder):
    raise UserError(f"--output={flags.output}: there is no folder {folder}")


def _is_stdout(target: str) -> bool:
  """Whether it is another name of stdout, whose file must not be replaced."""
  try:
    return os.path.samestat(os.stat(target), os.fstat(sys.stdout.fileno()))
  except (AttributeError, OSError, io.UnsupportedOperation):
    return False


def _told(error: OSError, flags: argparse.Namespace) -> str:
  """What the system says, and of which file."""
  if error.errno == errno.ENOSPC:
    return (
      f"the disk of --output={flags.output} is full: make room and give the"
      " command again"
    )
  file = error.filename
  if not file:
    return str(error)
  if str(file).endswith(_UNFINISHED):
    file = f"--output={flags.output}"
  return f"{file}: {error.strerror}: name another, or mend it"


def _require_another_file(file: BinaryIO, target: str) -> None:
  """Refuses answers that would replace the texts, or be read as such."""
  try:
    input_stat = os.fstat(file.fileno())
    if target == "-":
      output_stat = os.fstat(sys.stdout.fileno())
    else:
      output_stat = os.stat(target)
  except (OSError, io.UnsupportedOperation):  # No such file, or none at all.
    return
  is_file = stat.S_ISREG(input_stat.st_mode)
  if is_file and os.path.samestat(input_stat, output_stat):
    raise UserError(
      f"--output={target} is the file that --input reads: give it another name"
    )


@contextlib.contextmanager
def _output(target: str) -> Iterator[TextIO]:
  """The file `target`, which appears when all of it is written.

  A link goes on to lead where it did; pipes and devices are written into.
  """
  if target == "-":
    yield sys.stdout
    sys.stdout.flush()
    return
  before = os.stat(target) if os.path.exists(target) else None
  if before is not None and not stat.S_ISREG(before.st_mode):
    with open(target, "w", encoding="utf-8", newline="\n") as file:
      yield file
    return
  path = os.path.realpath(target)
  folder, name = os.path.split(path)
  temporary = os.path.join(
    folder, f".{name}.{secrets.token_hex(4)}{_UNFINISHED}"
  )
  try:
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
      if before is not None:
        os.chmod(temporary, stat.S_IMODE(before.st_mode))
      yield file
    os.replace(temporary, path)
  except BaseException:
    with contextlib.suppress(OSError):
      os.unlink(temporary)
    raise


def _writer(target: str, out: TextIO) -> Callable[[dict[str, Any]], None]:
  if not target.lower().endswith(".tsv"):
    return lambda row: print(json.dumps(row, ensure_ascii=False), file=out)
  print("\t".join(_COLUMNS), file=out)
  return lambda row: print(
    "\t".join(_cell(row.get(name, "")) for name in _COLUMNS), file=out
  )


def _cell(value: Any) -> str:
  # A label from a .jsonl or .csv file may hold what ends a cell or a row.
  return str(value).translate(_ESCAPES)


def _chunks(lines: Iterator[Line], rows: int) -> Iterator[list[Line]]:
  while chunk := list(itertools.islice(lines, rows)):
    yield chunk


if __name__ == "__main__":
  cli()
