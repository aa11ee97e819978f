# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""data/ -> teacher/: BERT, finetuned on the labelled rows.

The recipe is made for few labels, where the usual three epochs often end at
chance (Mosbach et al. 2021): bias-corrected AdamW, a warm-up, enough steps,
slower layers below, and several restarts judged on the held-out rows.
"""

import dataclasses
import math
from collections.abc import Collection
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import (
  artefacts,
  checkpoints,
  devices,
  hosts,
  hub,
  rngs,
  workdirs,
)
from gd_jax.data import batches, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import bert, families, pretrained
from gd_jax.progress import Progress
from gd_jax.training import compiled, fit, memory, metrics, predict

NAME = "teacher"
# Holds the restarts that soft_labels averages, if config.teacher.keep is set.
_RESTARTS = "restarts"
_SCORES = "scores.json"
# Rows of one forward pass of an evaluation.
EVAL_BATCH_SIZE = 64


def run(
  config: config_dict.ConfigDict, workdir: epath.Path, progress: Progress
) -> dict[str, Any]:
  """Trains `config.teacher.restarts` teachers and keeps the best.

  Returns:
    Counts and the kept teacher's held-out scores.

  Raises:
    UserError: A file is missing or damaged, or the training diverged.
    signals.Stopped: A signal came; the next call goes on from there.
  """
  c = config.teacher
  folder = workdir / NAME
  num_classes = len(artefacts.read_json(workdir / "data/task.json")["labels"])
  rows = artefacts.read_jsonl(workdir / "data/labelled.jsonl")
  check(c)
  tokenizer, bert_config, bert_params = _bert(config)
  train, heldout = (
    _arrays(tokenizer, rows, split, max_tokens=config.data.max_tokens)
    for split in ("train", "heldout")
  )
  if not len(heldout["label"]):
    progress.warn(
      "teacher: no row is held out, so restarts are judged on the rows they"
      " were trained on; raise data.heldout_fraction"
    )
    heldout = train

  module = bert.BertClassifier(
    dataclasses.replace(bert_config, dropout=c.dropout),
    num_classes=num_classes,
    pooling=c.pooling,
    **memory.module_fields(c, NAME),
  )
  mesh = devices.mesh(config.mesh)
  memory.check_batch(c, NAME, mesh)
  total_steps = num_steps(c, len(train["label"]))
  rows_read = c.restarts * total_steps * c.batch_size
  tokens = rows_read * train["mask"].sum(axis=1).mean()
  progress.say(
    f"teacher: finetune {c.init} on {len(train['label']):,} rows,"
    f" {c.restarts} x {total_steps} steps of {c.batch_size};"
    f" judged on {len(heldout['label']):,} held-out rows;"
    f" {devices.about(6 * tokens * predict.count_working(bert_params))}"
  )

  best = _train(
    c,
    seed=config.seed,
    mesh=mesh,
    module=module,
    init_params=lambda rng: pretrained.classifier_params(
      bert_params, num_classes, rng, pooling=c.pooling
    ),
    train=train,
    heldout=heldout,
    total_steps=total_steps,
    folder=folder,
    progress=progress,
  )

  checkpoints.save_params(folder, best.best_params)
  if not devices.is_first():
    return {}
  if c.keep is not None:
    _keep_best(folder, restarts=c.restarts, number=c.keep)
  tokenizers.save(folder, tokenizer)
  artefacts.write_json(folder / "model.json", families.spec_of(module))
  chosen = best.record["best"]
  chance = float(np.bincount(heldout["label"]).max() / len(heldout["label"]))
  summary = {
    "restarts": best.record["rounds"],
    "chosen": {"restart": chosen["round"], "step": chosen["step"]},
    "heldout": chosen["scores"],
    "heldout_majority_share": chance,
    "total_steps": total_steps,
    "train_rows": len(train["label"]),
    "heldout_rows": len(heldout["label"]),
    "params_total": families.count_params(best.best_params),
  }
  artefacts.write_json(folder / "summary.json", summary)
  accuracy = chosen["scores"]["accuracy"]
  progress.say(
    f"teacher: {accuracy:.1%} of the held-out rows right"
    f" (the most frequent class alone: {chance:.1%})"
  )
  if accuracy <= near_chance(chance, len(heldout["label"])):
    progress.warn(
      f"teacher: {accuracy:.1%} on held-out rows is near chance ({chance:.1%})."
      " A student can't be better than what it copies: check the labels, give"
      " more rows, or raise teacher.restarts and teacher.min_steps"
    )
  return {
    "train_rows": summary["train_rows"],
    "heldout_rows": summary["heldout_rows"],
    "heldout_accuracy": accuracy,
    "chosen_restart": chosen["round"],
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
  _bert(config)


def _bert(config: config_dict.ConfigDict):
  """(tokenizer, config, params) of the model that training begins with."""
  c = config.teacher
  init = epath.Path(hub.resolve(c.init, allow_download=c.allow_download))
  tokenizer = tokenizers.load(init)
  bert_config, bert_params = pretrained.load_bert(init)
  tokenizers.require_bert(tokenizer, init, vocab_size=bert_config.vocab_size)
  if config.data.max_tokens > bert_config.max_length:
    raise UserError(
      f"config.data.max_tokens={config.data.max_tokens}: {c.init} has only"
      f" {bert_config.max_length} positions"
    )
  return tokenizer, bert_config, bert_params


def check(c: config_dict.ConfigDict) -> None:
  """Raises UserError if more are to be kept than are trained."""
  if c.keep is not None and not 1 <= c.keep <= c.restarts:
    raise UserError(
      f"config.teacher.keep is {c.keep}: of {c.restarts} restarts, 1 to"
      f" {c.restarts} can be kept, or None"
    )


def num_steps(c: config_dict.ConfigDict, num_rows: int) -> int:
  """Of one restart.

  Args:
    c: The section `teacher`.
    num_rows: To train on.
  """
  return max(c.total_epochs * math.ceil(num_rows / c.batch_size), c.min_steps)


def near_chance(majority_share: float, num_rows: int) -> float:
  """The accuracy up to which a teacher has learned nothing worth copying.

  Two standard errors above always guessing the most frequent class, and at
  least a tenth of the way from there to perfect.
  """
  standard_error = math.sqrt(majority_share * (1 - majority_share) / num_rows)
  return majority_share + max(2 * standard_error, 0.1 * (1 - majority_share))


def rank(scores: fit.Scores) -> tuple[float, float]:
  """Accuracy; where it ties, as it does on few rows, cross-entropy."""
  return scores["accuracy"], -scores["xent"]


def _keep_best(folder: epath.Path, *, restarts: int, number: int) -> None:
  """Removes all but the `number` restarts that do best on held-out rows.

  They are kept, and judged, as they are after their last step, where their
  learning rates have come down.
  """
  folders = [folder / _RESTARTS / str(restart) for restart in range(restarts)]
  # A run that was killed here has removed some of the worse ones.
  there = [each for each in folders if each.exists()]
  there.sort(
    key=lambda each: rank(artefacts.read_json(each / _SCORES)), reverse=True
  )
  for each in there[number:]:
    workdirs.clear(each)


def _has_lost_one(folder: epath.Path, number: int) -> bool:
  """Whether a file of one of the first `number` restarts was dropped.

  `_keep_best` removes the whole folder of those that are not kept.
  """
  return any(
    each.exists()
    and not ((each / "params.json").exists() and (each / _SCORES).exists())
    for each in (folder / _RESTARTS / str(i) for i in range(number))
  )


def _train(
  c,
  *,
  seed,
  mesh,
  module,
  init_params,
  train,
  heldout,
  total_steps,
  folder,
  progress,
) -> fit.Run:
  """All restarts, one after another, from wherever the last call stopped."""
  template = jax.eval_shape(init_params, jax.random.key(0))
  made = compiled.of_classifier(
    c, module, template, total_steps=total_steps, mesh=mesh
  )

  def evaluate(params):
    logits = predict.predict_logits(
      made.eval_step,
      params,
      heldout,
      num_classes=module.num_classes,
      batch_size=EVAL_BATCH_SIZE,
      mesh=mesh,
    )
    return metrics.classification_scores(logits, heldout["label"])

  def fresh_state(restart):
    params = init_params(rngs.stream(seed, NAME, "init", restart))
    return memory.fresh_state(params, made.tx, made.where)

  resume = checkpoints.Resume(folder)
  run_ = fit.load_run(resume, fit.first_run(fresh_state(0)))
  lost = c.keep is not None and _has_lost_one(folder, run_.record["round"])
  if c.keep is not None and hosts.agree(NAME, str(lost)) == "True":
    progress.warn("teacher: a restart to be kept is lost: all are made anew")
    resume.close()
    if devices.is_first():
      checkpoints.clear_resume(folder)
    devices.barrier("the teacher's states are removed")
    resume = checkpoints.Resume(folder)
    run_ = fit.first_run(fresh_state(0))
  start = run_.record["round"] * total_steps + int(run_.state.step)
  writer = metrics.MetricsWriter(
    folder, start_step=start, silent=not devices.is_first()
  )
  with progress.bar(
    NAME, c.restarts * total_steps, unit="steps", done=start
  ) as bar:
    while True:
      restart = run_.record["round"]
      order = batches.Batches(
        train,
        batch_size=c.batch_size,
        seed=rngs.derived_seed(seed, NAME, "order", restart),
      )
      run_ = fit.fit(
        run_,
        name=NAME,
        train_step=made.train_step,
        batch_at=order.at,
        rng=rngs.stream(seed, NAME, "dropout", restart),
        mesh=mesh,
        total_steps=total_steps,
        evaluate=evaluate,
        rank=rank,
        eval_every_steps=max(1, total_steps // c.evals),
        patience=None,
        resume=resume,
        writer=writer,
        bar=bar,
      )
      if c.keep is not None:
        last = folder / _RESTARTS / str(restart)
        checkpoints.save_params(last, run_.state.params)
        scores = evaluate(run_.state.params)
        if devices.is_first():
          artefacts.write_json(last / _SCORES, scores)
      if restart + 1 == c.restarts:
        break
      # A device may not hold two states.
      jax.tree.map(lambda x: x.delete(), run_.state)
      run_ = fit.next_round(run_, fresh_state(restart + 1))
  writer.close()
  resume.close()
  return fit.finished(run_)


def _arrays(tokenizer, rows, split: str, *, max_tokens: int) -> batches.Arrays:
  rows = [row for row in rows if row["split"] == split]
  texts = [row["text"] for row in rows]
  return batches.from_rows(
    tokenizers.encode_for_teacher(tokenizer, texts, max_tokens=max_tokens),
    label=np.array([row["label"] for row in rows], np.int32),
  )
