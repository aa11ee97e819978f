# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import shutil

import pytest

from gd_jax import artefacts, signals
from gd_jax.data import formats, texts, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import gpt2
from gd_jax.phases import corpus
from gd_jax.progress import Progress
from tests.phases.corpus.conftest import TEXTS, clear, content


# Dies if: rows are lost or doubled, a shard has another size, a text is not
# that of its tokens, or counts differ from what stands in the files.
def test_draws_filters_and_counts(config, workdir, progress):
  counts = corpus.run(config, workdir, progress)
  folder = workdir / "corpus"
  drawn = texts.read_drawn(folder)
  assert [row["row_id"] for row in drawn] == list(range(50))
  sizes = [len(texts.read_shard(folder, index)) for index in range(4)]
  assert sizes == [16, 16, 16, 2]
  assert {"row_id", "text", "num_tokens", "finished", "log_prob"} == set(
    drawn[0]
  )
  first_words = {text.split()[0][0] for text in TEXTS}
  for row in drawn:
    assert 1 <= row["num_tokens"] <= 12
    assert row["finished"] or row["num_tokens"] == 12
    assert row["log_prob"] < 0
    assert row["text"][:1] in first_words
  assert len({row["text"] for row in drawn}) > 40
  assert counts["drawn"] == counts["rows"] == 50
  assert counts["kept"] == len(texts.read_kept(folder))
  assert 0.5 < counts["slot_use"] <= 1
  assert counts["tokens"] == sum(
    row["num_tokens"] + row["finished"] for row in drawn
  )
  health = artefacts.read_json(folder / "health.json")
  assert health["kept"] + sum(health["removed"].values()) == 50


# Dies if: the live numbers are not written, or a later run drops them.
def test_metrics_of_the_drawing(config, workdir, progress):
  corpus.run(config, workdir, progress)
  config.corpus.num_texts = 70
  corpus.run(config, workdir, progress)
  found = artefacts.read_jsonl(workdir / "corpus" / "metrics.jsonl")
  steps = [row["step"] for row in found]
  assert steps == sorted(set(steps))
  assert 50 in steps and steps[-1] == 50 + 22
  assert all(0 < row["corpus/slot_use"] <= 1 for row in found)
  assert found[-1]["corpus/tokens_per_second"] > 0
  assert list((workdir / "corpus" / "tensorboard").iterdir())


# Dies if: anything of a file depends on the clock, or on what was drawn first.
def test_the_same_corpus_byte_for_byte(config, workdir, progress, tmp_path):
  corpus.run(config, workdir, progress)
  once = content(workdir)
  clear(workdir)
  corpus.run(config, workdir, progress)
  assert content(workdir) == once


# Dies if: a whole shard is drawn again, a missing one is not, or its rows
# differ from what the first run would have drawn.
def test_only_missing_shards_are_drawn(config, workdir, progress):
  corpus.run(config, workdir, progress)
  once = content(workdir)
  folder = workdir / "corpus"
  texts.shard_path(folder, 1).unlink()
  texts.shard_path(folder, 3).unlink()
  counts = corpus.run(config, workdir, progress)
  assert counts["rows"] == 50 + 18
  assert content(workdir) == once


# Dies if: raising num_texts changes an earlier text or decision, leaves the
# last shard short, or draws whole shards again.
def test_more_texts_extend_the_corpus(config, workdir, progress):
  corpus.run(config, workdir, progress)
  before = texts.read_drawn(workdir / "corpus")
  removed = artefacts.read_jsonl(workdir / "corpus" / texts.REMOVED)
  config.corpus.num_texts = 70
  counts = corpus.run(config, workdir, progress)
  assert counts["rows"] == 50 + 22, "rows 48 to 69: the last shard was short"
  after = texts.read_drawn(workdir / "corpus")
  assert after[:50] == before
  assert len(after) == 70
  again = artefacts.read_jsonl(workdir / "corpus" / texts.REMOVED)
  assert again[: len(removed)] == removed
  assert all(row["row_id"] >= 50 for row in again[len(removed) :])


# Dies if: shards of a larger corpus stay behind.
def test_fewer_texts(config, workdir, progress):
  corpus.run(config, workdir, progress)
  before = texts.read_drawn(workdir / "corpus")
  config.corpus.num_texts = 20
  corpus.run(config, workdir, progress)
  assert texts.read_drawn(workdir / "corpus") == before[:20]


# Dies if: a signal is not heard between calls, or whole shards are not yet on
# disk when it is.
def test_a_stopped_run_goes_on(config, workdir, progress, monkeypatch):
  corpus.run(config, workdir, progress)
  once = content(workdir)
  clear(workdir)
  heard = iter([False] * 8 + [True] * 100)
  monkeypatch.setattr(signals, "requested", lambda: next(heard))
  with pytest.raises(signals.Stopped):
    corpus.run(config, workdir, progress)
  shards = texts.shard_indices(workdir / "corpus")
  assert 0 < len(shards) < 4
  assert not (workdir / "corpus" / texts.REMOVED).exists()
  monkeypatch.undo()
  drawn_before = artefacts.read_json(workdir / "corpus" / "timing.json")["rows"]
  counts = corpus.run(config, workdir, progress)
  # Dies if: what a shard that is not whole has is drawn again.
  assert drawn_before > 16 * len(shards)
  assert counts["rows"] == 50
  assert content(workdir) == once


