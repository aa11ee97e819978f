# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills the two tables of the front README.md from experiments/*/results.

Run: python -m experiments.front_page

What was not run says so. The commit is that of the results.
"""

import json
import pathlib
import subprocess
from typing import Any

from experiments.low_data import table as low_data
from experiments.paper import base, intervals, readme, stored
from experiments.student_speed import table as student_speed

HERE = pathlib.Path(__file__).parent
README = HERE.parent / "README.md"
ARMS = ("teacher", "tfidf", "gold", "kd", "gd", "gd_pretrained")
NOT_RUN = readme.NOT_RUN
COMMIT = "commit"


def main() -> None:
  """Fills the tables."""
  readme.fill(README, "results", results(HERE))
  readme.fill(README, "speed", speed(HERE))


def results(experiments: pathlib.Path) -> list[list[str]]:
  """A row for each task: of several draws if they were run, else of one.

  With today's students.left_out once enough draws of it were run.
  """
  head = [
    *("task", "left_out", "labelled", *ARMS),
    *("spread over", "hardware", COMMIT),
  ]
  return [head, *(_result(experiments, task) for task in base.TASKS)]


def _result(experiments: pathlib.Path, task: str) -> list[str]:
  tier1 = experiments / "paper" / "results" / "tier1"
  for name, least in ((task + base.NEAREST, intervals.ENOUGH_DRAWS), (task, 2)):
    # Not those of gd_pretrained alone.
    runs = [
      run
      for run in stored.load(tier1 / name)
      if not run["change"] and "gd" in run["seeds"]
    ]
    if len({run["draw"] for run in runs}) >= least:
      return _of_draws(task, tier1 / name, runs)
  file = experiments / "low_data" / "results" / f"{task}.json"
  if not file.exists():
    return [task, "", NOT_RUN, *[NOT_RUN] * len(ARMS), "", "", ""]
  found = json.loads(file.read_text())
  seeds = len(found["arms"]["gd"]["accuracy"]["per_seed"])
  return [
    task,
    str(found["config"]["students"].get("left_out")),
    f"{found['num_labelled']:,}",
    *(
      low_data.accuracy(found, arm) if arm in found["arms"] else NOT_RUN
      for arm in ARMS
    ),
    f"1 draw, {seeds} seeds",
    found["platform"],
    _commit(file),
  ]


def _of_draws(
  task: str, out: pathlib.Path, runs: list[dict[str, Any]]
) -> list[str]:
  scores = intervals.load(out, lambda run: not run["change"])
  # Each arm on the method's draws.
  draws = scores["gd"]
  scores = {
    arm: shared
    for arm, found in scores.items()
    if (shared := {draw: found[draw] for draw in found if draw in draws})
  }
  seeds = sorted({run["seeds"]["gd"] for run in runs})
  labelled = sorted({run["num_labelled"] for run in runs})
  return [
    task,
    "nearest" if out.name.endswith(base.NEAREST) else "None",
    " to ".join(f"{n:,}" for n in (labelled[0], labelled[-1])[: len(labelled)]),
    *(
      intervals.spread(scores[arm]) + intervals.others(scores[arm], draws)
      if arm in scores
      else NOT_RUN
      for arm in ARMS
    ),
    f"{len(draws)} draws of"
    f" {' to '.join(map(str, (seeds[0], seeds[-1])[: len(seeds)]))}"
    f" {'seed' if seeds == [1] else 'seeds'}",
    "; ".join(sorted({kind for run in runs for kind in _hardware(run)})),
    _commit(out.with_suffix(".json")),
  ]


def _hardware(run: dict[str, Any]) -> list[str]:
  # At first no more was kept than "cpu" and how many cores.
  return run.get("hardware") or [run["platform"]]


def speed(experiments: pathlib.Path) -> list[list[str]]:
  """A row for each program beside ours; more than 1 is faster than it."""
  lines = [["what", "beside", "times as fast", "least to most", "on", COMMIT]]
  of = {
    name: sorted((experiments / name / "results").glob("*.json"))
    for name in (
      "generation_throughput",
      "distillation_throughput",
      "student_speed",
    )
  }
  for file in of["generation_throughput"]:
    lines += _generation(file)
  for file in of["distillation_throughput"]:
    lines += _training(file)
  for file in of["student_speed"]:
    lines += _answering(file)
  for name, files in of.items():
    if not files:
      lines.append([name.replace("_", " "), NOT_RUN, "", "", "", ""])
  return lines


def _generation(file: pathlib.Path) -> list[list[str]]:
  found = json.loads(file.read_text())
  # Peers in float32 are no peers of bfloat16.
  if "useful" not in found or found["setting"].get("matmul_dtype"):
    return []
  device = found["device"]
  return [
    [
      f"texts drawn, {file.stem}, lengths as they come",
      {"hf": "Hugging Face", "ctranslate2": "CTranslate2"}[program],
      *_spread(row["gd_jax_over_it"]),
      device.get("cpu", device["kind"]),
      _commit(file),
    ]
    for program, row in found["useful"].items()
    if program in ("hf", "ctranslate2")
  ]


_TRAINED = {
  "torch": "a step of the student",
  "torch_teacher": "a step of MiniLM",
  "torch_generator": "a step of GPT-2",
}
# With matmul_dtype=bfloat16, in files of their own.
_ROUNDED = {
  "autocast_teacher": "a step of MiniLM, bfloat16 products",
  "autocast_generator": "a step of GPT-2, bfloat16 products",
}


def _training(file: pathlib.Path) -> list[list[str]]:
  found = json.loads(file.read_text())
  machine, lines = found["machine"], []
  programs = [
    (name, words, beside)
    for of_one, beside in (
      (_TRAINED, "PyTorch, eager"),
      (_ROUNDED, "PyTorch, eager, autocast"),
    )
    if not of_one.keys().isdisjoint(found["ratio"])
    for name, words in of_one.items()
  ]
  for name, words, beside in programs:
    cells = [NOT_RUN, ""]
    if name in found["ratio"]:
      # The file has our time over PyTorch's.
      cells = _spread(
        {
          "median": 1 / found["ratio"][name],
          "min": 1 / found["max"][name],
          "max": 1 / found["min"][name],
        }
      )
    where = machine.get("cpu", machine["kind"])
    lines.append([words, beside, *cells, where, _commit(file)])
  return lines


def _answering(file: pathlib.Path) -> list[list[str]]:
  found = json.loads(file.read_text())
  lines = []
  for shape in ("MiniLM", "BERT-base"):
    values = student_speed.slowest(found, shape).get("student onnx")
    cells = _spread(values[1]) if values else [NOT_RUN, ""]
    lines.append(
      [
        "an answer of the exported student, one text a call",
        f"{values[0] if values else shape}",
        *cells,
        f"one {found['machine']['cpu']} core",
        _commit(file),
      ]
    )
  return lines


def _spread(values: dict[str, float]) -> list[str]:
  """Median, and least to most, of a ratio."""
  median, low, high = (values[name] for name in ("median", "min", "max"))
  form = ".0f" if median >= 10 else ".2f"
  return [f"{median:{form}}", f"{low:{form}} to {high:{form}}"]


def _commit(file: pathlib.Path) -> str:
  """The last commit of a file and of its rows; "?" outside of a checkout."""
  names = [file.name, file.with_suffix(".npz").name]
  if _git(["status", "--porcelain", "--", *names], file.parent):
    return "not yet"
  return _git(["log", "-1", "--format=%h", "--", *names], file.parent) or "?"


def _git(command: list[str], folder: pathlib.Path) -> str:
  done = subprocess.run(
    ["git", *command], cwd=folder, capture_output=True, text=True, check=False
  )
  return done.stdout.strip()


if __name__ == "__main__":
  main()
