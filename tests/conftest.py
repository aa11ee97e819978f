# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Strictness for every test: nothing is broadcast or promoted in silence."""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiling costs more than all the arithmetic of the tests: programs are kept,
# for the other workers, for subprocesses and for the next time.
os.environ.setdefault(
  "JAX_COMPILATION_CACHE_DIR",
  os.path.join(tempfile.gettempdir(), f"gd_jax_tests_{os.getuid()}"),
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import hypothesis
import jax
import pytest

import gd_jax
from gd_jax import pipeline, rngs, signals
from gd_jax.models import bert, families, pretrained
from gd_jax.progress import Progress
from tests import toy_phases

jax.config.update("jax_numpy_rank_promotion", "raise")
# An example that takes long is a busy machine's, not a failure.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_runtest_setup(item: pytest.Item) -> None:
  """Skips live parity tests without PyTorch, unless they were asked for."""
  if item.get_closest_marker("parity") is None:
    return
  try:
    import torch  # noqa: F401
  except ImportError:
    if os.environ.get("GD_JAX_PARITY") == "live":
      pytest.fail("GD_JAX_PARITY=live, but PyTorch can't be imported")
    pytest.skip("PyTorch is not installed")


@pytest.fixture
def progress() -> Progress:
  """A progress that prints nothing."""
  return Progress(quiet=True)


@pytest.fixture
def house(monkeypatch) -> toy_phases.House:
  """Toy phases in the place of the pipeline's own."""
  house = toy_phases.House()
  monkeypatch.setattr(pipeline, "PHASES", house.phases)
  monkeypatch.setattr(
    pipeline, "NAMES", tuple(phase.name for phase in house.phases)
  )
  return house


@pytest.fixture(autouse=True)
def _no_signal_left_over():
  signals.forget()
  yield
  signals.forget()


_QUICKSTART = pathlib.Path(gd_jax.__file__).parent / "data" / "quickstart"


@pytest.fixture
def run_unread():
  """run_unread(code, *arguments): its exit code, and what it says on stderr.

  Its stdout is a pipe that nobody reads; buffered, as a user's is.
  """

  def run(code, *arguments):
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    try:
      done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=buffered,
      )
    finally:
      os.close(writing)
    return done.returncode, done.stderr

  return run


@pytest.fixture(scope="session")
def quickstart_folder() -> pathlib.Path:
  """The embedded data set: train.tsv, validation.tsv, test.tsv."""
  return _QUICKSTART


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> pathlib.Path:
  """A Hugging Face folder with a random BERT of 2 layers, 32 wide."""
  folder = tmp_path_factory.mktemp("tiny_bert")
  make_tiny_bert(folder)
  return folder


def _word_pieces(texts: list[str]) -> dict[str, int]:
  """Single characters, and the commonest words and ends of words.

  Not learned by the library's trainer, which breaks ties differently each time.
  """
  cut = re.findall(r"\w+|[^\w\s]", " ".join(texts).lower())
  words = collections.Counter(cut)
  ends = collections.Counter()
  for word, count in words.items():
    ends.update({f"##{word[-n:]}": count for n in (2, 3) if len(word) > n + 2})
  characters = sorted({*"".join(words)})
  pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
  pieces += [f"##{character}" for character in characters]
  for found, most in ((ends, 200), (words, 500)):
    ranked = sorted(found, key=lambda piece: (-found[piece], piece))
    pieces += [piece for piece in ranked if piece not in characters][:most]
  return {piece: i for i, piece in enumerate(pieces)}


def tiny_flags(tiny_bert: pathlib.Path) -> list[str]:
  """A run's flags for it in place of MiniLM, which would have to be fetched."""
  return [
    f"--config.teacher.init={tiny_bert}",
    f"--config.generator.init={tiny_bert}",
    "--config.students.embed_width=16",
    # It has 64 positions.
    "--config.data.max_tokens=32",
    "--config.generator.max_tokens=32",
    "--config.generator.pretrain.row_tokens=32",
  ]


def make_tiny_bert(folder: pathlib.Path) -> None:
  """Writes what the fixture `tiny_bert` gives; always the same bytes."""
  from tokenizers.implementations import BertWordPieceTokenizer

  folder.mkdir(exist_ok=True)
  lines = (_QUICKSTART / "train.tsv").read_text().splitlines()[1:]
  texts = [line.split("\t", 1)[1] for line in lines]
  made = BertWordPieceTokenizer(_word_pieces(texts), lowercase=True)
  made.save(str(folder / "tokenizer.json"))
  config = bert.BertConfig(
    vocab_size=made.get_vocab_size(),
    width=32,
    num_layers=2,
    num_heads=2,
    mlp_width=64,
    max_length=64,
  )
  module = bert.BertClassifier(config, num_classes=2, pooling="mean")
  params = families.init_params(module, rngs.stream(0, "tiny_bert"))
  pretrained.save_bert(folder, config, {"bert": params["bert"]})
