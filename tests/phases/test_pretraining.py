# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The generator's first stage, through the phase that asks for it."""

import pytest

from gd_jax import artefacts, pipeline, recipes, signals, workdirs
from gd_jax.data import general_text, tokenizers
from gd_jax.errors import UserError
from gd_jax.phases import generator
from gd_jax.training import pretraining


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


def _kept(tmp_path, name="kept"):
  return [f for f in (tmp_path / name).iterdir() if f.name != "locks"]


def _summary(drawn):
  return artefacts.read_json(drawn / "generator/summary.json")["pretraining"]


def test_no_file_teaches_what_another_holds_out(general, tmp_path):
  # Dies if: files are read one by one, each apart from its own lines alone.
  file = tmp_path / "land.txt"
  (first,) = (
    domain
    for domain in pretraining.read(general.generator, [])
    if domain.name == "sea"
  )
  file.write_text("\n".join([file.read_text(), *first.heldout]))
  heldout, train = set(), set()
  for domain in pretraining.read(general.generator, []):
    heldout |= {*domain.heldout}
    train |= {*domain.train}
  assert {*first.heldout} <= heldout and not heldout & train


@pytest.mark.parametrize("kind", ["warm_start", "scratch"])
def test_general_text_is_learned_and_kept_for_all(
  drawn, general, progress, tmp_path, kind
):
  # Dies if: the model depends on the run's own texts or seed, or is made anew.
  with general.unlocked():
    general.generator.kind = kind
  generator.run(general, drawn, progress)
  # Dies if: the lock lies among the files that have to be proven.
  assert not any("not as it was written" in w for w in progress.warnings)
  (kept,) = _kept(tmp_path)
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
  assert _kept(tmp_path) == [kept]
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
  (kept,) = _kept(tmp_path)
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
  (other,) = _kept(tmp_path, "other")
  assert other.name == kept.name and not (other / "resume").exists()
  assert artefacts.read_json(other / "params.json") == digest
  assert artefacts.read_json(drawn / "generator/params.json") == final


# Dies if: one of several draws that are started together gives up, or makes the
# model once more when the other has.
def test_waits_for_who_makes_the_same_model(
  drawn, general, progress, tmp_path, monkeypatch
):
  generator.run(general, drawn, progress)
  (kept,) = _kept(tmp_path)
  made = (kept / "manifest.json").stat().st_mtime_ns
  kept.rename(tmp_path / "aside")
  other = workdirs.lock(tmp_path / "kept" / "locks" / kept.name)
  other.__enter__()

  def until_made(seconds):
    # The lock's own looks, which are shorter, sleep here as well.
    if seconds == pretraining._LOOK_SECONDS and not kept.exists():
      (tmp_path / "aside").rename(kept)
      other.__exit__(None, None, None)

  monkeypatch.setattr(pretraining.time, "sleep", until_made)
  generator.run(general, drawn, progress)
  assert (kept / "manifest.json").stat().st_mtime_ns == made


def test_a_signal_ends_the_waiting(drawn, general, progress, tmp_path):
  generator.run(general, drawn, progress)
  (kept,) = _kept(tmp_path)
  kept.rename(tmp_path / "aside")
  signals.ask_to_stop()
  with (
    workdirs.lock(tmp_path / "kept" / "locks" / kept.name),
    pytest.raises(signals.Stopped),
  ):
    generator.run(general, drawn, progress)


def test_a_folder_that_can_not_be_written_is_named(
  drawn, general, progress, tmp_path
):
  (tmp_path / "kept").mkdir()
  (tmp_path / "kept" / "locks").touch()
  with pytest.raises(
    UserError, match=r"another config\.generator\.pretrain_dir"
  ):
    generator.run(general, drawn, progress)


def test_a_home_is_meant_by_its_sign(
  drawn, general, progress, tmp_path, monkeypatch
):
  # Dies if: a folder named ~ is made, or a file in the home is not found.
  monkeypatch.setenv("HOME", str(tmp_path))
  monkeypatch.chdir(drawn)
  with general.unlocked():
    general.generator.pretrain_on = ("~/sea.txt", "~/land.txt")
    general.generator.pretrain_dir = "~/kept"
  general_text.require_files(general.generator.pretrain_on)
  generator.run(general, drawn, progress)
  assert len(_kept(tmp_path)) == 1
  assert not (drawn / "~").exists()


