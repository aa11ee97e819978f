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
import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, TextIO

from gd_jax import predict
from gd_jax.errors import UserError
from gd_jax.progress import Progress

TEXT_COLUMNS = ("text", "sentence")
# A longer line is not read as a whole.
MAX_LINE_BYTES = 10_000_000
_ROWS_AT_A_TIME = 512
_TOLD = 10
_COLUMNS = ("line", "label", "probability", "error")


class Line(NamedTuple):
  """One line of the input: a text, or what is wrong with it."""

  number: int
  text: str | None
  error: str | None
  end: int  # its last byte's place in the file


def cli() -> None:
  """The console script."""
  sys.exit(main(sys.argv[1:]))


def main(argv: list[str]) -> int:
  """Answers; returns the exit code: 0, or 2 for what the user can mend."""
  flags = _parse(argv)
  progress = Progress()
  try:
    with warnings.catch_warnings():
      warnings.showwarning = lambda message, *rest, **named: progress.warn(
        str(message)
      )
      classifier = predict.load(
        flags.model, backend=flags.backend, int8=flags.int8
      )
      if flags.text is not None:
        _print_answer(classifier, flags.text)
      else:
        _answer_file(classifier, flags.input, flags.output, progress)
  except BrokenPipeError:
    # Whoever reads the answers, such as `head`, has enough of them.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
  except (UserError, OSError) as error:
    print(f"gd-jax-predict: {error}", file=sys.stderr)
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
    help="FILE.tsv with a column `text`, FILE.jsonl with a field `text`, or"
    " any other file, or - for stdin: a text a line",
  )
  parser.add_argument(
    "--output", default="-", help="FILE.jsonl or FILE.tsv; - is stdout (JSON)"
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
    file: BinaryIO = sys.stdin.buffer
    size = 0
    if source != "-":
      file = stack.enter_context(open(source, "rb"))
      size = os.fstat(file.fileno()).st_size
    out = stack.enter_context(_output(target))
    write = _writer(target, out)
    bar = None
    if size:  # of a pipe it isn't known
      bar = stack.enter_context(progress.bar("predict", size, unit="bytes"))
    for chunk in _chunks(read_lines(file, source), _ROWS_AT_A_TIME):
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


@contextlib.contextmanager
def _output(target: str) -> Iterator[TextIO]:
  """The file `target`, which appears when all of it is written."""
  if target == "-":
    yield sys.stdout
    sys.stdout.flush()
    return
  temporary = f"{target}.tmp"
  try:
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
      yield file
    os.replace(temporary, target)
  except BaseException:
    with contextlib.suppress(OSError):
      os.unlink(temporary)
    raise


def _writer(target: str, out: TextIO) -> Callable[[dict[str, Any]], None]:
  if not target.endswith(".tsv"):
    return lambda row: print(json.dumps(row, ensure_ascii=False), file=out)
  print("\t".join(_COLUMNS), file=out)
  return lambda row: print(
    "\t".join(str(row.get(name, "")) for name in _COLUMNS), file=out
  )


def _chunks(lines: Iterator[Line], rows: int) -> Iterator[list[Line]]:
  while chunk := list(itertools.islice(lines, rows)):
    yield chunk


def read_lines(file: BinaryIO, source: str) -> Iterator[Line]:
  """The texts of a file; its name's end says of which kind it is.

  Raises:
    UserError: A .tsv file's header has no column for the text.
  """
  parse: Callable[[str], str] = str
  numbered = enumerate(_raw_lines(file), start=1)
  if source.endswith(".tsv"):
    _, (header, _) = next(numbered, (0, (b"", 0)))
    parse = _tsv_parser(header, source)
  elif source.endswith((".jsonl", ".json")):
    parse = _text_of_json
  for number, (raw, end) in numbered:
    if not raw and parse is not str:
      continue
    try:
      yield Line(number, parse(_decoded(raw)), None, end)
    except ValueError as error:
      yield Line(number, None, str(error), end)


def _raw_lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
  """(line without its end, where it ends); of a too long one only the start."""
  end = 0
  while raw := file.readline(MAX_LINE_BYTES + 1):
    end += len(raw)
    rest = raw
    while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
      rest = file.readline(MAX_LINE_BYTES + 1)
      end += len(rest)
    yield raw.removesuffix(b"\n").removesuffix(b"\r"), end


def _decoded(raw: bytes) -> str:
  if len(raw) > MAX_LINE_BYTES:
    raise ValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
  try:
    return raw.decode("utf-8")
  except UnicodeDecodeError as error:
    raise ValueError(f"invalid UTF-8 at byte {error.start + 1}") from error


def _tsv_parser(header: bytes, source: str) -> Callable[[str], str]:
  text = header.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
  columns = [name.strip().casefold() for name in text.split("\t")]
  places = [columns.index(name) for name in TEXT_COLUMNS if name in columns]
  if not places:
    raise UserError(
      f"{source}, line 1: no column is named 'text'; name the columns there, "
      "or give the texts as a .txt file, one a line"
    )

  def parse(line: str) -> str:
    # Of two columns the last may hold tabs, as in training files.
    at_last = len(columns) <= 2 and places[0] == len(columns) - 1
    cells = line.split("\t", len(columns) - 1 if at_last else -1)
    if len(cells) != len(columns):
      raise ValueError(f"{len(cells)} columns, the header has {len(columns)}")
    return cells[places[0]]

  return parse


def _text_of_json(line: str) -> str:
  try:
    row = json.loads(line)
  # RecursionError: a line of a thousand brackets.
  except (ValueError, RecursionError) as error:
    raise ValueError(f"no valid JSON ({error})") from error
  names = [
    name for name in TEXT_COLUMNS if isinstance(row, dict) and name in row
  ]
  if not names or not isinstance(row[names[0]], str):
    raise ValueError("no object with a string 'text'")
  return row[names[0]]


if __name__ == "__main__":
  cli()
