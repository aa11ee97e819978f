# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is taken from finished runs, and what is refused."""

import json
import shlex

import numpy as np
import pytest

from gd_jax.errors import UserError
from tests.experiments.finished_runs import (
  ACCURACY,
  AS_IN_CARRIES,
  CARRIES,
  ROOT,
  TIER1,
  N,
  paper,
  stacked,
  taken,
  write_runs,
)


@pytest.fixture(autouse=True)
def _root(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT))


# Dies if: rows of several draws are not brought into one order, a seed is
# counted twice, or draws are mixed up.
def test_scores_are_by_draw_and_row(out):
  scores = stacked(paper("intervals").load(out))
  assert {arm: values.shape for arm, values in scores.items()} == dict.fromkeys(
    ACCURACY, (4, N)
  )
  assert set(np.unique(scores["gd"])) == {0.0, 0.5, 1.0}
  for arm, share in ACCURACY.items():
    assert not scores[arm][:, 0].any()
    assert scores[arm].mean() == pytest.approx(share, abs=0.03)
  run = json.loads(out.with_suffix(".json").read_text())[2]
  assert run["draw"] == 2 and run["change"] == {} and run["differs"] == []


# Dies if: a run without a report is taken, or stops the others; a single
# workdir isn't taken; or one that is taken again stays beside itself.
def test_a_sweep_is_collected_as_it_grows(tmp_path, capsys):
  collect, intervals = paper("collect"), paper("intervals")
  folder, target = write_runs(tmp_path / "sweep"), tmp_path / "results/trec"
  for draw in (1, 3):
    (folder / f"seed={draw}/report/manifest.json").unlink()
  arguments = [f"--config={TIER1}:trec", f"--out={target}", str(folder)]
  assert collect.main(arguments) == 0
  assert "seed=3 has no report yet" in capsys.readouterr().err
  assert set(intervals.load(target)["gd"]) == {0, 2}
  (folder / "seed=3/report/manifest.json").write_text("{}")
  assert collect.main([*arguments[:2], f"{folder}/seed=3"]) == 0
  assert collect.main(arguments) == 0
  assert set(intervals.load(target)["gd"]) == {0, 2, 3}
  assert len(json.loads(target.with_suffix(".json").read_text())) == 3
  assert collect.main([*arguments[:2], str(tmp_path / "none")]) == 2


# Dies if: a run's change is that of another point, a run of no point is taken,
# or a run that differs in what its point does not say looks like all others.
def test_a_run_is_known_by_its_config(tmp_path, capsys):
  mse = {"students.loss": "mse"} | AS_IN_CARRIES
  folder = write_runs(tmp_path / "mse", draws=2, **mse)
  runs = taken([folder], config=f"{CARRIES}:trec")
  assert [run["change"] for run in runs] == [{"students.loss": "mse"}] * 2
  # tier1 asks for real texts and those made by rules, which this one does not.
  differs = ["soft_labels.real_texts", "soft_labels.rules"]
  assert runs[0]["differs"] == differs
  both = mse | {"students.mix": 0.4}
  write_runs(tmp_path / "both", draws=1, **both)
  arguments = [f"--config={CARRIES}:trec", f"--out={tmp_path}/out"]
  assert paper("collect").main([*arguments, str(tmp_path / "both")]) == 2
  error = capsys.readouterr().err
  assert "students.loss=mse" in error and "students.mix=0.4" in error
  # On validation rows, which are not those of tier1.
  assert paper("collect").main(
    [f"--config={TIER1}:trec", f"--out={tmp_path}/out", str(folder)]
  ) == 2  # fmt: skip
  other = write_runs(tmp_path / "sst2", draws=1, task="sst2")
  with pytest.raises(UserError, match="task=sst2"):
    taken([other])


