# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The generator's first stage, through the phase that asks for it."""

import pytest

from gd_jax import artefacts, pipeline, recipes, signals
from gd_jax.data import tokenizers
from gd_jax.errors import UserError
from gd_jax.phases import generator


@pytest.fixture
def general(drawn, config, tmp_path):
  """config, made to read two files of general text first."""
  artefacts.write_jsonl(
    drawn / "data/evaluation_texts.jsonl", [{"row_id": 0, "text": "who is it"}]
  )
  things = ["boat", "mill", "lamp", "gate", "fish"]
  for name, words in {"sea": "sails past the", "land": "walks to a"}.items():
    lines = [f"the {a} {words} {b}" for a in things for b in things]
    (tmp_path / f"{name}.txt").write_text("\n".join(lines))
  with config.unlocked():
    config.generator.pretrain_on = (
      str(tmp_path / "sea.txt"),
      str(tmp_path / "land.txt"),
    )
    config.generator.pretrain_dir = str(tmp_path / "kept")
    config.generator.pretrain.update(
      max_steps=6,
      eval_every_steps=2,
      batch_size=4,
      row_tokens=16,
      learning_rate=3e-3,
    )
    config.generator.max_steps = 2
  return config


def _summary(drawn):
  return artefacts.read_json(drawn / "generator/summary.json")["pretraining"]


@pytest.mark.parametrize("kind", ["warm_start", "scratch"])
def test_general_text_is_learned_and_kept_for_all(
  drawn, general, progress, tmp_path, kind
):
  # Dies if: the model depends on the run's own texts or seed, or is made anew.
  with general.unlocked():
    general.generator.kind = kind
  generator.run(general, drawn, progress)
  (kept,) = (tmp_path / "kept").iterdir()
  made = (kept / "manifest.json").read_text()
  found = _summary(drawn)
  assert {"perplexity_sea", "perplexity_land"} < found["heldout"].keys()
  size = tokenizers.load(drawn / "generator").get_vocab_size()
  assert found["heldout"]["perplexity"] < 0.9 * size
  assert found["tokens_read"] == 6 * 4 * 16
  with general.unlocked():
    general.seed = 7
  rows = artefacts.read_jsonl(drawn / "data/labelled.jsonl")
  artefacts.write_jsonl(drawn / "data/labelled.jsonl", rows[1:])
  generator.run(general, drawn, progress)
  assert [*(tmp_path / "kept").iterdir()] == [kept]
  assert (kept / "manifest.json").read_text() == made
  assert _summary(drawn) == found


def test_the_task_goes_on_from_the_general_model(drawn, general, progress):
  # Dies if: finetuning starts from the parameters of before.
  with general.unlocked():
    general.generator.update(learning_rate=1e-9, max_steps=1)
    general.generator.pretrain.update(max_steps=25, eval_every_steps=25)
  generator.run(general, drawn, progress)
  after = artefacts.read_json(drawn / "generator/summary.json")["heldout"]
  with general.unlocked():
    general.generator.pretrain_on = ()
  generator.run(general, drawn, progress)
  before = artefacts.read_json(drawn / "generator/summary.json")["heldout"]
  assert after["perplexity"] < 0.9 * before["perplexity"]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 4, 7])
def test_goes_on_bit_for_bit_after_a_stop(
  drawn, general, progress, tmp_path, stop_after, stop
):
  # Dies if: the first stage is not resumed, or is resumed as the second.
  generator.run(general, drawn, progress)
  (kept,) = (tmp_path / "kept").iterdir()
  digest = artefacts.read_json(kept / "params.json")
  final = artefacts.read_json(drawn / "generator/params.json")
  with general.unlocked():
    general.generator.pretrain_dir = str(tmp_path / "other")
  (drawn / "generator").rmtree()
  (drawn / "generator").mkdir()
  stop_after(stop)
  with pytest.raises(signals.Stopped):
    generator.run(general, drawn, progress)
  generator.run(general, drawn, progress)
  (other,) = (tmp_path / "other").iterdir()
  assert other.name == kept.name and not (other / "resume").exists()
  assert artefacts.read_json(other / "params.json") == digest
  assert artefacts.read_json(drawn / "generator/params.json") == final


def test_what_is_kept_is_checked(drawn, general, progress, tmp_path):
  generator.run(general, drawn, progress)
  (kept,) = (tmp_path / "kept").iterdir()
  (kept / "summary.json").write_text("{}")
  with pytest.raises(UserError, match=f"delete {kept}, and the same command"):
    generator.run(general, drawn, progress)


def test_evaluation_texts_make_a_model_of_their_own(
  drawn, general, progress, tmp_path, capfd
):
  # Dies if: lines with an evaluation text are read, or the model that did so
  # is taken.
  generator.run(general, drawn, progress)
  artefacts.write_jsonl(
    drawn / "data/evaluation_texts.jsonl",
    [{"row_id": 0, "text": "The boat sails past the mill."}],
  )
  generator.run(general, drawn, progress)
  assert len([*(tmp_path / "kept").iterdir()]) == 2
  assert _summary(drawn)["copies_left_out"] == {"land": 0, "sea": 1}


def test_an_altered_file_is_another_recipe(general, drawn):
  # Dies if: the path stands for the text.
  phase = next(p for p in pipeline.PHASES if p.name == "generator")
  general.lock()
  (drawn / "data").rmtree()
  artefacts.begin(drawn / "data", config={}, inputs={})
  artefacts.finish(drawn / "data", config={}, inputs={}, counts={}, seconds=0)
  before = recipes.inputs_of(phase, general, drawn)
  file = general.generator.pretrain_on[0]
  with open(file, "a", encoding="utf-8") as text:
    text.write("\none more line")
  after = recipes.inputs_of(phase, general, drawn)
  assert before["texts"] != after["texts"]
  assert before["model"] == after["model"]
