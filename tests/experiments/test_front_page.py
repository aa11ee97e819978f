# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np

from experiments import front_page
from experiments.paper import stored


def _run(draw, *arms, seeds):
  rows = np.array([seeds, 0, seeds, 0], np.uint8)
  return {
    "change": {},
    "draw": draw,
    "rows": dict.fromkeys(arms, rows),
    "seeds": dict.fromkeys(arms, seeds),
    "texts": dict.fromkeys(arms, 9),
    "params": dict.fromkeys(arms, 1),
    "evaluation": "all",
    "num_labelled": 576,
    "platform": "cpu",
  }


# Dies if: a run of an arm that is not shown is counted among the draws.
def test_draws_are_those_of_the_method(tmp_path):
  out = tmp_path / "paper/results/tier1/trec"
  gd = [_run(draw, "kd", "gd", seeds=n) for draw, n in ((0, 3), (1, 1))]
  more = [_run(2, "gd_pretrained", seeds=1), _run(3, "kd", "tfidf", seeds=2)]
  stored.save(out, [*gd, *more, _run(0, "gold", seeds=1)])
  head, trec, *others = front_page.results(tmp_path)
  shown = dict(zip(head, trec, strict=True))
  assert shown["spread over"] == "2 draws of 1 to 3 seeds"
  assert shown["gd"] == "50.0 ± 0.0"
  assert shown["kd"] == "50.0 ± 0.0" and shown["gold"] == "50.0 (1 draw)"
  assert shown["teacher"] == shown["tfidf"] == "not run"
  assert [row[2] for row in others] == ["not run"] * 3


# Dies if: two draws of today's default hide five of the one before, or three
# of it do not show.
def test_enough_draws_of_the_default_stand_on_the_front(tmp_path):
  tier1 = tmp_path / "paper/results/tier1"
  stored.save(tier1 / "trec", [_run(draw, "gd", seeds=1) for draw in range(5)])
  shown = []
  for draw in range(3):
    stored.save(tier1 / "trec_nearest", [_run(draw, "gd", seeds=2)])
    head, trec, *_ = front_page.results(tmp_path)
    row = dict(zip(head, trec, strict=True))
    shown.append((row["left_out"], row["spread over"]))
  cut = ("None", "5 draws of 1 seed")
  assert shown == [cut, cut, ("nearest", "3 draws of 2 seeds")]


# Dies if: bfloat16 of ours stands beside peers of float32 and nothing says so.
def test_speeds_are_of_one_dtype(tmp_path):
  folder = tmp_path / "generation_throughput/results"
  folder.mkdir(parents=True)
  ratio = {"median": 2.0, "min": 1.9, "max": 2.1}
  found = {
    "setting": {},
    "device": {"kind": "cpu", "cpu": "a CPU"},
    "useful": {"hf": {"gd_jax_over_it": ratio}},
  }
  (folder / "same.json").write_text(json.dumps(found))
  found["setting"]["matmul_dtype"] = "bfloat16"
  (folder / "other.json").write_text(json.dumps(found))
  drawn = [row for row in front_page.speed(tmp_path) if "drawn" in row[0]]
  assert [row[0] for row in drawn] == [
    "texts drawn, same, lengths as they come"
  ]
  assert drawn[0][2:4] == ["2.00", "1.90 to 2.10"]
