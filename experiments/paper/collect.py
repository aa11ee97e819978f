# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Takes from finished runs what the tables need: numbers, no text.

Run: python -m experiments.paper.collect --config=FILE.py:TASK --out=OUT \
  FOLDER [FOLDER ...]
FOLDER is a run's workdir, or holds some, as a sweep's does; those without a
report are passed over, so that a sweep can be collected as it grows. FILE.py is
the sweep: its points tell what a run changed. A run that is collected again
takes its own place. "gd_pretrained" is the arm gd of a sweep whose generator
first read general text: --take=gd:gd_pretrained adds it to what is in OUT.
"""

import argparse
import importlib.util
import io
import json
import pathlib
import shlex
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath
from safetensors import SafetensorError
from safetensors.numpy import load_file

from gd_jax import artefacts, pipeline, recipes, sweeps
from gd_jax.errors import UserError

DRAW = ("data.seed", "seed")
# What is raised for files that are not whole.
_DAMAGED = (SafetensorError, zipfile.BadZipFile)
# They add to what lies there, or say how fast it is made, and how rounded.
_NEUTRAL = {
  *("students.arms", "students.num_seeds", "students.mode"),
  *("corpus.slots", "corpus.shard_rows"),
  *(
    f"{section}.matmul_dtype"
    for section in ("teacher", "generator", "corpus", "soft_labels")
  ),
}
_PRETRAINED = "generator.pretrain_on"
# Decides nothing without the former.
_PRETRAIN = "generator.pretrain"
# Sections that decide what teacher, generated texts and students are. Of two
# runs in one table, those of teacher and students are alike, and for one arm
# those of the texts.
_RECIPES = {
  "teacher": ("data", "teacher"),
  "texts": ("generator", "corpus"),
  "students": ("students",),
}
_FACTS = (
  *("task", "evaluate_on", "num_labelled"),
  *("platform", "versions"),
)

# A run's facts; "rows" has {arm: [N], how many seeds got each row right}.
Run = dict[str, Any]


class Sweep:
  """A sweep file at a task: which of its points a run is."""

  def __init__(self, config: str):
    """`config` is FILE.py:TASK."""
    file, _, task = config.partition(":")
    self.name = config
    points = sweeps.points_of(file)
    spec = importlib.util.spec_from_file_location("_collected", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    base = module.get_config(task)
    self._points = [(point, sweeps.apply(base, point)) for point in points]
    self._swept = sorted({name for point in points for name in point} - {*DRAW})

  def place(
    self, config: dict[str, Any]
  ) -> tuple[dict[str, Any], list[str], str]:
    """(what the run's point changes, other fields that differ, its command).

    Any draw will do, of those that the sweep has or of others. The fields are
    such as decide what is made; the command names all that do, and no folder.

    Raises:
      UserError: The run is no point of this sweep.
    """
    for point, made in self._points:
      decides = {_PRETRAINED: made.generator.pretrain_on}
      for phase in pipeline.PHASES:
        if not phase.derived:
          decides |= recipes.recipe_config(made, phase)
      differing = {
        name
        for name, value in decides.items()
        if _plain(_field(config, name)) != _plain(value)
      }
      if differing.isdisjoint([*self._swept, "task", "data.evaluate_on"]):
        change = {k: v for k, v in point.items() if k not in DRAW}
        others = sorted(differing - {*DRAW} - _NEUTRAL)
        named = [*DRAW, *change, *sorted(differing - {*DRAW, *change})]
        return change, others, self._command(config, named)
    names = ["task", "data.evaluate_on", *self._swept]
    has = ", ".join(f"{name}={_field(config, name)}" for name in names)
    raise UserError(f"no point of {self.name} has {has}")

  def _command(self, config: dict[str, Any], names: Sequence[str]) -> str:
    """How the run is given anew, in a shell; of files the names alone."""
    fields: dict[str, Any] = {}
    for name in [*names, *[_PRETRAIN] * (_PRETRAINED in names)]:
      value = _field(config, name)
      if isinstance(value, dict):
        fields |= {f"{name}.{inner}": each for inner, each in value.items()}
      else:
        fields[name] = value
    if files := fields.get(_PRETRAINED):
      fields[_PRETRAINED] = [pathlib.PurePath(file).name for file in files]
    words = ["gd-jax", f"--config={self.name}"]
    for name, value in fields.items():
      value = tuple(value) if isinstance(value, list) else value
      words.append(f"--config.{name}={value}")
    return shlex.join(words)

  def recipe(
    self, config: dict[str, Any], general_text: str | None
  ) -> dict[str, str]:
    """{"teacher", "texts", "students": digest of what decides it}.

    Without what the sweep varies. A field that an older version did not know is
    as one that is None.

    Args:
      config: The run's.
      general_text: A digest of what its generator read first, wherever the
        files lay.
    """
    # Some fields are free where they stand, but read by another phase.
    free = {
      f"{phase.name}.{name}" for phase in pipeline.PHASES for name in phase.free
    } - {name for phase in pipeline.PHASES for name in phase.also}
    free |= {*self._swept, *DRAW, *_NEUTRAL, "data.evaluate_on"}
    if not _field(config, _PRETRAINED):
      free.add(_PRETRAIN)
    decides = {
      name: {
        dotted: _plain(value)
        for section in sections
        for field, value in config[section].items()
        if (dotted := f"{section}.{field}") not in free
        and _plain(value) is not None
      }
      for name, sections in _RECIPES.items()
    }
    if general_text is not None:
      decides["texts"]["general text"] = general_text
    return {name: artefacts.digest(found) for name, found in decides.items()}


def _field(config: dict[str, Any], dotted: str) -> Any:
  """A field that the run's version did not know yet is None."""
  value: Any = config
  for name in dotted.split("."):
    value = value.get(name) if isinstance(value, dict) else None
  return value


def _plain(value: Any) -> Any:
  """As JSON has it; nothing is nothing."""
  made = json.loads(json.dumps(value))
  return None if made == [] else made


def collect(
  sweep: Sweep,
  folders: Sequence[pathlib.Path],
  take: dict[str, str] | None = None,
) -> list[Run]:
  """The finished runs in `folders`.

  Args:
    sweep: Whose points they are.
    folders: Workdirs, or folders of such.
    take: {arm: name it gets}; None: all, as they are.

  Raises:
    UserError: A run is no point of the sweep, or lacks an arm of `take`.
  """
  runs = []
  for workdir in (found for folder in folders for found in _finished(folder)):
    results = json.loads((workdir / "report/results.json").read_text())
    try:
      _require_draw(results["config"])
      change, differs, command = sweep.place(results["config"])
    except UserError as error:
      raise UserError(f"{workdir}: {error}") from error
    if take is None and _field(results["config"], _PRETRAINED):
      raise UserError(
        f"{workdir}: its generator first read other text: say what its arms are"
        " to be called, such as --take=gd:gd_pretrained"
      )
    names = {arm: arm for arm in results["arms"]}
    if take is not None:
      missing = [arm for arm in take if arm not in names]
      if missing:
        raise UserError(
          f"{workdir}: it has no arm {missing[0]!r}; --take can name"
          f" {', '.join(names)}"
        )
      names = take
    ids, rows, seeds = _rights(workdir, names)
    manifests = {
      path.parent.name: artefacts.read_json(path)
      for path in sorted(epath.Path(workdir).glob(f"*/{artefacts.MANIFEST}"))
    }
    generator = manifests["generator"]
    general_text = None
    if _field(results["config"], _PRETRAINED):
      general_text = generator["inputs"]["texts"]
    runs.append(
      {
        "change": change,
        "command": command,
        "differs": differs,
        "draw": results["config"]["data"]["seed"],
        "evaluation": artefacts.digest(ids),
        "model": results["config"]["students"]["model"],
        "rows": rows,
        "seeds": seeds,
        "texts": {name: _texts(workdir, arm) for arm, name in names.items()},
        "params": {
          name: results["arms"][arm]["params_total"]
          for arm, name in names.items()
        },
        "recipe": sweep.recipe(results["config"], general_text),
        "perplexity": generator["counts"]["heldout_perplexity"],
        "seconds": results["seconds"],
        "hardware": _hardware(manifests.values()),
        "taught_by": manifests["teacher"]["digest"],
      }
      | {key: results[key] for key in _FACTS}
    )
  return runs


def _require_draw(config: dict[str, Any]) -> None:
  """Refuses rows of one draw with a teacher and texts of another."""
  if len({_field(config, name) for name in DRAW}) > 1:
    has = ", ".join(f"{name}={_field(config, name)}" for name in DRAW)
    raise UserError(f"a draw has one seed for all, and this run {has}")


def _finished(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """The workdirs in a folder, or itself, whose report is done."""
  if not folder.is_dir():
    raise UserError(f"{folder}: there is no such folder")
  mark = f"report/{artefacts.MANIFEST}"
  for workdir in (folder, *sorted(folder.iterdir())):
    if (workdir / mark).exists():
      yield workdir
    elif (workdir / "data").is_dir():
      print(f"{workdir} has no report yet: passed over", file=sys.stderr)


def _hardware(manifests: Iterable[dict[str, Any]]) -> list[str]:
  """The kinds of devices that the phases measured their memory on."""
  kinds = (
    manifest.get("counts", {}).get("memory", {}).get("kind")
    for manifest in manifests
  )
  return sorted({kind for kind in kinds if kind is not None})


def _texts(workdir: pathlib.Path, arm: str) -> int:
  """How many texts without labels an arm learned from."""
  summary = workdir / "students" / arm / "0/summary.json"
  if not summary.exists():  # the teacher
    return 0
  return json.loads(summary.read_text()).get("generated_rows", 0)


def _rights(workdir: pathlib.Path, names: dict[str, str]):
  """(row ids, {name: how often each row was right}, {name: seeds})."""
  labels = json.loads((workdir / "data/evaluation_labels.json").read_text())
  by_id = dict(zip(labels["row_id"], labels["label"], strict=True))
  ids = sorted(by_id)
  rows, seeds = {}, {}
  for arm, name in names.items():
    found = load_file(workdir / "report" / "logits" / f"{arm}.safetensors")
    label = np.array([by_id[int(i)] for i in found["row_id"]])
    right = found["logits"].argmax(-1) == label[None]
    # In the order of ids, so that rows of several draws are the same.
    order = np.argsort(found["row_id"])
    rows[name] = right.sum(axis=0)[order].astype(np.uint8)
    seeds[name] = len(right)
  return ids, rows, seeds


def load(out: pathlib.Path) -> list[Run]:
  """What `save` wrote to OUT.json and OUT.npz; nothing if nothing did.

  Raises:
    UserError: The two files are not of one `save`.
  """
  if not out.with_suffix(".json").exists():
    return []
  runs = json.loads(out.with_suffix(".json").read_text())
  with np.load(out.with_suffix(".npz")) as arrays:
    for i, run in enumerate(runs):
      run["rows"] = {
        arm: arrays.get(f"{i}/{arm}", np.array(0)) for arm in run["seeds"]
      }
      if run.pop("digest") != _digest(run["rows"]):
        raise UserError(
          f"{out}.json and {out.name}.npz are not of one collecting, which may"
          " have been killed: take both from the last commit and collect again"
        )
  return runs


def _digest(rows: dict[str, np.ndarray]) -> str:
  return artefacts.digest({arm: each.tolist() for arm, each in rows.items()})


def save(out: pathlib.Path, runs: Sequence[Run]) -> None:
  """Adds runs to OUT.json and OUT.npz.

  An arm of a change and a draw that is there already is replaced.

  Raises:
    UserError: Some were evaluated on other rows than others, or made by another
      recipe, or arms of one draw had two teachers.
  """
  kept: list[Run] = []
  for run in [*load(out), *runs]:
    for old in kept:
      if (old["change"], old["draw"]) == (run["change"], run["draw"]):
        for field in ("rows", "seeds", "texts", "params"):
          old[field] = {
            arm: value
            for arm, value in old[field].items()
            if arm not in run["rows"]
          }
    kept = [*(old for old in kept if old["rows"]), run]
  if len({run["evaluation"] for run in kept}) > 1:
    raise UserError(f"{out}: runs that were evaluated on different rows")
  _require_alike(out, kept)
  _require_one_teacher(out, kept)
  out.parent.mkdir(parents=True, exist_ok=True)
  arrays = {
    f"{i}/{arm}": rows
    for i, run in enumerate(kept)
    for arm, rows in run["rows"].items()
  }
  buffer = io.BytesIO()
  np.savez_compressed(buffer, allow_pickle=False, **arrays)
  facts = [
    {key: value for key, value in run.items() if key != "rows"}
    | {"digest": _digest(run["rows"])}
    for run in kept
  ]
  text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
  artefacts.write_atomic(out.with_suffix(".npz"), buffer.getvalue())
  artefacts.write_atomic(out.with_suffix(".json"), text)


def _require_alike(out: pathlib.Path, runs: Sequence[Run]) -> None:
  """Refuses runs that differ in what their changes do not say."""
  first: dict[tuple[str, ...], Run] = {}
  for run in runs:
    # What was collected before recipes were kept is taken on trust.
    for part, found in run.get("recipe", {}).items():
      for arm in run["rows"] if part == "texts" else [""]:
        other = first.setdefault((part, arm), run)
        if other["recipe"][part] != found:
          raise UserError(
            f"{out}: the {part} of draw {run['draw']} ({_told(run)}) are of"
            f" another recipe than those of draw {other['draw']}"
            f" ({_told(other)}): collect them together, or into another file"
          )


def _require_one_teacher(out: pathlib.Path, runs: Sequence[Run]) -> None:
  """Refuses runs of one draw whose differences would be two teachers' too.

  But where the change is one of the teacher or of its rows.
  """
  first: dict[str, Run] = {}
  for run in runs:
    # What was collected before this was kept is taken on trust.
    if (teacher := run.get("taught_by")) is None:
      continue
    of_teacher = [
      (name, value)
      for name, value in run["change"].items()
      if name.partition(".")[0] in _RECIPES["teacher"]
    ]
    other = first.setdefault(f"{run['draw']} {of_teacher}", run)
    if other["taught_by"] != teacher:
      raise UserError(
        f"{out}: in draw {run['draw']}, {_told(run)} had another teacher than"
        f" {_told(other)}: make them with --reuse of one workdir, or collect"
        " all of them anew"
      )


def _told(run: Run) -> str:
  changed = [f"{name}={value}" for name, value in run["change"].items()]
  return ", ".join([*changed, *run["rows"]])


def _pairs(take: str | None) -> dict[str, str] | None:
  """{arm: name it gets} of "gd:gd_pretrained,kd:kd"; None: nothing is said."""
  if take is None:
    return None
  pairs = [pair.split(":") for pair in take.split(",")]
  if not all(len(pair) == 2 and all(pair) for pair in pairs):
    raise UserError(
      f"--take={take}: name an arm and what it is to be called, as in"
      " gd:gd_pretrained, with commas between several"
    )
  names = dict(pairs)
  if len({*names.values()}) < len(pairs):
    raise UserError(f"--take={take}: two arms can't have one name")
  return names


def main(argv: Sequence[str] | None = None) -> int:
  """Returns the exit code: 2 for bad input, said in one line."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("folders", type=pathlib.Path, nargs="+")
  parser.add_argument("--config", required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--take", default=None)
  args = parser.parse_args(argv)
  try:
    runs = collect(Sweep(args.config), args.folders, _pairs(args.take))
    save(args.out, runs)
  except KeyError as error:
    print(f"Error: a run's files have no {error}", file=sys.stderr)
    return 2
  except (UserError, ValueError, OSError, *_DAMAGED) as error:
    print(f"Error: {error}", file=sys.stderr)
    return 2
  for run in runs:
    if run["differs"]:
      print(f"draw {run['draw']} differs in {', '.join(run['differs'])}")
  print(f"{args.out}: {len(runs)} finished runs taken")
  return 0


if __name__ == "__main__":
  sys.exit(main())
