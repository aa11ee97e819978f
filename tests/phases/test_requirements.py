# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is looked for before --redo removes what was made from it."""

import pytest
from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError
from gd_jax.models.pretrained import PretrainedError
from gd_jax.phases import export, generator, students, teacher

BY_MODULE = {"teacher": teacher, "generator": generator}


@pytest.mark.parametrize("name", BY_MODULE)
def test_the_model_to_begin_with(name, drawn, config, progress, tmp_path):
  # Dies if: the look is at another model, at its name alone, or at none.
  require = BY_MODULE[name].require
  require(config, drawn, (), progress)
  with config.unlocked():
    config[name].init = str(tmp_path / "gone")
  with pytest.raises(UserError, match="gone"):
    require(config, drawn, (), progress)
  (tmp_path / "gone").mkdir()
  with pytest.raises((UserError, PretrainedError), match="gone"):
    require(config, drawn, (), progress)
  assert not [*(drawn / name).iterdir()]


def test_a_generator_from_scratch_begins_with_nothing(drawn, config, progress):
  # Dies if: its init, which it never reads, is looked for.
  with config.unlocked():
    config.generator.update(kind="scratch", init="/nowhere")
  generator.require(config, drawn, (), progress)


def test_vectors_as_wide_as_the_teacher_s(drawn, config, progress):
  # Dies if: students go before it is seen that no new ones can be made.
  with pytest.raises(UserError, match=r"embed_width is 96.*\(32\)"):
    students.require(config, drawn, (), progress)
  model = {"config": {"width": 64}}
  artefacts.write_json(drawn / "teacher/model.json", model)
  init = epath.Path(config.teacher.init)
  (init / "tokenizer.json").copy(drawn / "teacher/tokenizer.json")
  with pytest.raises(UserError, match=r"embed_width is 96.*\(64\)"):
    students.require(config, drawn, (), progress)
  with config.unlocked():
    config.students.embeddings = "random"
  students.require(config, drawn, (), progress)


def test_room_for_the_teacher_s_characters(drawn, config, progress):
  # Dies if: it is seen only once teacher, generator and texts are made.
  with config.unlocked():
    config.students.update(embed_width=32, vocab_size=3)
  with pytest.raises(UserError, match="vocab_size is 3, but"):
    students.require(config, drawn, (), progress)


def test_vectors_as_wide_as_the_teacher_that_will_be(drawn, config, progress):
  # Dies if: the teacher that goes is asked, which may be damaged, not the next.
  (drawn / "teacher/model.json").write_text("{")
  with pytest.raises(UserError, match=r"embed_width is 96.*\(32\)"):
    students.require(config, drawn, ("teacher", "students"), progress)
  with config.unlocked():
    config.students.embed_width = 32
  students.require(config, drawn, ("teacher", "students"), progress)


def test_the_demo_s_runtime(drawn, config, progress):
  # Dies if: a good export goes before it is seen that no demo can be made.
  with config.unlocked():
    config.export.onnxruntime_web = "/nowhere.tgz"
  export.require(config, drawn, (), progress)
  with config.unlocked():
    config.export.formats = ("onnx", "demo")
  with pytest.raises(UserError, match=r"nowhere\.tgz can't be read"):
    export.require(config, drawn, (), progress)
