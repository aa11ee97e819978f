# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""TFDS builders for labelled texts, without TensorFlow.

A builder is given its sources, one per split, already on this machine: TFDS's
own download manager needs TensorFlow to unpack and retries for a minute when
there is no network. `line` is the row's place in its source; TFDS shuffles
rows as it writes them. A label is kept by name, for a test set may hold one
that training never saw.

Importing this module imports TFDS (about a second), so import it late.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from gd_jax import signals
from gd_jax.data.files import Row
from gd_jax.data.prepared import Source
from gd_jax.errors import UserError

# Row by row is four times slower; all at once holds every row twice.
_BLOCK_ROWS = 10_000


# Not registered: TFDS's catalogue has a "trec" of its own.
class LabelledTexts(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Rows of anyone's own files; the base of the tasks below."""

  VERSION = tfds.core.Version("1.0.0")
  HOMEPAGE = ""

  def __init__(self, *, sources: Mapping[str, Source] | None = None, **kwargs):
    self._sources = dict(sources or {})
    super().__init__(file_format="array_record", **kwargs)

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description=self.__doc__,
      homepage=self.HOMEPAGE,
      features=tfds.features.FeaturesDict(
        {
          "line": tfds.features.Scalar(np.int64),
          "text": tfds.features.Text(),
          "label": tfds.features.Text(),
        }
      ),
    )

  def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
    del dl_manager
    return {
      split: self._generate_examples(source)
      for split, source in self._sources.items()
    }

  def _generate_examples(self, source: Source) -> Iterator:
    for row in source.read():
      signals.check()
      text = self.clean(row.text)
      if not text:
        raise UserError(
          f"{source}, line {row.line}: nothing is left of the text "
          f"{row.text[:40]!r} once it is cleaned; delete the row"
        )
      yield row.line, {"line": row.line, "text": text, "label": row.label}

  def clean(self, text: str) -> str:
    """The text as the task's users know it."""
    return text

  def rows(self, split: str) -> list[Row]:
    """The prepared rows of a split, in the order of their source."""
    # TFDS's decorator hides the parameters from type checkers.
    source = self.as_data_source(split=split)  # pyright: ignore[reportCallIssue]
    rows = []
    for start in range(0, len(source), _BLOCK_ROWS):
      stop = min(start + _BLOCK_ROWS, len(source))
      for example in source.__getitems__(range(start, stop)):
        text, label = example["text"], example["label"]
        rows.append(
          Row(int(example["line"]), text.decode("utf-8"), label.decode("utf-8"))
        )
    return sorted(rows)


class Sst2(LabelledTexts, skip_registration=True):
  """Stanford Sentiment Treebank, two classes (Socher et al. 2013)."""

  HOMEPAGE = "https://nlp.stanford.edu/sentiment/"


class Trec(LabelledTexts, skip_registration=True):
  """Questions by the kind of their answer, six classes (Li & Roth 2002)."""

  HOMEPAGE = "https://cogcomp.seas.upenn.edu/Data/QA/QC/"


class AgNews(LabelledTexts, skip_registration=True):
  """News by topic, four classes (Zhang et al. 2015)."""

  HOMEPAGE = "https://arxiv.org/abs/1509.01626"

  def clean(self, text: str) -> str:
    """Undoes the set's broken escapes: line breaks, quotes, links, tags."""
    text = text.replace("\\", " ")
    text = re.sub(r"\s?#39;", "'", text).replace("quot;", '"')
    text = re.sub(r"</?[A-Za-z][^<>]*>", " ", html.unescape(text))
    return " ".join(text.split())


class Dbpedia(LabelledTexts, skip_registration=True):
  """Wikipedia abstracts by kind, fourteen classes (Zhang et al. 2015)."""

  HOMEPAGE = "https://arxiv.org/abs/1509.01626"


class YahooAnswers(LabelledTexts, skip_registration=True):
  """Questions with their best answer, ten topics (Zhang et al. 2015)."""

  HOMEPAGE = "https://arxiv.org/abs/1509.01626"


BUILDERS = {
  "sst2": Sst2,
  "trec": Trec,
  "ag_news": AgNews,
  "dbpedia": Dbpedia,
  "yahoo_answers": YahooAnswers,
}