@pytest.mark.parametrize(
  ("layout", "words"),
  [
    ("blocked", "only a GPU reads; this is a cpu"),
    ("heads", "None or by_head"),
  ],
)
def test_a_cache_that_can_not_be_read_is_refused(
  config, workdir, progress, layout, words
):
  config.corpus.cache_layout = layout
  with pytest.raises(UserError, match=words):
    corpus.run(config, workdir, progress)


# Dies if: first_token, min_tokens, max_tokens or temperature is not handed on.
def test_fields_reach_the_sampler(config, workdir, progress):
  config.corpus.update(first_token="bos", min_tokens=5, max_tokens=7)
  corpus.run(config, workdir, progress)
  drawn = texts.read_drawn(workdir / "corpus")
  lengths = {row["num_tokens"] for row in drawn}
  assert min(lengths) == 5 and max(lengths) == 7
  starts = {row["text"][:1] for row in drawn}
  assert not starts <= {text[0] for text in TEXTS}


# Dies if: a row is drawn after another class's prefix, or the prefix stays in
# the text, shortens it, or is left out of what the row says of itself.
def test_a_generator_that_is_told_the_class(
  config, workdir, upstream, progress
):
  source = workdir / "generator"
  source.unlink()
  shutil.copytree(upstream / "generator", source)
  fmt = formats.load(source)
  tokenizer = tokenizers.load(source)
  prefixes = formats.make_prefixes(tokenizer, ["where", "how"], fmt.bos_id)
  length = len(prefixes[0])
  fmt = dataclasses.replace(fmt, max_tokens=12 - length, prefixes=prefixes)
  formats.save(source, fmt)
  config.corpus.update(temperature=0.0, num_texts=6, max_tokens=12)
  corpus.run(config, workdir, progress)
  drawn = texts.read_drawn(workdir / "corpus")
  assert [row["prompted_label"] for row in drawn] == [0, 1, 0, 1, 0, 1]
  # Greedy rows of one class are all alike: two kinds of text.
  assert [row["text"] for row in drawn] == [
    drawn[0]["text"],
    drawn[1]["text"],
  ] * 3
  assert drawn[0]["text"] != drawn[1]["text"]
  assert all(row["num_tokens"] <= 12 - length for row in drawn)
  assert not any(row["text"].startswith(("where:", "how:")) for row in drawn)


def test_greedy_rows_are_all_the_same(config, workdir, progress):
  config.corpus.update(first_token="bos", temperature=0.0)
  corpus.run(config, workdir, progress)
  health = artefacts.read_json(workdir / "corpus" / "health.json")
  assert health["kept"] <= 1
  assert health["removed"]["exact_duplicate"] >= 49


# Dies if: rows longer than any the generator has seen are drawn in silence.
def test_max_tokens_is_bounded_by_the_generators(config, workdir, progress):
  config.corpus.max_tokens = 40
  corpus.run(config, workdir, progress)
  drawn = texts.read_drawn(workdir / "corpus")
  assert max(row["num_tokens"] for row in drawn) == 12
  assert "config.corpus.max_tokens is 40" in progress.warnings[0]


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("num_texts", 0),
    ("slots", 0),
    ("matmul_dtype", "int8"),
    ("sampler", "beam"),
    ("temperature", -1.0),
    ("temperature", float("nan")),
    ("top_k", 0),
    ("top_p", 1.5),
    ("min_p", -0.1),
    ("max_tokens", 1),
    ("first_token", "any"),
    ("near_duplicate", 0.0),
  ],
)
def test_bad_fields_are_named(config, workdir, progress, field, value):
  config.corpus[field] = value
  with pytest.raises(UserError, match=rf"config\.corpus\.{field} is "):
    corpus.run(config, workdir, progress)


# Dies if: the first line does not say what will be done and how long it takes.
def test_it_says_what_it_does(config, workdir, capsys):
  corpus.run(config, workdir, Progress())
  said = capsys.readouterr().err
  assert "draw 50 texts by pure, 4 at a time on 1 cpu device" in said
  assert "; about " in said and " min" in said


# Dies if: the field is not handed on, or decides more than the weights' digits.
def test_weights_in_bfloat16(config, workdir, progress):
  corpus.run(config, workdir, progress)
  exact = texts.read_drawn(workdir / "corpus")
  clear(workdir)
  config.corpus.matmul_dtype = "bfloat16"
  corpus.run(config, workdir, progress)
  rounded = texts.read_drawn(workdir / "corpus")
  pairs = list(zip(exact, rounded, strict=True))
  assert any(a["log_prob"] != b["log_prob"] for a, b in pairs)
  # A rounding tips a draw here and there: then the rest is another text.
  equal = [a["text"] == b["text"] for a, b in pairs]
  assert sum(equal) > len(equal) / 2


# Dies if: the field is not handed on.
def test_the_cache_lies_as_it_is_asked_for(config, workdir, progress):
  model = gpt2.Gpt2(gpt2.Gpt2Config())
  found = [
    corpus.drawing(config.corpus, model, platform).cache_layout
    for platform in ("cpu", "gpu", "tpu")
  ]
  assert found == ["by_head", "by_head", "merged"]
  config.corpus.cache_layout = "blocked"
  assert corpus.drawing(config.corpus, model, "gpu").cache_layout == "blocked"
  odd = gpt2.Gpt2(gpt2.Gpt2Config(width=24, num_heads=2))
  with pytest.raises(UserError, match=r"heads of a power of two; .* have 12"):
    corpus.drawing(config.corpus, odd, "gpu")