def test_what_is_kept_is_checked(drawn, general, progress, tmp_path):
  generator.run(general, drawn, progress)
  (kept,) = _kept(tmp_path)
  (kept / "summary.json").write_text("{}")
  with pytest.raises(UserError, match=f"delete {kept}, and the same command"):
    generator.run(general, drawn, progress)


def test_what_is_kept_may_have_lost_its_proof(
  drawn, general, progress, tmp_path
):
  # Dies if: a damaged manifest is told as a phase's.
  generator.run(general, drawn, progress)
  (kept,) = _kept(tmp_path)
  (kept / "manifest.json").write_text("{}")
  with pytest.raises(UserError, match=f"delete {kept}, and the same command"):
    generator.run(general, drawn, progress)


@pytest.mark.parametrize(
  ("field", "value", "words"),
  [
    ("pretrain_dir", __file__, "it is a file; name a folder"),
    ("accumulate_steps", 3, r"generator.pretrain.batch_size is 4: in 3 parts"),
  ],
)
def test_what_makes_no_sense_is_refused(
  drawn, general, progress, field, value, words
):
  with general.unlocked():
    general.generator.batch_size = 6
    general.generator[field] = value
  with pytest.raises(UserError, match=words):
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
  assert len(_kept(tmp_path)) == 2
  assert _summary(drawn)["copies_left_out"] == {"land": 0, "sea": 1}


# Dies if: a model is taken for one of other products; or those that were kept
# before products could be of another dtype are found no more.
def test_products_of_another_dtype_make_another_model(
  drawn, general, progress, tmp_path
):
  generator.run(general, drawn, progress)
  (kept,) = _kept(tmp_path)
  recipe = artefacts.read_json(kept / "manifest.json")["config"]
  assert "matmul_dtype" not in recipe
  with general.unlocked():
    general.generator.matmul_dtype = "bfloat16"
  generator.run(general, drawn, progress)
  assert len(_kept(tmp_path)) == 2


PHASE = next(phase for phase in pipeline.PHASES if phase.name == "generator")


def _finish(folder, config, inputs):
  artefacts.begin(folder, config=config, inputs=inputs)
  artefacts.finish(folder, config=config, inputs=inputs, counts={}, seconds=0)


def test_an_altered_file_is_another_recipe(general, drawn):
  # Dies if: the path stands for the text.
  phase = PHASE
  general.lock()
  (drawn / "data").rmtree()
  _finish(drawn / "data", {}, {})
  before = recipes.inputs_of(phase, general, drawn)
  file = general.generator.pretrain_on[0]
  with open(file, "a", encoding="utf-8") as text:
    text.write("\none more line")
  after = recipes.inputs_of(phase, general, drawn)
  assert before["texts"] != after["texts"]
  assert before["model"] == after["model"]


def test_a_done_generator_needs_its_files_no_more(general, drawn, tmp_path):
  # Dies if: a workdir that was moved without the general text is refused, or
  # one whose generator has read none passes for one that has.
  for name in ("data", "generator"):
    (drawn / name).rmtree()
  _finish(drawn / "data", {}, {})
  fields = recipes.recipe_config(general, PHASE)
  _finish(drawn / "generator", fields, recipes.inputs_of(PHASE, general, drawn))
  (tmp_path / "sea.txt").unlink()

  def changed():
    return recipes.changes(
      recipes.recipe_of(drawn / "generator"),
      PHASE,
      config=fields,
      inputs=recipes.inputs_of(PHASE, general, drawn),
    )

  assert changed() == []
  (drawn / "generator").rmtree()
  _finish(drawn / "generator", fields, {})
  assert "the artefact texts" in [found.field for found in changed()]


def test_settings_of_what_is_not_read_decide_nothing(general):
  # Dies if: a generator without general text is another one when they change.
  with general.unlocked():
    general.generator.pretrain_on = ()
  before = recipes.recipe_config(general, PHASE)
  with general.unlocked():
    general.generator.pretrain.max_steps = 9
  assert recipes.recipe_config(general, PHASE) == before


def test_files_are_looked_for_before_any_phase(general, tmp_path, progress):
  # Dies if: the teacher is trained before the generator's files are missed.
  with general.unlocked():
    general.generator.pretrain_on = (str(tmp_path / "gone.txt"),)
  with pytest.raises(UserError, match=r"there is no file .*gone\.txt"):
    pipeline.run(general, tmp_path / "new", progress=progress)
  assert not (tmp_path / "new" / "data").exists()
