# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""teacher/ and corpus/ -> soft_labels/: the teacher's logits on every text.

Shard by shard; a shard whose rows and teacher are the same as when it was
written is kept, so that a corpus that grew costs only its new rows. Texts made
by word rules, where they are asked for, are made here and labelled alike, and
so are real texts that data/ has without labels.
"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices, signals
from gd_jax.data import (
  batches,
  logits,
  rules,
  texts,
  tokenizers,
  unlabelled,
)
from gd_jax.errors import UserError
from gd_jax.models import families
from gd_jax.progress import Progress
from gd_jax.training import memory, metrics, predict

NAME = "soft_labels"
_TOKENS_PER_WORD = 1.4


def run(
  config: config_dict.ConfigDict, workdir: epath.Path, progress: Progress
) -> dict[str, Any]:
  """Labels all labelled rows and the corpus' kept rows.

  Returns:
    Counts of rows.

  Raises:
    UserError: An artefact is missing or damaged.
    signals.Stopped: A signal came; whole shards are kept.
  """
  folder = workdir / NAME
  task = artefacts.read_json(workdir / "data/task.json")
  labelled = artefacts.read_jsonl(workdir / "data/labelled.jsonl")
  shards = list(_shards(workdir / "corpus"))
  num_kept = sum(len(rows) for _, rows in shards)
  made = _make_by_rules(config, folder, labelled, num_kept=num_kept)
  real = _real_texts(config, workdir, progress, num_kept=num_kept)
  label, num_working = _make_labeller(
    config, workdir, num_classes=len(task["labels"])
  )
  everything = [labelled, *(rows for _, rows in shards), made, real]
  words = sum(len(row["text"].split()) for rows in everything for row in rows)
  operations = 2 * _TOKENS_PER_WORD * words * num_working
  progress.say(
    f"soft_labels: the teacher reads {len(labelled):,} labelled,"
    f" {num_kept:,} generated, {len(made):,} rule-made and {len(real):,} real"
    " unlabelled texts;"
    f" {devices.about(operations)}"
  )
  teacher = _name_teacher(config.soft_labels, workdir / "teacher")
  files = [(logits.LABELLED, labelled)]
  files += [(logits.shard_name(index), rows) for index, rows in shards]
  if made:
    files.append((rules.LOGITS, made))
  if real:
    files.append((unlabelled.LOGITS, real))
  if devices.is_first():
    _drop_others(folder, {name for name, _ in files})
  own = devices.owned(files)
  with progress.bar(NAME, sum(len(rows) for _, rows in own)) as bar:
    for name, rows in own:
      meta = {"source": _source(rows, teacher)}
      if logits.load_meta(folder / name) == meta:
        bar.advance(len(rows))
        continue
      row_id = np.array([row["row_id"] for row in rows], np.int64)
      values = label(rows, bar, masked=name == rules.LOGITS)
      logits.save_logits(folder / name, row_id, values, **meta)
      signals.check()
  devices.barrier("the texts are labelled")
  if not devices.is_first():
    return {}
  artefacts.write_json(
    folder / "agreement.json", _agreement(folder, labelled, task["labels"])
  )
  return {
    "labelled_rows": len(labelled),
    "corpus_rows": num_kept,
    "rule_rows": len(made),
    "real_rows": len(real),
  }


def _make_by_rules(
  config, folder: epath.Path, labelled, *, num_kept: int
) -> list[dict[str, Any]]:
  """Texts made from the rows to train on, written to their file.

  Raises:
    UserError: The share asked for is less than one text.
  """
  path, share = folder / rules.TEXTS, config.soft_labels.rules
  if share is None:
    if devices.is_first():
      path.unlink(missing_ok=True)
    return []
  if not round(share * num_kept):
    raise UserError(
      f"config.soft_labels.rules is {share}, which makes no text of "
      f"{num_kept:,}: raise it, or set it to None"
    )
  made = rules.make(
    [row["text"] for row in labelled if row["split"] == "train"],
    num_texts=round(share * num_kept),
    seed=config.seed,
  )
  rows = [{"row_id": i, "text": text} for i, text in enumerate(made)]
  if devices.is_first():
    artefacts.write_jsonl(path, rows)
  return rows


