# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is looked for before --redo removes what was made from it."""

import pytest

from gd_jax import artefacts
from gd_jax.errors import UserError
from gd_jax.models.pretrained import PretrainedError
from gd_jax.phases import generator, students, teacher

BY_MODULE = {"teacher": teacher, "generator": generator}


@pytest.mark.parametrize("name", BY_MODULE)
def test_the_model_to_begin_with(name, drawn, config, progress, tmp_path):
  # Dies if: the look is at another model, at its name alone, or at none.
  require = BY_MODULE[name].require
  require(config, drawn, progress)
  with config.unlocked():
    config[name].init = str(tmp_path / "gone")
  with pytest.raises(UserError, match="gone"):
    require(config, drawn, progress)
  (tmp_path / "gone").mkdir()
  with pytest.raises((UserError, PretrainedError), match="gone"):
    require(config, drawn, progress)
  assert not [*(drawn / name).iterdir()]


def test_a_generator_from_scratch_begins_with_nothing(drawn, config, progress):
  with config.unlocked():
    config.generator.update(kind="scratch", init="/nowhere")
  generator.require(config, drawn, progress)


def test_vectors_as_wide_as_the_teacher_s(drawn, config, progress):
  # Dies if: students go before it is seen that no new ones can be made.
  students.require(config, drawn, progress)
  model = {"config": {"width": 64}}
  artefacts.write_json(drawn / "teacher/model.json", model)
  with pytest.raises(UserError, match=r"embed_width is 96.*\(64\)"):
    students.require(config, drawn, progress)
  with config.unlocked():
    config.students.embeddings = "random"
  students.require(config, drawn, progress)
