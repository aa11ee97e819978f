# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/ -> generator/: a language model, finetuned on the labelled texts.

Labels are read only where `condition` asks for it: otherwise the teacher alone
says later what a generated text is.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from etils import epath
from jax.sharding import Mesh
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices, hosts, hub, rngs
from gd_jax.data import batches, formats, general_text, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import bert, decoding, families, gpt2, pretrained
from gd_jax.progress import Progress
from gd_jax.training import generator_parts, lm, memory, pretraining
from gd_jax.training.generator_parts import SUMMARY

NAME = "generator"


def run(
  config: config_dict.ConfigDict, workdir: epath.Path, progress: Progress
) -> dict[str, Any]:
  """Trains the generator; keeps the parameters of least held-out perplexity.

  Where `condition` is "per_class", each class has a generator of its own: a
  class that is done is not trained anew after a stop.

  Returns:
    Counts and the held-out perplexity, over all classes' texts.

  Raises:
    UserError: A file is missing or damaged, the kind is unknown, a class has
      no text, or the training diverged.
    signals.Stopped: A signal came; the next call goes on from there.
  """
  c, folder = config.generator, workdir / NAME
  parts = generator_parts.of(workdir, folder, c.condition)
  mesh = devices.mesh(config.mesh)
  memory.check_batch(c, NAME, mesh)
  if c.pretrain_on:
    memory.check_batch(pretraining.batch_fields(c), pretraining.NAME, mesh)
  general = _read_general(c, workdir, progress)
  texts = [row["text"] for part in parts for row in part.train]
  start = _start(c, config.seed, texts, parts[0].prefixed, general)
  first = None
  if general:
    module, params, tokenizer = start
    first = pretraining.run(
      c,
      module,
      params,
      tokenizer,
      general,
      mesh=mesh,
      progress=progress,
    )
    start = module, first.params, tokenizer
  for part in parts:
    done = len(parts) > 1 and devices.is_first() and part.is_done()
    # A shared disk may show it to one host sooner than to another.
    if hosts.agree(NAME, str(done)) != "True":
      _finetune(config, part, start=start, mesh=mesh, progress=progress)
  if not devices.is_first():
    return {}
  module, _, tokenizer = start
  tokenizers.save(folder, tokenizer)
  artefacts.write_json(folder / "model.json", families.spec_of(module))
  summary = generator_parts.summary_of(
    [artefacts.read_json(part.folder / SUMMARY) for part in parts]
  )
  summary["pretraining"] = first.summary if first else None
  artefacts.write_json(folder / SUMMARY, summary)
  return {
    "train_rows": summary["train_rows"],
    "heldout_rows": summary["heldout_rows"],
    "heldout_perplexity": summary["heldout"]["perplexity"],
    **(
      {"classes": len(parts)}
      if len(parts) > 1
      else {"chosen_step": summary["chosen"]["step"]}
    ),
  }


def _finetune(
  config: config_dict.ConfigDict,
  part: generator_parts.Part,
  *,
  start: tuple[Any, Any, Any],
  mesh: Mesh,
  progress: Progress,
) -> None:
  """Trains one language model and writes it with its format and summary."""
  c, seed = config.generator, config.seed
  module, params, tokenizer = start
  rows = generator_parts.encoded(
    part, functools.partial(formats.encode, tokenizer), progress
  )
  fmt = _format(
    tokenizer,
    [ids for ids, _ in rows["train"]],
    max_tokens=c.max_tokens,
    labels=part.prefixed,
    vocab_size=len(decoding.word_table(params)),
  )
  train, heldout = (
    batches.from_rows(
      [formats.frame(ids, fmt, label) for ids, label in rows[split]]
    )
    for split in ("train", "heldout")
  )
  # The table of words works, too: as the head.
  tokens = c.max_steps * c.batch_size * train["mask"].sum(axis=1).mean()
  operations = 6 * tokens * families.count_params(params)
  progress.say(
    f"{part.name}: finetune a {c.kind} language model on"
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
    order_seed=rngs.derived_seed(seed, NAME, "order", *part.streams),
    dropout_rng=rngs.stream(seed, NAME, "dropout", *part.streams),
    mesh=mesh,
    accumulate_steps=c.accumulate_steps,
    folder=part.folder,
    progress=progress,
    given=fmt.prefix_length,
  )
  checkpoints.save_params(part.folder, best.best_params)
  if not devices.is_first():
    return
  formats.save(part.folder, fmt)
  chosen = best.record["best"]
  heldout_tokens = 0
  if rows["heldout"] is not rows["train"]:
    # Each but BOS and the prefix is foretold.
    told = (1 + fmt.prefix_length) * len(heldout["mask"])
    heldout_tokens = int(heldout["mask"].sum()) - told
  summary = {
    "chosen": {"step": chosen["step"]},
    "heldout": chosen["scores"],
    "steps": int(best.state.step),
    "train_rows": len(train["tokens"]),
    "heldout_rows": len(heldout["tokens"]),
    "heldout_tokens": heldout_tokens,
    "params_total": families.count_params(best.best_params),
  }
  artefacts.write_json(part.folder / SUMMARY, summary)
  if part.streams:
    # So many classes' states would not fit a disk that fits one.
    checkpoints.Resume(part.folder).clear()
  perplexity = chosen["scores"]["perplexity"]
  progress.say(
    f"{part.name}: held-out perplexity {perplexity:.1f} a token"
    f" after {chosen['step']} steps"
  )


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
  labels: Sequence[str],
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


