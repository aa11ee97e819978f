# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/ -> generator/: a language model, finetuned on the labelled texts.

Labels are read only where `condition` is "prefix": otherwise the teacher alone
says later what a generated text is.
"""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices, hub, rngs
from gd_jax.data import batches, formats, general_text, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import bert, families, gpt2, pretrained
from gd_jax.progress import Progress
from gd_jax.training import lm, memory, pretraining

NAME = "generator"


def run(
  config: config_dict.ConfigDict, workdir: epath.Path, progress: Progress
) -> dict[str, Any]:
  """Trains the generator; keeps the parameters of least held-out perplexity.

  Returns:
    Counts and the held-out perplexity.

  Raises:
    UserError: A file is missing or damaged, the kind is unknown, or the
      training diverged.
    signals.Stopped: A signal came; the next call goes on from there.
  """
  c = config.generator
  folder = workdir / NAME
  rows = artefacts.read_jsonl(workdir / "data/labelled.jsonl")
  split_rows = {
    split: [row for row in rows if row["split"] == split]
    for split in ("train", "heldout")
  }
  if not split_rows["heldout"]:
    progress.warn(
      "generator: no row is held out, so nothing stops it from learning the"
      " texts by heart; raise data.heldout_fraction"
    )
    split_rows["heldout"] = split_rows["train"]
  labels = _labels(c, workdir)
  texts = [row["text"] for row in split_rows["train"]]
  mesh = devices.mesh(config.mesh)
  memory.check_batch(c, NAME, mesh)
  if c.pretrain_on:
    memory.check_batch(pretraining.batch_fields(c), pretraining.NAME, mesh)
  general = _read_general(c, workdir, progress)
  module, params, tokenizer = _start(c, config.seed, texts, labels, general)
  first = None
  if general:
    first = pretraining.run(
      c,
      module,
      params,
      tokenizer,
      general,
      mesh=mesh,
      progress=progress,
    )
    params = first.params
  ids = {
    split: [formats.encode(tokenizer, row["text"]) for row in rows]
    for split, rows in split_rows.items()
  }
  fmt = _format(tokenizer, ids["train"], max_tokens=c.max_tokens, labels=labels)
  train, heldout = (
    batches.from_rows(
      [
        formats.frame(text_ids, fmt, row.get("label"))
        for text_ids, row in zip(ids[split], split_rows[split], strict=True)
        if text_ids
      ]
    )
    for split in ("train", "heldout")
  )
  # The table of words works, too: as the head.
  tokens = c.max_steps * c.batch_size * train["mask"].sum(axis=1).mean()
  operations = 6 * tokens * families.count_params(params)
  progress.say(
    f"generator: finetune a {c.kind} language model on"
    f" {len(train['tokens']):,} texts, at most {c.max_steps} steps of"
    f" {c.batch_size}; stopped by {len(heldout['tokens']):,} held-out texts;"
    f" {devices.about(operations)} at most"
  )
  best = lm.train(
    c,
    module,
    params,
    name=NAME,
    train_rows=train,
    heldout={"": heldout},
    order_seed=rngs.derived_seed(config.seed, NAME, "order"),
    dropout_rng=rngs.stream(config.seed, NAME, "dropout"),
    mesh=mesh,
    accumulate_steps=c.accumulate_steps,
    folder=folder,
    progress=progress,
  )

  checkpoints.save_params(folder, best.best_params)
  if not devices.is_first():
    return {}
  tokenizers.save(folder, tokenizer)
  formats.save(folder, fmt)
  artefacts.write_json(folder / "model.json", families.spec_of(module))
  chosen = best.record["best"]
  summary = {
    "chosen": {"step": chosen["step"]},
    "heldout": chosen["scores"],
    "steps": int(best.state.step),
    "train_rows": len(train["tokens"]),
    "heldout_rows": len(heldout["tokens"]),
    "params_total": families.count_params(best.best_params),
    "pretraining": first.summary if first else None,
  }
  artefacts.write_json(folder / "summary.json", summary)
  perplexity = chosen["scores"]["perplexity"]
  progress.say(
    f"generator: held-out perplexity {perplexity:.1f} a token"
    f" after {chosen['step']} steps"
  )
  checkpoints.Resume(folder).clear()
  return {
    "train_rows": summary["train_rows"],
    "heldout_rows": summary["heldout_rows"],
    "heldout_perplexity": perplexity,
    "chosen_step": chosen["step"],
  }


def _labels(c, workdir: epath.Path) -> list[str]:
  """The classes that the generator is told of: all, or none."""
  if c.condition not in (None, "prefix"):
    raise UserError(
      f"config.generator.condition is {c.condition!r}; it can be 'prefix' or"
      " None"
    )
  if c.condition is None:
    return []
  return artefacts.read_json(workdir / "data/task.json")["labels"]


def _read_general(
  c, workdir: epath.Path, progress: Progress
) -> list[general_text.Domain]:
  """The files of general text, without what the run is judged on."""
  if not c.pretrain_on:
    return []
  progress.say(f"generator: reading {len(c.pretrain_on)} files of general text")
  texts = artefacts.read_jsonl(workdir / "data/evaluation_texts.jsonl")
  domains = pretraining.read(c, [row["text"] for row in texts])
  for domain in domains:
    if domain.copies:
      progress.warn(
        f"generator: {len(domain.copies)} lines of {domain.name} hold a text"
        f" that the run is judged on, line {domain.copies[0]} the first; they"
        " are left out"
      )
  return domains


def _start(
  c,
  seed: int,
  texts: list[str],
  labels: list[str],
  general: list[general_text.Domain],
):
  """(module, params, tokenizer) of `c.kind` before any training.

  One that is to read general text first depends on no task.
  """
  if general:
    seed = c.pretrain.seed
    texts = [text for domain in general for text in domain.train]
  if c.kind not in KINDS:
    raise UserError(
      f"config.generator.kind is {c.kind!r}; it can be"
      f" {' or '.join(map(repr, KINDS))}"
    )
  return KINDS[c.kind](c, seed, texts, labels)


def _warm_start(c, seed: int, texts: list[str], labels: list[str]):
  """An encoder turned decoder."""
  del seed, texts
  init = epath.Path(hub.resolve(c.init, allow_download=c.allow_download))
  tokenizer = tokenizers.load(init)
  model_config, params = pretrained.load_bert(init)
  tokenizers.require_bert(tokenizer, init, vocab_size=model_config.vocab_size)
  module = bert.BertDecoder(
    _fitted(c, model_config, tokenizer, labels), **memory.module_fields(c, NAME)
  )
  return module, pretrained.warm_start(params), tokenizer


def _pretrained(c, seed: int, texts: list[str], labels: list[str]):
  """A GPT-2 as it was published."""
  del seed, texts
  init = epath.Path(hub.resolve(c.init, allow_download=c.allow_download))
  tokenizer = tokenizers.load(init)
  model_config, params = pretrained.load_gpt2(init)
  module = gpt2.Gpt2(
    _fitted(c, model_config, tokenizer, labels), **memory.module_fields(c, NAME)
  )
  return module, params, tokenizer


def _scratch(c, seed: int, texts: list[str], labels: list[str]):
  """A small GPT-2 that knows nothing but the texts."""
  tokenizer = tokenizers.train_byte_bpe(texts, vocab_size=c.scratch.vocab_size)
  module = gpt2.Gpt2(
    gpt2.Gpt2Config(
      vocab_size=tokenizer.get_vocab_size(),
      width=c.scratch.width,
      num_layers=c.scratch.num_layers,
      num_heads=c.scratch.num_heads,
      mlp_width=4 * c.scratch.width,
      max_length=positions(c, tokenizer, labels),
      dropout=c.dropout,
    ),
    **memory.module_fields(c, NAME),
  )
  params = families.init_params(module, rngs.stream(seed, NAME, "init"))
  return module, params, tokenizer


# What config.generator.kind can be: (config.generator, seed, texts to train on,
# names of the classes it is told of) -> (module, params, tokenizer).
KINDS: dict[str, Callable[..., Any]] = {
  "warm_start": _warm_start,
  "pretrained": _pretrained,
  "scratch": _scratch,
}


def _fitted(c, model_config: Any, tokenizer, labels: list[str]) -> Any:
  """The model's config with our dropout, if our texts fit its positions."""
  if positions(c, tokenizer, labels) > model_config.max_length:
    raise UserError(
      f"config.generator.max_tokens={c.max_tokens}, pretrain.row_tokens="
      f"{c.pretrain.row_tokens}: {c.init} has {model_config.max_length}"
      " positions, two of a text's for BOS and EOS"
    )
  return dataclasses.replace(model_config, dropout=c.dropout)


