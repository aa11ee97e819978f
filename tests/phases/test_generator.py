# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import collections

import numpy as np
import pytest
from etils import epath

from gd_jax import artefacts, checkpoints, rngs, signals
from gd_jax.data import formats, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import families, gpt2, pretrained
from gd_jax.phases import generator
from gd_jax.training import losses

_SAME = (
  "params.json",
  "model.json",
  "tokenizer.json",
  "summary.json",
  "format.json",
)


@pytest.fixture
def gpt2_folder(tmp_path):
  """A Hugging Face folder with a tiny random GPT-2."""
  folder = tmp_path / "gpt2"
  tokenizer = tokenizers.train_byte_bpe(["where is it"], vocab_size=260)
  config = gpt2.Gpt2Config(
    vocab_size=tokenizer.get_vocab_size(),
    width=16,
    num_layers=2,
    num_heads=2,
    mlp_width=64,
    max_length=64,
  )
  params = families.init_params(gpt2.Gpt2(config), rngs.stream(0, "tiny"))
  pretrained.save_gpt2(folder, config, params)
  tokenizer.save(str(folder / "tokenizer.json"))
  return folder


def _heldout_xent(folder, rows, *, shared=None):
  """(sum, tokens) of the held-out ones of `rows` under the model in `folder`.

  `shared`: where the model's description and tokenizer are; None: there too.
  """
  shared = shared or folder
  module = families.build(artefacts.read_json(shared / "model.json"))
  tokenizer, fmt = tokenizers.load(shared), formats.load(folder)
  params = checkpoints.load_params(folder)
  total = count = 0.0
  for row in rows:
    if row["split"] == "heldout":
      ids = formats.encode(tokenizer, row["text"])
      ids = formats.frame(ids, fmt, row["label"])
      tokens = np.array([ids], np.int32)
      mask = np.ones_like(tokens)
      logits = module.apply({"params": params}, tokens, mask)
      loss, weight = losses.lm_xent(logits, tokens, mask)
      text = slice(fmt.prefix_length, None)
      total += float(loss[0, text].sum())
      count += float(weight[0, text].sum())
  return total, count


@pytest.mark.parametrize("kind", ["warm_start", "pretrained", "scratch"])
def test_each_kind_learns_and_says_how_to_sample(
  drawn, config, progress, gpt2_folder, kind
):
  # Dies if: the params that are kept are not those of the best evaluation.
  with config.unlocked():
    config.generator.kind = kind
    if kind == "pretrained":
      config.generator.init = str(gpt2_folder)
  counts = generator.run(config, drawn, progress)
  folder = drawn / "generator"
  module = families.build(artefacts.read_json(folder / "model.json"))
  # Knowing nothing is a perplexity of the vocabulary's size, or worse.
  vocab_size = module.config.vocab_size
  assert counts["heldout_perplexity"] < 0.9 * vocab_size
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  total, count = _heldout_xent(folder, rows)
  assert np.exp(total / count) == pytest.approx(
    counts["heldout_perplexity"], rel=1e-3
  )


@pytest.mark.parametrize("kind", ["warm_start", "scratch"])
def test_format(drawn, config, progress, kind):
  # Dies if: EOS is banned, a special token is not, or the held-out rows'
  # first tokens are counted.
  with config.unlocked():
    config.generator.update(kind=kind, max_steps=1)
  generator.run(config, drawn, progress)
  tokenizer = tokenizers.load(drawn / "generator")
  fmt = formats.load(drawn / "generator")
  assert fmt.max_tokens == 12
  name = {"warm_start": "[SEP]", "scratch": "<|endoftext|>"}[kind]
  assert fmt.eos_id == tokenizer.token_to_id(name)
  assert fmt.eos_id not in fmt.banned_ids
  banned = {tokenizer.id_to_token(i) for i in fmt.banned_ids}
  if kind == "warm_start":
    assert fmt.bos_id == tokenizer.token_to_id("[CLS]")
    assert banned == {"[PAD]", "[UNK]", "[CLS]", "[MASK]"}
  else:
    assert fmt.bos_id == fmt.eos_id and not banned
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  first = collections.Counter(
    formats.encode(tokenizer, row["text"])[0]
    for row in rows
    if row["split"] == "train"
  )
  assert fmt.first_tokens == dict(first)


# Dies if: an id that stands for no word, or one that is no text, can be drawn
# after BOS or later.
def test_what_is_no_word_is_never_drawn(tiny_bert):
  tokenizer = tokenizers.load(epath.Path(tiny_bert))
  size = tokenizer.get_vocab_size()
  rows = [formats.encode(tokenizer, text) for text in ("😂 ha", "who")]
  unk, who = rows[0][0], rows[1][0]
  assert unk == tokenizer.token_to_id("[UNK]")
  fmt = generator._format(
    tokenizer, rows, max_tokens=12, labels=(), vocab_size=size + 2
  )
  assert {unk, size, size + 1} < {*fmt.banned_ids}
  assert fmt.first_tokens == {who: 1}


