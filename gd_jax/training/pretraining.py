# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The generator's first stage: a language model that has read general text.

GPT-2 had read the web before it saw a task; a warm-started encoder has never
written a sentence. One model serves every task, draw and sweep that reads the
same texts: it is kept by the digest of all that it was made from, outside the
workdirs. A task whose evaluation texts stand in the files reads other texts,
without these lines, and has a model of its own.
"""

import contextlib
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from etils import epath
from jax.sharding import Mesh
from ml_collections import config_dict
from tokenizers import Tokenizer

from gd_jax import (
  artefacts,
  checkpoints,
  devices,
  hosts,
  hub,
  journal,
  rngs,
  signals,
  workdirs,
)
from gd_jax.data import general_text, tokenizers
from gd_jax.errors import InUseError, UserError
from gd_jax.models import families
from gd_jax.progress import Progress
from gd_jax.training import lm

NAME = "generator.pretrain"
# Beside the models: whatever lies inside an unfinished one has to be proven.
_LOCKS = "locks"
# So many packed rows of each domain judge; more would cost more than training.
_HELDOUT_ROWS = 64
_LOOK_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Pretrained:
  """What the first stage gives to the second.

  Attributes:
    params: The language model's.
    summary: JSON: tokens read, held-out perplexity in all and of each domain,
      and what was left out of the files.
  """

  params: Any
  summary: dict[str, Any]


def batch_fields(c: config_dict.ConfigDict) -> config_dict.ConfigDict:
  """The first stage's, of the section `generator`, for `memory.check_batch`."""
  fields = {"accumulate_steps": c.accumulate_steps}
  return config_dict.ConfigDict(fields | {"batch_size": c.pretrain.batch_size})


def read(
  c: config_dict.ConfigDict, evaluation_texts: Sequence[str]
) -> list[general_text.Domain]:
  """The domains of `c.pretrain_on`, without any evaluation text.

  None learns from what another holds out.

  Raises:
    UserError: A file can't be read, two have one name, or one has nothing of
      its own.
  """
  general_text.require_different_names(c.pretrain_on)
  return general_text.apart(
    [
      general_text.read(file, evaluation_texts)
      for file in sorted(c.pretrain_on)
    ]
  )


def run(
  c: config_dict.ConfigDict,
  module: Any,
  params: Any,
  tokenizer: Tokenizer,
  domains: Sequence[general_text.Domain],
  *,
  mesh: Mesh,
  progress: Progress,
) -> Pretrained:
  """Trains the general model, or takes the one that is there.

  Args:
    c: The section `generator`.
    module: The language model.
    params: Where it starts.
    tokenizer: Its own.
    domains: From `read`.
    mesh: Where batches go.
    progress: Where lines and bars go.

  Raises:
    UserError: The loss is not finite, what is kept is damaged, or its folder
      can't be written.
    signals.Stopped: A signal came; the next call goes on from there.
  """
  recipe = _recipe(c, module, tokenizer)
  inputs = {
    domain.name: artefacts.digest([domain.train, domain.heldout])
    for domain in domains
  }
  root = _root(c)
  folder = root / artefacts.digest([recipe, inputs])[:16]
  with contextlib.ExitStack() as stack:
    done = devices.is_first() and _is_done(folder)
    if devices.is_first() and not done:
      _hold(stack, root / _LOCKS / folder.name, progress)
      # Whoever held it until now may have made it.
      done = _is_done(folder)
    if hosts.agree(NAME, str(done)) == "True":
      progress.say(f"generator: the general language model in {folder} is used")
      return _load(folder)
    if devices.is_first():
      artefacts.begin(folder, config=recipe, inputs=inputs)
      for problem in workdirs.drop_unproven(folder):
        progress.warn(f"generator: {problem}: it is made anew")
    with journal.keep(folder, host=hosts.index()) as kept:
      counts = _train(
        c,
        module,
        params,
        tokenizer,
        domains,
        folder=folder,
        mesh=mesh,
        progress=progress,
      )
    if devices.is_first():
      artefacts.finish(
        folder,
        config=recipe,
        inputs=inputs,
        counts=counts,
        seconds=kept.seconds,
      )
      checkpoints.clear_resume(folder)
  devices.barrier("the general language model is kept")
  return _load(folder)


def _hold(
  stack: contextlib.ExitStack, lock: epath.Path, progress: Progress
) -> None:
  """Has `stack` hold `lock`, once no other process does.

  Draws that are started together need the same model, and the first makes it.

  Raises:
    UserError: It can't be written.
    signals.Stopped: A signal came while another process held it.
  """
  told = False
  while True:
    try:
      stack.enter_context(
        workdirs.lock(lock, option="config.generator.pretrain_dir")
      )
      return
    except InUseError as error:
      if not told:
        progress.say(
          f"generator: waits for the general language model ({error})"
        )
        told = True
    signals.check()
    time.sleep(_LOOK_SECONDS)