def _warm_start(c, seed: int, texts: list[str], labels: Sequence[str]):
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


def _pretrained(c, seed: int, texts: list[str], labels: Sequence[str]):
  """A GPT-2 as it was published."""
  del seed, texts
  init = epath.Path(hub.resolve(c.init, allow_download=c.allow_download))
  tokenizer = tokenizers.load(init)
  model_config, params = pretrained.load_gpt2(init)
  module = gpt2.Gpt2(
    _fitted(c, model_config, tokenizer, labels), **memory.module_fields(c, NAME)
  )
  return module, params, tokenizer


def _scratch(c, seed: int, texts: list[str], labels: Sequence[str]):
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


def require(
  config: config_dict.ConfigDict,
  workdir: epath.Path,
  cleared: Collection[str],
  progress: Progress,
) -> None:
  """Loads the model to begin with.

  Raises:
    UserError: It is not there, or has too few positions.
    PretrainedError: Its folder is no good.
  """
  del workdir, cleared, progress
  c = config.generator
  KINDS[c.kind](c, config.seed, [], ())


def _fitted(c, model_config: Any, tokenizer, labels: Sequence[str]) -> Any:
  """The model's config with our dropout, if our texts fit its positions."""
  if positions(c, tokenizer, labels) > model_config.max_length:
    raise UserError(
      f"config.generator.max_tokens={c.max_tokens}, pretrain.row_tokens="
      f"{c.pretrain.row_tokens}: {c.init} has {model_config.max_length}"
      " positions, two of a text's for BOS and EOS"
    )
  return dataclasses.replace(model_config, dropout=c.dropout)


def _prefixes(tokenizer, labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
  bos_id = tokenizers.require_id(tokenizer, "[CLS]", tokenizers.END_OF_TEXT)
  return formats.make_prefixes(tokenizer, labels, bos_id) if labels else ()


def positions(c, tokenizer, labels: Sequence[str]) -> int:
  """Of the longest row: BOS, prefix, text and EOS; or one of general text."""
  prefix = max(map(len, _prefixes(tokenizer, labels)), default=0)
  packed = c.pretrain.row_tokens if c.pretrain_on else 0
  return max(c.max_tokens + 2 + prefix, packed)


def _format(
  tokenizer, ids, *, max_tokens: int, labels: Sequence[str], vocab_size: int
) -> formats.Format:
  """How texts are written for a model of `vocab_size` ids, and never are."""
  eos_id = tokenizers.require_id(tokenizer, "[SEP]", tokenizers.END_OF_TEXT)
  # A table may be filled up to a round number by ids that are no words.
  banned = {*range(vocab_size)} - {*tokenizer.get_vocab().values()}
  banned |= {*tokenizers.unwritable_ids(tokenizer)} - {eos_id}
  first = collections.Counter(
    row[0] for row in ids if row and row[0] not in banned
  )
  return formats.Format(
    bos_id=tokenizers.require_id(tokenizer, "[CLS]", tokenizers.END_OF_TEXT),
    eos_id=eos_id,
    max_tokens=max_tokens,
    banned_ids=tuple(sorted(banned)),
    first_tokens=dict(sorted(first.items())),
    prefixes=_prefixes(tokenizer, labels),
  )