def _fingerprint(folder):
  return {name: (folder / name).read_text() for name in _SAME}


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_goes_on_bit_for_bit_after_a_stop(
  drawn, config, progress, stop_after, stop
):
  # Dies if: the data's position or the best so far is not restored.
  generator.run(config, drawn, progress)
  expected = _fingerprint(drawn / "generator")
  (drawn / "generator").rmtree()
  (drawn / "generator").mkdir()
  stop_after(stop)
  with pytest.raises(signals.Stopped):
    generator.run(config, drawn, progress)
  generator.run(config, drawn, progress)
  assert _fingerprint(drawn / "generator") == expected
  # Until its manifest is written: a kill before would cost all steps.
  assert (drawn / "generator/resume").exists()


def test_stops_when_held_out_texts_get_no_better(drawn, config, progress):
  # Dies if: patience is not handed on.
  with config.unlocked():
    config.generator.update(
      learning_rate=0.0, eval_every_steps=1, patience=2, max_steps=8
    )
  generator.run(config, drawn, progress)
  summary = artefacts.read_json(drawn / "generator/summary.json")
  assert summary["steps"] == 3 and summary["chosen"]["step"] == 1


def test_labels_are_not_read(drawn, config, progress):
  with config.unlocked():
    config.generator.max_steps = 2
  generator.run(config, drawn, progress)
  expected = _fingerprint(drawn / "generator")
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  artefacts.write_jsonl(
    drawn / "data/labelled.jsonl", [row | {"label": 0} for row in rows]
  )
  generator.run(config, drawn, progress)
  assert _fingerprint(drawn / "generator") == expected


def test_an_unknown_kind_is_named(drawn, config, progress):
  with config.unlocked():
    config.generator.kind = "lstm"
  with pytest.raises(UserError, match="'lstm'; it can be 'warm_start'"):
    generator.run(config, drawn, progress)


def test_texts_longer_than_the_model_are_refused(drawn, config, progress):
  with config.unlocked():
    config.generator.max_tokens = 63
  with pytest.raises(UserError, match=r"max_tokens=63.*64 positions"):
    generator.run(config, drawn, progress)


@pytest.mark.parametrize("kind", ["pretrained", "scratch"])
def test_it_can_be_told_the_class(drawn, config, progress, gpt2_folder, kind):
  # Dies if: training and sampling frame a class's texts differently, a scratch
  # model has no positions for the prefix, or the prefix counts as text, be it
  # in the perplexity.
  with config.unlocked():
    config.generator.kind = kind
    config.generator.init = str(gpt2_folder)
    config.generator.condition = "prefix"
    config.generator.update(max_tokens=8, max_steps=1, eval_every_steps=1)
  generator.run(config, drawn, progress)
  folder = drawn / "generator"
  fmt = formats.load(folder)
  tokenizer = tokenizers.load(folder)
  labels = artefacts.read_json(drawn / "data/task.json")["labels"]
  assert fmt.prefixes == formats.make_prefixes(tokenizer, labels, fmt.bos_id)
  assert fmt.max_tokens == 8
  module = families.build(artefacts.read_json(folder / "model.json"))
  assert module.config.max_length >= 10 + fmt.prefix_length
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  total, count = _heldout_xent(folder, rows)
  summary = artefacts.read_json(folder / "summary.json")
  assert summary["heldout_tokens"] == count
  assert summary["heldout"]["xent"] == pytest.approx(total / count, rel=1e-4)


def test_an_unknown_condition_is_refused(drawn, config, progress):
  with config.unlocked():
    config.generator.condition = "labels"
  with pytest.raises(UserError, match="condition is 'labels'; it can be"):
    generator.run(config, drawn, progress)


@pytest.fixture
def by_class(config):
  """A generator for each of the two classes, who ask alike by one word."""
  with config.unlocked():
    config.generator.update(condition="per_class", kind="scratch")
  return config


def test_each_class_can_have_a_generator(drawn, by_class, progress):
  # Dies if: a generator reads the other class's texts, all get the same
  # parameters, or the mean over classes is not weighted by tokens.
  counts = generator.run(by_class, drawn, progress)
  folder = drawn / "generator"
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  folders = formats.folders(folder)
  assert [path.name for path in folders] == ["class-00000", "class-00001"]
  found = [
    [
      _heldout_xent(
        path, [row for row in rows if row["label"] == label], shared=folder
      )
      for path in folders
    ]
    for label in (0, 1)
  ]
  for label, of_generators in enumerate(found):
    means = [total / tokens for total, tokens in of_generators]
    assert np.argmin(means) == label
    fmt = formats.load(folders[label])
    train = [r for r in rows if (r["split"], r["label"]) == ("train", label)]
    assert sum(fmt.first_tokens.values()) == len(train) == 15
    assert not fmt.prefixes
  own = [found[label][label] for label in (0, 1)]
  total, tokens = np.sum(own, axis=0)
  assert counts["heldout_perplexity"] == pytest.approx(
    np.exp(total / tokens), rel=1e-3
  )
  assert counts["train_rows"] == 30 and counts["classes"] == 2
  summary = artefacts.read_json(folder / "summary.json")
  assert summary["heldout_tokens"] == tokens
  assert summary["params_total"] == sum(
    part["params_total"] for part in summary["classes"]
  )