def _root(c: config_dict.ConfigDict) -> epath.Path:
  """Where general models are kept.

  Raises:
    UserError: Several hosts may not see the same place, or it is a file.
  """
  if c.pretrain_dir is None:
    if hosts.count() > 1:
      raise UserError(
        "config.generator.pretrain_dir is None: several hosts need a folder for"
        " the general language model that all of them see"
      )
    return epath.Path(hub.cache_dir() / "general_generators")
  root = workdirs.place(c.pretrain_dir)
  if root.exists() and not root.is_dir():
    raise UserError(
      f"config.generator.pretrain_dir={root}: it is a file; name a folder"
    )
  return root


def _is_done(folder: epath.Path) -> bool:
  """Whether it is there; its name says that it is of this very recipe."""
  try:
    if artefacts.read_manifest(folder) is None:
      return False
    problem = next(artefacts.problems(folder), None)
  except UserError:
    problem = f"{folder / artefacts.MANIFEST} is damaged"
  if problem is not None:
    raise UserError(
      f"{problem}: delete {folder}, and the same command makes it anew"
    )
  return True


def _recipe(
  c: config_dict.ConfigDict, module: Any, tokenizer: Tokenizer
) -> dict[str, Any]:
  """All but the texts that decides what the general model is."""
  recipe = {
    "kind": c.kind,
    "init": None if c.kind == "scratch" else hub.fingerprint(c.init),
    "model": families.spec_of(module),
    "tokenizer": artefacts.digest(tokenizer.to_str()),
    "pretrain": c.pretrain.to_dict(),
    "accumulate_steps": c.accumulate_steps,
  }
  # Where it is None nothing is said, as before it could be anything else:
  # models that were kept then are found.
  if c.matmul_dtype is not None:
    recipe["matmul_dtype"] = c.matmul_dtype
  return recipe


def _load(folder: epath.Path) -> Pretrained:
  summary = artefacts.read_json(folder / "summary.json")
  return Pretrained(checkpoints.load_params(folder), summary)


def _train(
  c, module, params, tokenizer, domains, *, folder, mesh, progress
) -> dict[str, Any]:
  recipe = c.pretrain
  bos_id = tokenizers.require_id(tokenizer, "[CLS]", tokenizers.END_OF_TEXT)
  eos_id = tokenizers.require_id(tokenizer, "[SEP]", tokenizers.END_OF_TEXT)

  def pack(texts):
    return general_text.pack(
      texts,
      tokenizer,
      bos_id=bos_id,
      eos_id=eos_id,
      row_tokens=recipe.row_tokens,
      seed=recipe.seed,
    )

  texts = [text for domain in domains for text in domain.train]
  train_rows = pack(texts)
  heldout = {
    domain.name: {
      name: rows[:_HELDOUT_ROWS] for name, rows in pack(domain.heldout).items()
    }
    for domain in domains
  }
  row_tokens = train_rows["tokens"].shape[1]
  num_tokens = train_rows["mask"].sum()
  read = recipe.max_steps * recipe.batch_size * row_tokens
  progress.say(
    f"generator: first a language model of general text, {len(texts):,} texts"
    f" of {len(domains)} files, {num_tokens:,} tokens, of which it reads"
    f" {read / num_tokens:.2f} times as many; kept in {folder};"
    f" {devices.about(6 * read * families.count_params(params))}"
  )
  best = lm.train(
    recipe,
    module,
    params,
    name=NAME,
    train_rows=train_rows,
    heldout=heldout,
    order_seed=rngs.derived_seed(recipe.seed, NAME, "order"),
    dropout_rng=rngs.stream(recipe.seed, NAME, "dropout"),
    mesh=mesh,
    accumulate_steps=c.accumulate_steps,
    folder=folder,
    progress=progress,
  )
  checkpoints.save_params(folder, best.best_params)
  chosen = best.record["best"]
  summary = {
    "chosen_step": chosen["step"],
    "steps": int(best.state.step),
    "tokens_read": int(best.state.step) * recipe.batch_size * row_tokens,
    "tokens_at_hand": int(num_tokens),
    "heldout": chosen["scores"],
    "texts": {domain.name: len(domain.train) for domain in domains},
    "copies_left_out": {domain.name: len(domain.copies) for domain in domains},
    "repeats_left_out": {domain.name: domain.repeats for domain in domains},
  }
  if devices.is_first():
    tokenizers.save(folder, tokenizer)
    artefacts.write_json(folder / "model.json", families.spec_of(module))
    artefacts.write_json(folder / "summary.json", summary)
  told = ", ".join(
    f"{domain.name} {chosen['scores'].get(f'perplexity_{domain.name}', 0):.0f}"
    for domain in domains
    if len(domains) > 1
  )
  progress.say(
    "generator: the general model's held-out perplexity a token is"
    f" {chosen['scores']['perplexity']:.0f}{f' ({told})' if told else ''}"
  )
  return {
    "texts": len(texts),
    "tokens_read": summary["tokens_read"],
    "heldout_perplexity": chosen["scores"]["perplexity"],
  }
