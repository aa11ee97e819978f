# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast texts are drawn, against Hugging Face and CTranslate2.

Run: python experiments/generation_throughput/benchmark.py --model=tiny \
  --batch=128 --rows=2048 --max_tokens=64 --mean_tokens=22 \
  --peers=hf,ctranslate2 --out=FILE.json
Peers need `pip install -e .[peers]`; `--peers=` measures gd_jax alone.
"""

import json
import pathlib
import sys
import tempfile
from typing import Any

import engine
import jax
import measure
import models
import sweep
from absl import app, flags

from gd_jax.models.attention import LAYOUTS

_MODEL = flags.DEFINE_string(
  "model", "tiny", "tiny, gpt2, gpt2-medium (random weights), or a FOLDER"
)
_BATCH = flags.DEFINE_integer("batch", 128, "rows drawn side by side")
_ROWS = flags.DEFINE_integer("rows", 2048, "rows that end by themselves")
_MAX_TOKENS = flags.DEFINE_integer("max_tokens", 64, "where a row is cut")
_MEAN_TOKENS = flags.DEFINE_float("mean_tokens", 22, "their mean length")
_PEERS = flags.DEFINE_list(
  "peers",
  ["hf", "ctranslate2"],
  "hf, ctranslate2, and not gated: hf_bf16, hf_compiled, hf_continuous,"
  " ctranslate2_int8",
)
_PEER_ROWS = flags.DEFINE_integer(
  "peer_rows", None, "rows a peer draws a round; 4 batches by default"
)
_ROUNDS = flags.DEFINE_integer(
  "rounds", None, "5 by default, 3 for the large shapes"
)
_SAMPLER = flags.DEFINE_enum(
  "sampler", "top_k", ["top_k", "pure"], "what all programs draw by"
)
_TOP_K = flags.DEFINE_integer("top_k", 40, "how many tokens top_k keeps")
_CACHE_LAYOUT = flags.DEFINE_enum(
  "cache_layout",
  None,
  LAYOUTS,
  "of our keys and values; by default as suits the device",
)
_MATMUL_DTYPE = flags.DEFINE_enum(
  "matmul_dtype",
  None,
  ["bfloat16"],
  "of what our matrix products on a CPU multiply; float32 is timed beside",
)
_FIXED_ONLY = flags.DEFINE_bool(
  "fixed_only", False, "leave out the rows that end by themselves"
)
_SWEEP = flags.DEFINE_bool("sweep", False, "batch x length x sampler instead")
_BATCHES = flags.DEFINE_list("batches", [8, 32, 128], "the sweep's")
_LENGTHS = flags.DEFINE_list("lengths", [16, 32, 64, 128], "the sweep's")
_PROFILE = flags.DEFINE_string("profile", None, "write a trace to this folder")
_OUT = flags.DEFINE_string("out", None, "write the numbers to this file")


def main(argv: list[str]) -> int:
  """Returns the exit code: 2 for bad input, said in one line."""
  measure.one_thread()
  if problem := _problem(argv[1:]):
    print(f"Error: {problem}", file=sys.stderr)
    return 2
  with tempfile.TemporaryDirectory() as temporary:
    folder = _folder(pathlib.Path(temporary))
    if _SWEEP.value:
      found = {
        "setting": _setting("top_k", "cache_layout"),
        **sweep.run(
          folder,
          batches=[int(batch) for batch in _BATCHES.value],
          lengths=[int(length) for length in _LENGTHS.value],
          rounds=_rounds(),
          cache_layout=_CACHE_LAYOUT.value,
        ),
      }
    else:
      names = (
        "batch",
        "rows",
        "max_tokens",
        "sampler",
        "top_k",
        "cache_layout",
        "matmul_dtype",
      )
      found = {"setting": _setting(*names), **_compare(folder)}
  found |= {"device": measure.device(), "versions": measure.versions()}
  if _OUT.value:
    out = pathlib.Path(_OUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    if _SWEEP.value:
      sweep.plot(found, out.with_suffix(".svg"))
  return 0


def _problem(rest: list[str]) -> str | None:
  """What is wrong with the flags; None where nothing is."""
  if rest:
    return f"what is {rest[0]!r}?"
  if _CACHE_LAYOUT.value == "blocked" and jax.default_backend() != "gpu":
    return "only a GPU reads --cache_layout=blocked"
  if _MATMUL_DTYPE.value and _SWEEP.value:
    return "--sweep has no --matmul_dtype"
  if _MATMUL_DTYPE.value and jax.default_backend() != "cpu":
    return "--matmul_dtype is for CPUs; here all is bfloat16"
  is_shape = _MODEL.value in models.SHAPES
  if not is_shape and not pathlib.Path(_MODEL.value).is_dir():
    shapes = ", ".join(models.SHAPES)
    return f"--model={_MODEL.value} is no folder, and none of {shapes}"
  if is_shape and not 1 < _MEAN_TOKENS.value < _MAX_TOKENS.value:
    return (
      f"--mean_tokens={_MEAN_TOKENS.value:g} has to lie between 1 and"
      f" --max_tokens={_MAX_TOKENS.value}"
    )
  return _problem_of_peers([name for name in _PEERS.value if name])


def _problem_of_peers(names: list[str]) -> str | None:
  if not names:
    return None
  try:
    import peers
  except ImportError as error:
    return f"no {error.name} here: pip install -e .[peers], or give --peers="
  unknown = [name for name in names if name not in peers.PEERS]
  if unknown:
    return f"--peers={unknown[0]} is none of {', '.join(peers.PEERS)}"
  return None


def _folder(temporary: pathlib.Path) -> pathlib.Path:
  if _MODEL.value not in models.SHAPES:
    return pathlib.Path(_MODEL.value)
  models.write_folder(
    temporary,
    models.SHAPES[_MODEL.value],
    end=models.end_probability(_MEAN_TOKENS.value, _MAX_TOKENS.value),
    top_k=_TOP_K.value if _SAMPLER.value == "top_k" else None,
  )
  return temporary


def _rounds() -> int:
  return _ROUNDS.value or (3 if _MODEL.value.startswith("gpt2") else 5)


def _setting(*names: str) -> dict[str, Any]:
  """What holds of all numbers; `names` are flags."""
  is_named = _MODEL.value in models.SHAPES
  return {
    "model": _MODEL.value if is_named else "FOLDER",
    "mean_tokens": _MEAN_TOKENS.value if is_named else None,
    **{name: flags.FLAGS[name].value for name in names},
    "rounds": _rounds(),
    "rates": "tokens per CPU-second, one thread"
    if jax.default_backend() == "cpu"
    else "tokens per second",
  }


def _compare(folder: pathlib.Path) -> dict[str, Any]:
  ours = _engine(folder, matmul_dtype=_MATMUL_DTYPE.value)
  compile_seconds = ours.compile()
  if _PROFILE.value:
    with jax.profiler.trace(_PROFILE.value):
      ours.fixed()
  fixed, useful, failed = _programs(ours, folder)
  step = measure.alternate(fixed | {"floor": ours.floor()}, _rounds())
  parts = measure.alternate(ours.parts(), 2 * _rounds())
  found = {
    "compile_seconds": round(compile_seconds, 1),
    "recompiles": ours.recompiles(),
    **_of_steps(step, parts, _BATCH.value),
    "fixed": _table("all rows have all tokens", step, _BATCH.value),
  }
  if not _FIXED_ONLY.value:
    runs = measure.alternate(useful, _rounds())
    found |= {
      "useful": _table("rows that end by themselves", runs, _BATCH.value),
      **_of_useful(runs, _ROWS.value, _BATCH.value),
    }
    batch = max(_BATCH.value // 4, 1)
    rows = min(_ROWS.value, 512)
    share = ours.equal_rows(rows, batch)
    found["equal_rows"] = {"rows": rows, "batch": batch, "share": share}
  found["ratio"] = {
    name: row["gd_jax_over_it"]["median"]
    for name, row in found.get("useful", found["fixed"]).items()
    if name in _PEERS.value
  }
  if failed:
    found["not_run"] = failed
  for name in ("step_over_gemm_floor", "sampler_share", "recompiles", "ratio"):
    print(f"{name}: {json.dumps(found[name])}")
  return found


def _engine(folder: pathlib.Path, *, matmul_dtype: str | None) -> engine.Engine:
  return engine.Engine(
    folder,
    batch=_BATCH.value,
    max_tokens=_MAX_TOKENS.value,
    kind=_SAMPLER.value,
    top_k=_TOP_K.value,
    cache_layout=_CACHE_LAYOUT.value,
    matmul_dtype=matmul_dtype,
  )


def _programs(ours: engine.Engine, folder: pathlib.Path) -> Any:
  """What is to be timed, all compiled and run once; and who failed, why."""
  peer_rows = _PEER_ROWS.value or min(_ROWS.value, 4 * _BATCH.value)
  fixed: dict[str, measure.Program] = {"gd_jax": ours.fixed}
  useful: dict[str, measure.Program] = {
    "gd_jax": lambda: ours.refill(_ROWS.value),
    "gd_jax, no refill": lambda: ours.static(peer_rows),
  }
  if _MATMUL_DTYPE.value:
    plain = _engine(folder, matmul_dtype=None)
    plain.compile()
    fixed["gd_jax, float32"] = plain.fixed
    useful["gd_jax, float32"] = lambda: plain.refill(_ROWS.value)
  failed = {}
  sampling = {
    "top_k": _TOP_K.value if _SAMPLER.value == "top_k" else 0,
    "temperature": 1.0,
    "top_p": 1.0,
  }
  for name in filter(None, _PEERS.value):
    import peers

    try:
      peer = peers.load(
        name,
        folder,
        batch=_BATCH.value,
        max_tokens=_MAX_TOKENS.value,
        sampling=sampling,
      )
      # As many rows as are timed: what compiles does so for each number.
      peer.draw(_BATCH.value, ends=False)
    except Exception as error:  # A peer may fail in any way; it is shown so.
      failed[name] = f"{type(error).__name__}: {error}"[:200]
      print(f"{name} does not run here: {failed[name]}")
      continue
    fixed[name] = lambda peer=peer: peer.draw(_BATCH.value, ends=False)
    useful[name] = lambda peer=peer: peer.draw(peer_rows, ends=True)
  return fixed, useful, failed


def _of_steps(step, parts, batch: int) -> dict[str, Any]:
  """A step against its matrix products, and each sampler's share of it."""
  ours, floor = step["gd_jax"], step.pop("floor")
  ms = {
    name: measure.spread([1e3 * run.seconds() / run.work.steps for run in runs])
    for name, runs in {"step": ours, "floor": floor, **parts}.items()
  }
  median = {name: each["median"] for name, each in ms.items()}
  # A step of another sampler is this step with the sampler exchanged.
  rest = median["step"] - median[_SAMPLER.value]
  share = {
    kind: round(median[kind] / (rest + median[kind]), 4) for kind in parts
  }
  head = share.pop("head") and median["head"]
  return {
    "milliseconds": ms,
    "step_over_gemm_floor": measure.ratios(floor, ours)["median"],
    "step_over_gemm_floor_spread": measure.ratios(floor, ours),
    "sampler_share": share,
    "sampler_over_head": {k: round(median[k] / head, 3) for k in share},
  }


