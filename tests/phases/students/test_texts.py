# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pathlib
import shutil

import numpy as np
import pytest

from gd_jax import artefacts
from gd_jax.data import logits, rules, unlabelled
from gd_jax.errors import UserError
from gd_jax.phases import students


# Dies if: gd's rows, order or noise come from another stream than kd's.
def test_without_generated_texts_gd_is_kd(
  workdir, progress, make_config, digests
):
  config = make_config(arms=("kd", "gd", "gd_hard"), num_texts=0)
  students.run(config, workdir, progress)
  found = digests(workdir)
  assert found["kd/0"] == found["gd/0"] == found["gd_hard/0"]


# Dies if: rules_kd sees generated texts, or gd is another for its being there.
def test_rules_take_the_place_of_generated_texts(
  finished, workdir, progress, make_config, digests
):
  config = make_config(arms=("kd", "rules_kd", "gd"))
  counts = students.run(config, workdir, progress)
  assert counts["generated_rows"] == counts["rule_rows"] == 28
  found, without = digests(workdir), digests(finished[0])
  assert len(set(found.values())) == 3
  assert found["gd/0"] == without["gd/0"]
  assert found["kd/0"] == without["kd/0"]
  summary = artefacts.read_json(workdir / "students/rules_kd/0/summary.json")
  assert summary["generated_rows"] == 28


@pytest.fixture
def with_real_texts(make_texts):
  def put(workdir, number):
    """Puts real texts without labels into what `workdir` links to."""
    for phase in ("data", "soft_labels"):
      folder = pathlib.Path(workdir / phase)
      source = folder.resolve()
      folder.unlink()
      shutil.copytree(source, folder)
    real, label = make_texts(number, 5)
    artefacts.write_jsonl(
      workdir / "data" / unlabelled.TEXTS,
      [{"row_id": i, "text": text} for i, text in enumerate(real)],
    )
    logits.save_logits(
      workdir / "soft_labels" / unlabelled.LOGITS,
      np.arange(number),
      3.0 * np.eye(2)[label],
    )

  return put


# Dies if: real_kd sees generated texts or more rows than gd, or gd is another
# for its being there.
def test_real_texts_take_the_place_of_generated_ones(
  finished, workdir, progress, make_config, digests, with_real_texts
):
  with_real_texts(workdir, 28)
  arms = ("kd", "rules_kd", "real_kd", "gd")
  counts = students.run(make_config(arms=arms), workdir, progress)
  assert counts["generated_rows"] == counts["real_rows"] == 28
  found, without = digests(workdir), digests(finished[0])
  assert len(set(found.values())) == 4
  assert found["gd/0"] == without["gd/0"]
  assert found["kd/0"] == without["kd/0"]
  summary = artefacts.read_json(workdir / "students/real_kd/0/summary.json")
  assert summary["generated_rows"] == 28


# Dies if: a prefix of the generated texts leaves real_kd more than gd has.
@pytest.mark.parametrize(("num_texts", "rows"), [(None, 40), (12, 10), (0, 0)])
def test_as_many_real_texts_as_generated_ones(
  num_texts, rows, workdir, progress, make_config, digests, with_real_texts
):
  with_real_texts(workdir, 40)
  config = make_config(arms=("kd", "real_kd"), num_texts=num_texts)
  assert students.run(config, workdir, progress)["real_rows"] == rows
  found = digests(workdir)
  assert (found["kd/0"] == found["real_kd/0"]) == (rows == 0)


def test_real_texts_that_are_not_there_are_asked_for(
  workdir, progress, make_config
):
  with pytest.raises(UserError, match=r"data\.unlabelled=train "):
    students.run(make_config(arms=("real_kd",)), workdir, progress)


def test_rules_that_were_not_made_are_asked_for(workdir, progress, make_config):
  folder = pathlib.Path(workdir / "soft_labels")
  source = folder.resolve()
  folder.unlink()
  folder.mkdir()
  for path in source.iterdir():
    if path.name != rules.TEXTS:
      (folder / path.name).symlink_to(path)
  with pytest.raises(UserError, match=r"soft_labels\.rules=1 "):
    students.run(make_config(arms=("rules_kd",)), workdir, progress)
