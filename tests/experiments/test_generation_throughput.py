# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import importlib
import json
import pathlib
import subprocess
import sys

import pytest

from gd_jax.models import gpt2

_FOLDER = (
  pathlib.Path(__file__).parents[2] / "experiments/generation_throughput"
)
_MICRO = gpt2.Gpt2Config(
  vocab_size=300,
  width=32,
  num_layers=1,
  num_heads=2,
  mlp_width=64,
  max_length=32,
)


@pytest.fixture
def part(monkeypatch):
  """A module of the benchmark by name."""
  monkeypatch.syspath_prepend(str(_FOLDER))
  return importlib.import_module


# Dies if: P(end) ignores that texts are cut.
@pytest.mark.parametrize("mean", [2.0, 22.0, 60.0])
def test_end_probability_gives_the_mean(part, mean):
  end = part("models").end_probability(mean, 64)
  lengths = [(1 - end) ** n for n in range(64)]
  assert sum(lengths) == pytest.approx(mean, rel=1e-6)


# Dies if: the end's logit moves with the text, or others share its direction.
def test_random_models_end_by_themselves(part, tmp_path):
  models, engine = part("models"), part("engine")
  end = models.end_probability(6, 16)
  models.write_folder(tmp_path, _MICRO, end=end, top_k=None)
  made = engine.Engine(tmp_path, batch=16, max_tokens=16, kind="pure", top_k=10)
  work = made.refill(1000)
  assert work.tokens / 1000 == pytest.approx(6, rel=0.1)
  assert work.tokens / (16 * work.steps) > 0.9
  assert made.fixed().tokens == 16 * 16


def test_it_writes_what_it_measured(part, tmp_path):
  # Dies if: a key that others read is renamed, or a number is missing.
  part("models").write_folder(tmp_path / "m", _MICRO, end=0.2, top_k=5)
  command = [sys.executable, str(_FOLDER / "benchmark.py")]
  command += [f"--model={tmp_path / 'm'}", "--batch=4", "--rows=12"]
  command += ["--max_tokens=8", "--peers=", "--rounds=1", "--top_k=5"]
  out = tmp_path / "out.json"
  printed = subprocess.run(
    [*command, f"--out={out}"], check=True, capture_output=True, text=True
  ).stdout
  assert "rows that end by themselves" in printed
  found = json.loads(out.read_text())
  assert found["ratio"] == {}
  assert found["recompiles"] == 0
  assert found["equal_rows"]["share"] > 0.9
  assert 0 < found["slot_use"] <= 1
  assert found["useful_tokens_per_second"] > 0
  assert found["step_over_gemm_floor"] > 1
  assert {"pure", "top_k", "top_p", "min_p"} <= set(found["sampler_share"])
  assert {"device", "versions"} <= set(found)
  assert str(tmp_path) not in out.read_text()


# Dies if: a sweep takes the flag and times float32 all the same, or a name that
# nothing has costs minutes before it is said, or is shown as a peer that fails.
@pytest.mark.parametrize(
  ("flags", "line"),
  [
    (["--sweep", "--matmul_dtype=bfloat16"], "--sweep has no --matmul_dtype"),
    (["--model=/nowhere"], "--model=/nowhere is no folder, and none of tiny,"),
    (["--mean_tokens=64"], "--mean_tokens=64 has to lie between 1 and"),
  ],
)
def test_what_is_no_good_is_said_first(flags, line):
  done = subprocess.run(
    [sys.executable, str(_FOLDER / "benchmark.py"), "--peers=", *flags],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2
  assert done.stderr.startswith(f"Error: {line}")
  assert done.stderr.count("\n") == 1


@pytest.mark.parity
def test_an_unknown_peer_is_no_peer_that_fails():
  pytest.importorskip("ctranslate2", reason="the extra `peers`")
  done = subprocess.run(
    [sys.executable, str(_FOLDER / "benchmark.py"), "--peers=hf,hfx"],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2
  assert "--peers=hfx is none of hf, ctranslate2" in done.stderr


def test_the_sweep_times_and_draws_each_combination(part, tmp_path):
  # Dies if: a batch, a length or a sampler is left out, or not drawn.
  part("models").write_folder(tmp_path / "m", _MICRO, end=0.2, top_k=None)
  sweep = part("sweep")
  found = sweep.run(tmp_path / "m", batches=[2, 3], lengths=[4], rounds=1)
  points = found["points"]
  kinds = {(p["sampler"], p["max_tokens"], p["batch"]) for p in points}
  assert len(kinds) == 8
  assert all(p["tokens_per_second"]["min"] > 0 for p in points)
  found["setting"] = {"rates": "tokens per CPU-second, one thread"}
  sweep.plot(found, tmp_path / "plot.svg")
  drawn = (tmp_path / "plot.svg").read_text()
  for words in ("min_p", "4 tokens", "tokens per CPU-second"):
    assert f">{words}<" in drawn
