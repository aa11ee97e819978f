# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The table of what carries compares a change with what it adds to."""

import json

from experiments.what_carries import sweep, table
from tests.experiments.finished_runs import (
  AS_IN_CARRIES,
  CARRIES,
  paper,
  taken,
  write_runs,
)


# Dies if: a point of two changes is compared with what differs in both.
def test_what_carries_changes_one_thing_at_a_time():
  longer = {"students.total_steps": 1600}
  more_words = [
    {"students.vocab_size": words, "students.embed_width": width}
    for words, width in ((12_000, 64), (16_000, 48), (24_000, 32))
  ]
  expected = [
    (
      {"students.num_texts": 4000, "students.second_round": 0.5},
      {"students.num_texts": 4000},
    ),
    ({"teacher.restarts": 3, "teacher.keep": 3}, {"teacher.restarts": 3}),
    (longer | {"students.labelled_fraction": 0.1}, longer),
    (longer | {"students.loss": "mse"}, longer),
    (longer | {"students.batch_size": 64}, longer),
    (longer | {"students.left_out": "nearest"}, longer),
    (longer | {"students.eval_every_steps": 1600}, longer),
    (longer | {"students.select_from": 0.5}, longer),
    *((longer | words, words) for words in more_words),
    (more_words[0] | {"students.labelled_fraction": 0.5}, more_words[0]),
    (longer | {"corpus.num_texts": 16_000}, longer),
  ]
  wanted = {json.dumps(change): than for change, than in expected}
  # Results lie in the order in which they were collected.
  for others in (sweep.CHANGES, sweep.CHANGES[::-1]):
    for change in sweep.CHANGES:
      found = table._compared_with(change, others)
      assert found == wanted.get(json.dumps(change), {})


def test_what_carries_compares_with_the_baseline(tmp_path):
  folders = []
  for name, share, fields in (
    ("base", 0.8, {}),
    ("mse", 0.9, {"students.loss": "mse"}),
  ):
    folders.append(
      write_runs(
        tmp_path / name,
        draws=4 if name == "base" else 2,
        accuracy={"gd": share},
        **AS_IN_CARRIES,
        **fields,
      )
    )
  target = tmp_path / "carries/trec"
  paper("stored").save(target, taken(folders, config=f"{CARRIES}:trec"))
  # One of which no gd was collected is as one that was not run.
  hard = write_runs(
    tmp_path / "hard",
    draws=2,
    accuracy={"kd": 0.5},
    **AS_IN_CARRIES,
    **{"students.mix": 0.4},
  )
  paper("stored").save(target, taken([hard], config=f"{CARRIES}:trec"))
  _, base, mse, left, *others = table.lines(tmp_path / "carries")
  assert base[1:3] == ["baseline", "4"] and base[4:] == ["", ""]
  assert mse[1:3] == ["students.loss=mse", "2"]
  assert mse[4] == "baseline" and mse[5].startswith("+")
  assert left[1].startswith("not run: students.total_steps=1600; ")
  assert "students.mix=0.4" in left[1] and "; students.loss=mse;" not in left[1]
  assert [row[1] for row in others] == ["not run: nothing yet"] * 3