def _table(title: str, runs, batch: int) -> dict[str, Any]:
  """Prints and returns each program's rate and how much faster ours is."""
  print(f"\n{_MODEL.value}, batch {batch}: {title}")
  found = {}
  for name, each in runs.items():
    row = {
      "tokens_per_second": measure.spread([run.rate() for run in each]),
      "wall_tokens_per_second": measure.spread(
        [run.work.tokens / run.wall for run in each]
      ),
      "gd_jax_over_it": measure.ratios(runs["gd_jax"], each),
    }
    found[name] = row
    rate, ratio = row["tokens_per_second"], row["gd_jax_over_it"]
    print(
      f"  {name:18} {rate['median']:10,.0f} tokens/s"
      f" ({rate['min']:,.0f} to {rate['max']:,.0f}),"
      f" gd_jax is {ratio['median']:.2f} times as fast"
      f" ({ratio['min']:.2f} to {ratio['max']:.2f})"
    )
  return found


def _of_useful(runs, num_rows: int, batch: int) -> dict[str, Any]:
  work = runs["gd_jax"][0].work
  rate = measure.spread([run.rate() for run in runs["gd_jax"]])
  return {
    "useful_tokens_per_second": rate["median"],
    "slot_use": round(work.tokens / (work.steps * batch), 4),
    "steps": work.steps,
    "drawn_mean_tokens": round(work.tokens / num_rows, 2),
    "refill_over_static": measure.ratios(
      runs["gd_jax"], runs["gd_jax, no refill"]
    ),
  }


if __name__ == "__main__":
  app.run(main)
