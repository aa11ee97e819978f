# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""model_card.md: every figure in it is read from results.json."""

import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gd_jax import predict
from gd_jax.reporting import arms, words
from gd_jax.training.arms import ARMS

_USE = """\
With `gd_jax`: `gd_jax.load(FOLDER{how})("a text")`."""
_WITHOUT = """ Without it, by `onnxruntime`,
`tokenizers` and `numpy` alone:

```python
import numpy as np, onnxruntime, tokenizers
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")
session = onnxruntime.InferenceSession("{model}")
ids = tokenizer.encode("{text}").ids[:{max_tokens}] or [{unknown}]
logits, probabilities = session.run(None, {{"tokens": np.int32([ids])}})
```"""


def render(
  results: Mapping[str, Any],
  config: Mapping[str, Any],
  *,
  heldout: Mapping[str, float],
  sizes: Sequence[tuple[str, int]],
) -> str:
  """The card.

  Args:
    results: results.json of the run.
    config: config.json of the export.
    heldout: The student's scores on held-out rows; may be empty.
    sizes: (file, bytes) of the models.
  """
  arm = results["arms"][config["arm"]]
  blocks = [
    f"# {_cell(results['task'])}: a text classifier of "
    f"{words.short(arm['params_total'])} parameters",
    _what_it_is(results, config, heldout),
    "## Scores\n\n" + _scores(results),
    "## Classes\n\n" + _classes(results),
    "## Files\n\n" + _files(sizes),
    "## Use\n\n" + _use(config, {name for name, _ in sizes}),
    "## Generated texts\n\n" + _corpus(results["corpus_health"], config),
    "## Limits\n\n" + _limits(results, config),
    "## Origin and licences\n\n" + _origin(results, config["model"]["family"]),
  ]
  return "\n\n".join(blocks) + "\n"


def _use(config, there: Collection[str]) -> str:
  """How the models that are there answer."""
  for model, how in ((predict.ONNX, ""), (predict.INT8, ", int8=True")):
    if model in there:
      return _USE.format(how=how) + _WITHOUT.format(
        model=model,
        text="a text",
        max_tokens=config["max_tokens"],
        unknown=config["unk_id"],
      )
  return _USE.format(how=', backend="jax"')


def _what_it_is(results, config, heldout) -> str:
  chosen = (
    f"best of its seeds on held-out labelled rows "
    f"({words.percent(heldout['accuracy'])}% accuracy there)"
    if heldout and config["chosen"]
    else "chosen by name"
    if not config["chosen"]
    else "the first of its seeds, as no row was held out"
  )
  return (
    f"Arm `{config['arm']}`, seed {config['seed']} "
    f"({chosen}; test scores chose nothing). "
    f"{arms.in_words(config['arm'])}\n\n"
    f"{_how_it_learned(results, config)}"
  )


def _how_it_learned(results, config) -> str:
  """What texts the arm's students see, and who told them the classes."""
  arm, student = ARMS[config["arm"]], f"this `{config['model']['family']}`"
  method = "generation-distillation (arXiv 2002.00733)"
  made = f"Made with gd_jax {config['gd_jax']}, to be compared with {method}"
  if _reads_generated(config):
    made = f"Made by {method} with gd_jax {config['gd_jax']}"
  labelled = f"{words.count(results['num_labelled'])} labelled texts"
  if arm.texts is None and arm.labelled_hard == 1:
    return f"{made}: {student} learned the labels of {labelled}."
  others = {
    None: "",
    "generated": ", a language model finetuned on the same texts wrote "
    f"{words.count(results['num_synthetic'])} more",
    "rules": ", word rules made more texts of these",
    "real": ", real texts without labels were added",
  }[arm.texts]
  said = (
    "which class the BERT gives those"
    if arm.generated_hard == 1
    else "what the BERT says of them"
  )
  return (
    f"{made}: a BERT was finetuned on {labelled}{others}, and {student} "
    f"learned {said}."
  )