def _real_texts(
  config, workdir: epath.Path, progress: Progress, *, num_kept: int
) -> list[dict[str, Any]]:
  """The first of those that data/ has without labels; it may have fewer."""
  path, wanted = workdir / "data" / unlabelled.TEXTS, num_kept
  if config.soft_labels.real_texts is not None:
    wanted = config.soft_labels.real_texts
  if not path.exists():
    return []
  real = artefacts.read_jsonl(path)[:wanted]
  if len(real) < wanted:
    progress.say(
      f"soft_labels: data/ has {len(real):,} real texts without labels, fewer"
      f" than the {wanted:,} wanted for the arm real_kd"
    )
  return real


def _make_labeller(config, workdir: epath.Path, *, num_classes: int):
  """(label, how many of the teacher's parameters work on each token).

  label(rows, bar, masked=) -> logits [N C], in the rows' order: of several
  teachers the mean.
  """
  mesh = devices.local_mesh()
  folder = workdir / "teacher"
  module = reading(
    config.soft_labels,
    families.build(artefacts.read_json(folder / "model.json")),
  )
  members = [
    jax.device_put(checkpoints.load_params(path), devices.everywhere(mesh))
    for path in predict.members(folder)
  ]
  tokenizer = tokenizers.load(folder)
  label_step = predict.make_label_step(module, mesh)

  def label(rows, bar, *, masked: bool):
    encode = tokenizers.encode_for_teacher
    if masked:
      encode = rules.encode_for_teacher
    ids = encode(
      tokenizer,
      [row["text"] for row in rows],
      max_tokens=config.data.max_tokens,
    )
    return predict.mean_logits(
      label_step,
      members,
      batches.from_rows(ids),
      num_classes=num_classes,
      batch_size=config.soft_labels.batch_size,
      mesh=mesh,
      bar=bar,
    )

  return label, sum(map(predict.count_working, members))


def reading(c: config_dict.ConfigDict, model: Any) -> Any:
  """The model as the section `soft_labels` has it read, however trained."""
  return model.clone(matmul_dtype=memory.matmul_dtype_of(c))


def _name_teacher(c: config_dict.ConfigDict, folder: epath.Path) -> str:
  """All that its logits depend on, but for the texts."""
  members = [
    artefacts.read_json(member / "params.json")["digest"]
    for member in predict.members(folder)
  ]
  name = "+".join(members)
  return name if c.matmul_dtype is None else f"{name} by {c.matmul_dtype}"


def _shards(corpus: epath.Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
  """(index, kept rows) of each drawn shard."""
  kept = {row["row_id"]: row for row in texts.read_kept(corpus)}
  for index in texts.shard_indices(corpus):
    ids = [row["row_id"] for row in texts.read_shard(corpus, index)]
    yield index, [kept[i] for i in ids if i in kept]


def _source(rows: list[dict[str, Any]], teacher: str) -> str:
  """A digest of all that the logits of these rows depend on."""
  return artefacts.digest([teacher, [[r["row_id"], r["text"]] for r in rows]])


def _drop_others(folder: epath.Path, names: set[str]) -> None:
  """Removes shards of a corpus that has fewer by now, and what isn't wanted."""
  others = [folder / rules.LOGITS, folder / unlabelled.LOGITS]
  for path in [*folder.glob("corpus-*.safetensors"), *others]:
    if path.name not in names:
      path.unlink(missing_ok=True)


def _agreement(folder: epath.Path, labelled, names) -> dict[str, Any]:
  """What the teacher makes of the rows: to be looked at before the students."""
  row_id, values = logits.load_logits(folder / logits.LABELLED)
  position = {int(i): n for n, i in enumerate(row_id)}
  result = {"labels": names}
  for split in ("train", "heldout"):
    rows = [row for row in labelled if row["split"] == split]
    if rows:
      at = [position[row["row_id"]] for row in rows]
      label = np.array([row["label"] for row in rows])
      scores = metrics.classification_scores(values[at], label)
      result[split] = scores | _confidence(values[at])
  _, values = logits.load_corpus_logits(folder)
  if len(values):
    result["corpus"] = _confidence(values)
  return result


def _confidence(values: np.ndarray) -> dict[str, Any]:
  """Class shares, mean largest probability and mean entropy (nats)."""
  probs = np.asarray(jax.nn.softmax(values.astype(np.float32), axis=-1))
  entropy = -np.sum(probs * np.log(np.maximum(probs, 1e-30)), axis=-1)
  shares = np.bincount(probs.argmax(-1), minlength=probs.shape[1]) / len(probs)
  return {
    "rows": len(probs),
    "class_share": [float(share) for share in shares],
    "mean_class_probability": [float(p) for p in probs.mean(axis=0)],
    "mean_confidence": float(probs.max(axis=-1).mean()),
    "mean_entropy": float(entropy.mean()),
  }