# Dies if: what another generator wrote takes the place of gd.
def test_a_pretrained_generator_has_a_name_of_its_own(tmp_path):
  fields = {"generator.pretrain_on": ("a/news.txt.xz",)}
  folder = write_runs(tmp_path / "runs", draws=1, **fields)
  with pytest.raises(UserError, match="--take=gd:gd_pretrained"):
    taken([folder])
  (run,) = taken([folder], take={"gd": "gd_pretrained"})
  assert run["differs"] == ["generator.pretrain_on"]
  assert [*run["rows"]] == [*run["texts"]] == ["gd_pretrained"]


# Dies if: a misspelt arm adds a run without scores, which no one takes out.
@pytest.mark.parametrize(
  ("take", "line"),
  [
    ("gx:gd_pretrained", "no arm 'gx'"),
    ("gd", "--take=gd: name an arm and"),
    ("gd:x,kd:x", "two arms can't have one name"),
  ],
)
def test_an_arm_that_is_not_there_is_refused(tmp_path, capsys, take, line):
  collect, folder = paper("collect"), write_runs(tmp_path / "runs", draws=1)
  target = tmp_path / "results/trec"
  arguments = [f"--config={TIER1}:trec", f"--out={target}", str(folder)]
  assert collect.main([*arguments, f"--take={take}"]) == 2
  assert line in capsys.readouterr().err
  assert not target.with_suffix(".json").exists()
  (tmp_path / "results").write_text("a file")
  assert collect.main(arguments) == 2


# Dies if: rows of one draw with a teacher of another count as a draw.
def test_a_draw_has_one_seed(tmp_path):
  folder = write_runs(tmp_path / "runs", draws=1, **{"seed": 7})
  with pytest.raises(UserError, match=r"data\.seed=0, seed=7"):
    taken([folder])


# Dies if: a damaged file ends in a traceback, or is taken.
@pytest.mark.parametrize(
  "file", ["report/logits/gd.safetensors", "report/results.json"]
)
def test_a_damaged_run_is_refused(tmp_path, capsys, file):
  folder, target = write_runs(tmp_path / "runs", draws=1), tmp_path / "trec"
  (folder / "seed=0" / file).write_text("{}")
  arguments = [f"--config={TIER1}:trec", f"--out={target}", str(folder)]
  assert paper("collect").main(arguments) == 2
  assert capsys.readouterr().err.startswith("Error: ")
  assert not target.with_suffix(".json").exists()


# Dies if: 0 and nothing are one value: no texts, and all of them.
def test_no_texts_are_not_all_texts(tmp_path):
  config = f"{ROOT}/experiments/paper/tier3_texts.py:trec"
  fields = {"students.num_texts": 0, "corpus.num_texts": 16_000}
  folder = write_runs(tmp_path / "runs", draws=1, **fields)
  assert taken([folder], config=config)[0]["change"] == {
    "students.num_texts": 0
  }


# Dies if: another sweep's gd takes the place of the first one's.
def test_an_arm_may_come_from_another_sweep(out, tmp_path):
  stored, intervals = paper("stored"), paper("intervals")
  better = write_runs(tmp_path / "other", accuracy=ACCURACY | {"gd": 0.95})
  stored.save(out, taken([better], take={"gd": "gd_pretrained"}))
  scores = stacked(intervals.load(out))
  assert scores["gd"].mean() == pytest.approx(0.8, abs=0.03)
  assert scores["gd_pretrained"].mean() == pytest.approx(0.95, abs=0.03)
  assert set(scores) == {*ACCURACY, "gd_pretrained"}


_MATMUL_DTYPES = [
  f"{section}.matmul_dtype"
  for section in ("teacher", "generator", "corpus", "soft_labels")
]