def _prefixes(tokenizer, labels: list[str]) -> tuple[tuple[int, ...], ...]:
  bos_id = tokenizers.require_id(tokenizer, "[CLS]", tokenizers.END_OF_TEXT)
  return formats.make_prefixes(tokenizer, labels, bos_id) if labels else ()


def positions(c, tokenizer, labels: list[str]) -> int:
  """Of the longest row: BOS, prefix, text and EOS; or one of general text."""
  prefix = max(map(len, _prefixes(tokenizer, labels)), default=0)
  packed = c.pretrain.row_tokens if c.pretrain_on else 0
  return max(c.max_tokens + 2 + prefix, packed)


def _format(
  tokenizer, ids, *, max_tokens: int, labels: list[str]
) -> formats.Format:
  eos_id = tokenizers.require_id(tokenizer, "[SEP]", tokenizers.END_OF_TEXT)
  banned = set(tokenizers.unwritable_ids(tokenizer)) - {eos_id}
  first = collections.Counter(row[0] for row in ids if row)
  return formats.Format(
    bos_id=tokenizers.require_id(tokenizer, "[CLS]", tokenizers.END_OF_TEXT),
    eos_id=eos_id,
    max_tokens=max_tokens,
    banned_ids=tuple(sorted(banned)),
    first_tokens=dict(sorted(first.items())),
    prefixes=_prefixes(tokenizer, labels),
  )
