# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import lzma

from etils import epath

from experiments.paper import base, general_model, general_text, table
from gd_jax import artefacts


def write_tasks(folder):
  """A test text of each task, and as many training rows as a draw needs."""
  for task in base.TASKS:
    (folder / task).mkdir(parents=True)
    for split in ("train", "test"):
      rows = [f"{c}\ta {split} text of {task}, its kind is {c}" for c in "abab"]
      (folder / task / f"{split}.tsv").write_text(
        "\n".join(["label\ttext", *rows]) + "\n"
      )


# Dies if: one task's evaluation texts stay in, or other lines go.
def test_no_tasks_evaluation_text_is_left(tmp_path, capsys):
  write_tasks(tmp_path / "data")
  clean = [f"a line number {i}" for i in range(5)]
  copies = [
    f"He said: A TEST text of {task}, its kind is a!" for task in base.TASKS
  ]
  file = tmp_path / "news.txt"
  file.write_text("\n".join([*clean, *copies]))
  out, results = tmp_path / "out", tmp_path / "general_text.json"
  arguments = [f"--config.data.dir={tmp_path}/data", f"--out={out}", str(file)]
  head = ["text", "lines", "left out for a test text"]
  assert table.read_first(tmp_path) == [head, ["not run"] * 3]
  assert general_text.main(arguments, results=results) == 0
  assert table.read_first(tmp_path) == [head, ["news", "5", "4"]]
  assert "4 lines left out" in capsys.readouterr().out
  left = lzma.decompress((out / "news.txt.xz").read_bytes()).decode()
  assert sorted(left.splitlines()) == clean


def test_what_is_no_good_is_said(tmp_path, capsys):
  write_tasks(tmp_path / "data")
  arguments = [f"--config.data.dir={tmp_path}/data", f"--out={tmp_path}/out"]
  assert general_text.main([*arguments, f"{tmp_path}/none.txt"]) == 2
  error = capsys.readouterr().err
  assert "none.txt" in error and "Traceback" not in error
  (tmp_path / "out2").write_text("a file")
  arguments[1] = f"--out={tmp_path}/out2"
  assert general_text.main([*arguments, f"{tmp_path}/none.txt"]) == 2


# Dies if: tokens are counted in steps or rows, domains are mixed up, or a model
# takes the place of one that read another number of tokens.
def test_the_general_models_numbers_are_kept(tmp_path, capsys):
  folder, results = tmp_path / "model", tmp_path / "results"
  out = results / "general"
  assert general_model.main([str(folder)], out=out) == 2
  assert "holds no finished general model" in capsys.readouterr().err
  assert table.general(results) == [["to read", "has read", "all"]]
  for max_steps in (8, 20):
    folder = tmp_path / str(max_steps)
    _write_general_model(folder, max_steps=max_steps)
    assert general_model.main([str(folder)], out=out) == 0
  assert table.general(results) == [
    ["to read", "has read", "news", "all"],
    ["3,200", "1,200", "8", "3"],
    ["3,200", "2,400", "8", "2"],
    ["8,000", "1,200", "8", "3"],
    ["8,000", "2,400", "8", "2"],
  ]


def _write_general_model(folder, *, max_steps):
  """One that was stopped for having read enough, with two evaluations."""
  artefacts.begin(epath.Path(folder), config={}, inputs={})
  key = "generator.pretrain/heldout/perplexity"
  rows = [
    {"step": step, key: 9.0 / step, f"{key}_news": 8.0, "x/loss": 1.0}
    for step in (3, 6)
  ]
  lines = "".join(f"{json.dumps(row)}\n" for row in rows)
  (folder / "metrics.jsonl").write_text(lines)
  (folder / "summary.json").write_text("{}")
  settings = {"batch_size": 4, "row_tokens": 100, "max_steps": max_steps}
  artefacts.finish(
    epath.Path(folder),
    config={"pretrain": settings},
    inputs={},
    counts={},
    seconds=1.0,
  )