# Dies if: students of two recipes stand in one row of a table, or what makes
# no difference does.
@pytest.mark.parametrize(
  ("fields", "part"),
  [
    ({"students.learning_rates": (1e-3,)}, "the students"),
    ({"teacher.learning_rate": 1e-5}, "the teacher"),
    ({"data.max_tokens": 32}, "the teacher"),
    ({"corpus.top_p": 0.9}, "the texts"),
    ({"generator.pretrain.max_steps": 7}, None),
    ({"students.num_seeds": 1, "teacher.remat": True}, None),
    (dict.fromkeys(_MATMUL_DTYPES, "bfloat16"), None),
  ],
)
def test_runs_of_two_recipes_are_refused(out, tmp_path, fields, part):
  save = paper("stored").save
  runs = taken([write_runs(tmp_path / "more", draws=1, **fields)])
  runs[0]["draw"] = 9
  if part is None:
    save(out, runs)
    return
  with pytest.raises(UserError, match=f"{part} of draw 9 .* than .*draw 0"):
    save(out, runs)
  # Texts of its own are what an arm of another name is for.
  if part == "the texts":
    other = taken([tmp_path / "more"], take={"gd": "gd_pretrained"})
    save(out, other)
  # All anew is fine.
  save(out, taken([write_runs(tmp_path / "all", **fields)]))


# Dies if: what a result was made with is not told, or a machine's path is.
def test_a_run_tells_its_command_and_hardware(tmp_path):
  fields = {
    "generator.pretrain_on": ("/home/me/news.txt.xz",),
    "generator.pretrain.max_steps": 7,
    "teacher.matmul_dtype": "bfloat16",
  }
  folder = write_runs(tmp_path / "runs", draws=1, **fields)
  (run,) = taken([folder], take={"gd": "gd_pretrained"}, config=TIER1 + ":trec")
  assert run["hardware"] == ["A CPU, 2 cores"]
  words = shlex.split(run["command"])
  assert words[:4] == [
    *("gd-jax", f"--config={TIER1}:trec"),
    *("--config.data.seed=0", "--config.seed=0"),
  ]
  assert "--config.generator.pretrain_on=('news.txt.xz',)" in words
  assert "--config.generator.pretrain.max_steps=7" in words
  assert "--config.teacher.matmul_dtype=bfloat16" in words
  assert len(words) == len({word.partition("=")[0] for word in words})


# Dies if: a difference within a draw is one between two teachers, unnoticed;
# or a change of the teacher, or another draw, can't have one of its own.
def test_arms_of_a_draw_have_one_teacher(out, tmp_path):
  stored = paper("stored")
  other = write_runs(tmp_path / "other", draws=2, teacher="t2")
  (first, second) = taken([other], take={"gd": "gd_pretrained"})
  with pytest.raises(UserError, match=r"draw 0, gd_pretrained .* than .*kd"):
    stored.save(out, [first])
  first["draw"] = 9
  second["change"] = {"teacher.restarts": 3}
  stored.save(out, [first, second])
  for run in (first, second):
    run["draw"] = 1
    run["change"] = {"students.loss": "mse"}
  with pytest.raises(UserError, match=r"students\.loss=mse"):
    stored.save(out, [second])
  del second["taught_by"]
  stored.save(out, [second])


# Dies if: general models of other texts are one, or those of the same texts in
# another place are two.
def test_general_models_are_told_apart_by_what_they_read(out, tmp_path):
  stored = paper("stored")
  for name, digest in (("here", "a1"), ("there", "a1"), ("other", "b2")):
    fields = {"generator.pretrain_on": (f"{name}/news.txt.xz",)}
    folder = write_runs(tmp_path / name, draws=1, general_text=digest, **fields)
    (run,) = taken([folder], take={"gd": "gd_pretrained"})
    run["draw"] = {"here": 0, "there": 1, "other": 2}[name]
    run["taught_by"] = f"t1/{run['draw']}"
    if name == "other":
      with pytest.raises(UserError, match="the texts of draw 2"):
        stored.save(out, [run])
    else:
      stored.save(out, [run])


# Dies if: rows are taken for another run's after a kill between two files.
def test_files_of_two_collectings_are_refused(out, tmp_path):
  stored = paper("stored")
  before = out.with_suffix(".json").read_bytes()
  again = write_runs(tmp_path / "again", draws=1, accuracy=ACCURACY)
  stored.save(out, taken([again]))
  stored.load(out)
  out.with_suffix(".json").write_bytes(before)
  with pytest.raises(UserError, match="not of one collecting"):
    stored.load(out)
