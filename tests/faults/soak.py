# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kills a small run again and again, and looks whether it ends as if it had
never been disturbed.

Run: python tests/faults/soak.py --moments=60 --seed=0 --out=FILE.json
"""

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping

ROOT = pathlib.Path(__file__).parents[2]
LONG = ("teacher", "generator", "corpus", "soft_labels", "students")
PHASES = ("data", *LONG, "report", "export")
_POLL_SECONDS = 0.02
# Files that hold times or Orbax's own notes: `artefacts` says so, too.
_VOLATILE = {"manifest.json", "metrics.jsonl", "timing.json", "groups.json"}
_VOLATILE_FOLDERS = {"params", "tensorboard"}
# Small models, and enough steps and shards for a kill to land between them.
SETTINGS = {
  "data.labels_per_class": 10,
  "teacher.min_steps": 150,
  "teacher.total_epochs": 1,
  "teacher.restarts": 2,
  "teacher.evals": 10,
  "generator.max_steps": 150,
  "generator.eval_every_steps": 10,
  "generator.patience": 100,
  "generator.batch_size": 8,
  "corpus.num_texts": 600,
  "corpus.slots": 8,
  "corpus.steps_per_call": 8,
  "corpus.max_tokens": 16,
  "corpus.shard_rows": 40,
  "soft_labels.batch_size": 1,
  "students.arms": ("gold", "gd", "tfidf"),
  "students.num_seeds": 2,
  "students.total_steps": 150,
  "students.eval_every_steps": 10,
  "students.num_filters": 16,
  "students.num_blocks": 1,
  "students.embed_width": 16,
}


def command(
  workdir: pathlib.Path,
  *,
  bert: pathlib.Path,
  cache: pathlib.Path,
  config: str = "configs/quickstart.py",
  settings: Mapping[str, object] = SETTINGS,
) -> list[str]:
  """The command line of a small run."""
  return [
    sys.executable,
    "-m",
    "gd_jax.main",
    f"--config={config}",
    f"--workdir={workdir}",
    f"--phases={','.join(PHASES)}",
    f"--config.teacher.init={bert}",
    f"--config.generator.init={bert}",
    f"--config.data.cache_dir={cache}",
    *(f"--config.{name}={value}" for name, value in settings.items()),
  ]


def start(argv: list[str], log: pathlib.Path) -> subprocess.Popen:
  """A process of its own that saves several times a second."""
  environment = os.environ | {
    "JAX_PLATFORMS": "cpu",
    "GD_JAX_SAVE_SECONDS": "0.3",
  }
  with log.open("ab") as file:
    return subprocess.Popen(
      argv, cwd=ROOT, env=environment, stdout=file, stderr=file
    )


def finish(argv: list[str], log: pathlib.Path) -> None:
  """Runs to the end; raises RuntimeError with the log's end otherwise."""
  code = start(argv, log).wait()
  if code:
    raise RuntimeError(f"exit code {code}: {log.read_text()[-3000:]}")


def where(workdir: pathlib.Path) -> tuple[str, str]:
  """(the phase that is at work, how far it is), as its files tell."""
  for phase in PHASES:
    folder = workdir / phase
    if (folder / "started.json").exists():
      return phase, _how_far(phase, folder)
  return "", "between phases"


def _how_far(phase: str, folder: pathlib.Path) -> str:
  if phase in ("teacher", "generator"):
    saved = _saved_step(folder / "resume")
    return f"step {max(saved, _last_metric(folder / 'metrics.jsonl'))}"
  if phase == "corpus":
    return f"{len(list(folder.glob('drawn-*')))} shards"
  if phase == "soft_labels":
    return f"{len(list(folder.glob('*.safetensors')))} shards"
  if phase == "students":
    done = len(list(folder.glob("*/*/manifest.json")))
    steps = [_saved_step(r) for r in folder.glob("unfinished/*/resume")]
    return f"{done} students, steps {sorted(steps)}"
  return f"{len(list(folder.iterdir()))} files"


def _saved_step(resume: pathlib.Path) -> int:
  names = [path.name for path in resume.glob("*")]
  return max((int(name) for name in names if name.isdigit()), default=0)


def _last_metric(path: pathlib.Path) -> int:
  try:
    return json.loads(path.read_text().splitlines()[-1])["step"]
  except (OSError, ValueError, IndexError):
    return 0