def _scores(results) -> str:
  rows = [
    [
      f"`{name}`",
      words.spread(arm["accuracy"]),
      words.spread(arm["macro_f1"]),
      str(arm["num_seeds"]),
      words.short(arm["params_total"]),
    ]
    for name, arm in (
      (name, results["arms"][name]) for name in arms.in_order(results["arms"])
    )
  ]
  head = ["arm", "accuracy, %", "macro F1, %", "seeds", "parameters"]
  return (
    f"On {words.count(results['num_evaluated'])} {results['evaluate_on']} "
    f"texts. {results['spread']['std']}\n\n" + _table(head, rows)
  )


def _classes(results) -> str:
  health = results["corpus_health"]
  rows = [
    [
      _cell(label),
      words.percent(health["labelled_class_share"][label]),
      words.percent(health["class_share"][label]),
    ]
    for label in results["labels"]
  ]
  head = ["class", "labelled texts, %", "generated texts by the teacher, %"]
  return _table(head, rows)


def _files(sizes) -> str:
  rows = [[f"`{name}`", f"{size:,}"] for name, size in sizes]
  return (
    _table(["model", "bytes"], rows)
    + "\n\nTokens in ([texts, length], int32, 0 is padding), logits and "
    "probabilities out.\n`sha256sum -c SHA256SUMS` checks every file."
  )


def _corpus(health, config) -> str:
  kept, drawn = health["kept"], health["drawn"]
  removed = ", ".join(
    f"{words.count(number)} {reason.replace('_', ' ')}"
    for reason, number in health["removed"].items()
    if number
  )
  confidence = health["mean_confidence"]
  return (
    f"{words.count(drawn)} drawn, {words.count(kept)} kept"
    f" (removed: {removed or 'none'}); the teacher's mean confidence on them "
    f"is {'–' if confidence is None else words.percent(confidence) + '%'}."
    + ("" if _reads_generated(config) else " This student read none of them.")
  )


def _reads_generated(config) -> bool:
  return ARMS[config["arm"]].texts == "generated"


def _limits(results, config) -> str:
  return (
    f"- It always answers with one of its {results['num_classes']} classes, "
    "also where none fits.\n"
    f"- It reads the first {config['max_tokens']} word pieces of a text.\n"
    "- It was measured on texts like its labelled ones and on no others, and "
    "not for\n  bias between groups of people."
    + (
      "\n- A word that it has no vector of, be it a name or a number, is read "
      "as the\n  nearest that it has."
      # BlendCNN has vectors of all.
      if results["config"]["students"].get("left_out")
      and config["model"]["family"] != "blend_cnn"
      else ""
    )
    + (
      "\n- Generated texts repeat, and may exaggerate, what the labelled ones "
      "and the\n  language model hold."
      if _reads_generated(config)
      else ""
    )
  )


def _origin(results, family: str) -> str:
  c = results["config"]
  of_teacher = "Teacher, word pieces and initial embeddings"
  if c["students"]["embeddings"] != "teacher" or family == "blend_cnn":
    of_teacher = "Teacher and word pieces"
  return (
    f"- {of_teacher}: {_model(c['teacher']['init'])}.\n"
    f"- Generator: {_generator(c['generator'])}.\n"
    "- Labelled texts: by the terms of the data set, which are not known "
    "here.\n"
    "- gd_jax: Apache-2.0."
  )


def _generator(c) -> str:
  started = {
    "scratch": "trained from scratch",
    "warm_start": _model(c["init"]),
    "pretrained": _model(c["init"]),
  }
  # One of one's own may start from anything.
  start = started.get(c["kind"], f"of the kind {_cell(c['kind'])}")
  return start + _general_text(c)


def _general_text(c) -> str:
  """What it read before the labelled texts; files by name, without folders."""
  files = [_cell(pathlib.PurePath(f).name) for f in c.get("pretrain_on", ())]
  if not files:
    return ""
  return f", which first read general text ({', '.join(files)})"


def _model(name: str) -> str:
  if name == "minilm":
    return "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)"
  # A folder's path says nothing to others, and too much about its owner.
  name = name.rstrip("/").rsplit("/", 1)[-1]
  return f"{_cell(name)} (by its own licence)"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  lines = [head, ["---"] * len(head), *rows]
  return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
  """A name as plain text in Markdown, on one line."""
  shown = words.visible(text).replace("\n", " ")
  return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#" else c for c in shown)