def test_a_class_that_is_done_is_not_trained_anew(
  drawn, by_class, progress, stop_after
):
  # Dies if: a stop in the second class loses the first one's training, or a
  # damaged checkpoint is taken for one that is done.
  generator.run(by_class, drawn, progress)
  folder = drawn / "generator"
  first, second = (
    artefacts.read_json(path / "params.json")
    for path in formats.folders(folder)
  )
  expected = _fingerprint_of_classes(folder)
  folder.rmtree()
  folder.mkdir()
  stop_after(12)  # Each has 8 steps.
  with pytest.raises(signals.Stopped):
    generator.run(by_class, drawn, progress)
  kept, begun = formats.folders(folder)
  assert artefacts.read_json(kept / "params.json") == first
  assert (begun / "resume").exists() and not (kept / "resume").exists()
  written = (kept / "params.json").stat().mtime
  generator.run(by_class, drawn, progress)
  assert (kept / "params.json").stat().mtime == written
  assert artefacts.read_json(begun / "params.json") == second
  assert _fingerprint_of_classes(folder) == expected
  assert not list(folder.glob("*/resume"))
  (kept / "params").rmtree()
  generator.run(by_class, drawn, progress)
  assert artefacts.read_json(kept / "params.json") == first
  checkpoints.load_params(kept)


def _fingerprint_of_classes(folder):
  shared = ("model.json", "tokenizer.json", "summary.json")
  own = ("params.json", "summary.json", "format.json")
  return [(folder / name).read_text() for name in shared] + [
    (path / name).read_text()
    for path in formats.folders(folder)
    for name in own
  ]


def test_a_class_without_text_has_no_generator(drawn, by_class, progress):
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  artefacts.write_jsonl(
    drawn / "data/labelled.jsonl", [row for row in rows if not row["label"]]
  )
  with pytest.raises(
    UserError, match="generator of 'person': there is no training text"
  ):
    generator.run(by_class, drawn, progress)


def test_classes_share_no_randomness(drawn, by_class, progress):
  # Dies if: all classes' orders and dropout come of one stream.
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  same = [row for row in rows if row["label"] == 0]
  rows = [*same, *({**row, "label": 1} for row in same)]
  artefacts.write_jsonl(drawn / "data/labelled.jsonl", rows)
  generator.run(by_class, drawn, progress)
  first, second = (
    artefacts.read_json(path / "params.json")["digest"]
    for path in formats.folders(drawn / "generator")
  )
  assert first != second


@pytest.mark.parametrize("heldout", [[], ["\u200b\u200b"]])
def test_a_class_without_held_out_text_is_judged_on_its_training_texts(
  drawn, by_class, progress, heldout
):
  # Dies if: a class that nothing can be held out of fails, or what it scores
  # on texts that it knows counts as held-out perplexity.
  with by_class.unlocked():
    by_class.generator.kind = "warm_start"
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  kept = [r for r in rows if (r["split"], r["label"]) != ("heldout", 1)]
  kept += [
    {"row_id": 999, "text": text, "label": 1, "split": "heldout"}
    for text in heldout
  ]
  artefacts.write_jsonl(drawn / "data/labelled.jsonl", kept)
  counts = generator.run(by_class, drawn, progress)
  (warning,) = progress.warnings
  assert "generator of 'person': no row is held out" in warning
  first = formats.folders(drawn / "generator")[0]
  alone = artefacts.read_json(first / "summary.json")["heldout"]["perplexity"]
  assert counts["heldout_perplexity"] == pytest.approx(alone, rel=1e-6)


def test_classes_go_on_from_one_general_model(
  drawn, by_class, progress, tmp_path
):
  # Dies if: each class reads the general text anew, or starts without it.
  artefacts.write_jsonl(drawn / "data/evaluation_texts.jsonl", [])
  file = tmp_path / "general.txt"
  file.write_text(
    "".join(f"a text of number {i} stands here\n" for i in range(80))
  )
  with by_class.unlocked():
    by_class.generator.pretrain_on = (str(file),)
    by_class.generator.pretrain_dir = str(tmp_path / "general")
    by_class.generator.pretrain.update(
      max_steps=3, batch_size=4, row_tokens=12, eval_every_steps=3
    )
    by_class.generator.update(learning_rate=0.0, max_steps=1)
  generator.run(by_class, drawn, progress)
  first, second = (
    artefacts.read_json(path / "params.json")["digest"]
    for path in formats.folders(drawn / "generator")
  )
  (general,) = (tmp_path / "general").rglob("params.json")
  assert first == second == artefacts.read_json(epath.Path(general))["digest"]