def disturb(
  argv: list[str],
  workdir: pathlib.Path,
  *,
  phase: str,
  delay: float,
  log: pathlib.Path,
  number: int = signal.SIGKILL,
) -> dict | None:
  """Starts the run, and sends it a signal `delay` seconds into `phase`.

  Returns:
    {"phase", "step", "delay", "code"} of where it was hit while alive; None if
    it had ended by then.

  Raises:
    RuntimeError: it failed by itself.
  """
  process = start(argv, log)
  try:
    while process.poll() is None and where(workdir)[0] != phase:
      if (workdir / phase / "manifest.json").exists():
        break
      time.sleep(_POLL_SECONDS)
    due = time.monotonic() + delay
    while process.poll() is None and time.monotonic() < due:
      time.sleep(_POLL_SECONDS)
    found = where(workdir)
    if process.poll() is not None:
      if process.returncode:
        raise RuntimeError(log.read_text()[-3000:])
      return None
    process.send_signal(number)
    code = process.wait()
  finally:
    process.kill()
    process.wait()
  return {
    "phase": found[0] or phase,
    "step": found[1],
    "delay": round(delay, 3),
    "code": code,
  }


def contents(workdir: pathlib.Path) -> dict[str, bytes]:
  """Every byte of the run's results that must not depend on how it was run."""
  found = {}
  # The report's page tells times.
  for part in ("data", *LONG, "report/logits", "export"):
    for path in sorted((workdir / part).rglob("*")):
      name = path.relative_to(workdir)
      volatile = not _VOLATILE_FOLDERS.isdisjoint(name.parts)
      if path.is_file() and path.name not in _VOLATILE and not volatile:
        found[name.as_posix()] = path.read_bytes()
  return found


def differences(
  one: Mapping[str, bytes], other: Mapping[str, bytes]
) -> list[str]:
  """Names of files that are not the same in both."""
  return sorted(
    name for name in {*one, *other} if one.get(name) != other.get(name)
  )


def seconds_of(workdir: pathlib.Path) -> dict[str, float]:
  """What each phase of a finished run took."""
  return {
    phase: json.loads((workdir / phase / "manifest.json").read_text())[
      "seconds"
    ]
    for phase in PHASES
  }


def draw(
  rng: random.Random, quota: Mapping[str, int], seconds: Mapping[str, float]
) -> Iterator[tuple[str, float]]:
  """Moments in the order in which a run comes by them."""
  for phase in PHASES:
    for _ in range(quota.get(phase, 0)):
      yield phase, rng.uniform(0, 0.8 * seconds[phase])


def soak(
  moments: int, seed: int, folder: pathlib.Path, out: pathlib.Path | None
) -> dict:
  """Kills until `moments` have landed; each workdir is killed 12 times.

  Returns:
    The summary, which is also written to `out` after each workdir.
  """
  sys.path.insert(0, str(ROOT / "tests"))
  import conftest

  bert, cache = folder / "bert", folder / "cache"
  conftest.make_tiny_bert(bert)
  log, rng = folder / "log.txt", random.Random(seed)

  def argv(workdir):
    return command(workdir, bert=bert, cache=cache)

  for name in ("compiled", "reference"):  # the first one only compiles
    finish(argv(folder / name), log)
  expected = contents(folder / "reference")
  seconds = seconds_of(folder / "reference")
  print(f"undisturbed: {seconds}", flush=True)
  hits: list[dict] = []
  rounds: list[dict] = []
  while len(hits) < moments:
    workdir = folder / f"killed{len(rounds)}"
    quota = {phase: 2 if phase in LONG else 1 for phase in PHASES}
    before = len(hits)
    for phase, delay in draw(rng, quota, seconds):
      if len(hits) == moments:
        break
      hit = disturb(argv(workdir), workdir, phase=phase, delay=delay, log=log)
      if hit:
        hits.append({"round": len(rounds), **hit})
        print(
          f"{len(hits)}: killed in {hit['phase']}, {hit['step']}, alive",
          flush=True,
        )
    finish(argv(workdir), log)
    wrong = differences(contents(workdir), expected)
    finish([*argv(workdir)[:3], f"--workdir={workdir}", "--verify"], log)
    rounds.append({"kills": len(hits) - before, "differing_files": wrong})
    print(
      f"workdir {len(rounds)}: {len(expected)} files, {len(wrong)} differ",
      flush=True,
    )
    summary = {
      "seed": seed,
      "kills": len(hits),
      "survived": sum(r["kills"] for r in rounds if not r["differing_files"]),
      "by_phase": collections.Counter(hit["phase"] for hit in hits),
      "seconds_undisturbed": seconds,
      "workdirs": rounds,
      "moments": hits,
    }
    if out:
      out.write_text(json.dumps(summary, indent=1) + "\n")
  return summary


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--moments", type=int, default=60)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--out", type=pathlib.Path)
  flags = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    summary = soak(flags.moments, flags.seed, pathlib.Path(folder), flags.out)
  print({name: summary[name] for name in ("kills", "survived", "by_phase")})


if __name__ == "__main__":
  main()
