# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A pipeline of toy phases, a real run made tiny, and the soak's functions."""

import importlib.util
import pathlib

import pytest
from ml_collections import config_dict

from configs import quickstart
from gd_jax import artefacts, pipeline
from gd_jax.progress import Progress


@pytest.fixture(scope="session")
def soak():
  """The module soak.py beside this file."""
  path = pathlib.Path(__file__).parent / "soak.py"
  spec = importlib.util.spec_from_file_location("soak", path)
  assert spec is not None and spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture
def toys(monkeypatch):
  """Puts three phases of 3 n files each in place of the real ones.

  Returns their config.
  """

  def phase(name):
    def run(config, workdir, progress):
      for number in range(3 * config[name].n):
        path = workdir / name / f"part{number}.json"
        if not path.exists():  # as corpus and soft_labels do
          artefacts.write_json(path, [name, number] * 100)
      return {}

    return run

  phases = (
    pipeline.Phase(
      "draw", phase("draw"), grows={"draw.n": lambda was, now: now > was}
    ),
    pipeline.Phase("grow", phase("grow"), reads=("draw",)),
    pipeline.Phase("train", phase("train"), reads=("draw", "grow")),
  )
  monkeypatch.setattr(pipeline, "PHASES", phases)
  monkeypatch.setattr(pipeline, "NAMES", tuple(p.name for p in phases))
  return config_dict.ConfigDict({p.name: {"n": 1} for p in phases})


@pytest.fixture(scope="session")
def fingerprints():
  """fingerprints(workdir) -> that of each phase that is done, by its name."""
  return lambda workdir: {
    path.parent.name: artefacts.read_json(path)["fingerprint"]
    for path in workdir.glob("*/manifest.json")
  }


# With configs/quickstart.py:quick a run takes seconds.
_TINY = {
  "students.arms": ("gold", "gd", "tfidf"),
  "students.num_seeds": 1,
  "students.embed_width": 16,
  "students.num_filters": 16,
  "students.num_blocks": 1,
}


@pytest.fixture(scope="session")
def tiny_command(soak, tiny_bert, tmp_path_factory):
  """tiny_command(workdir) -> the command line of `tiny_config`."""
  cache = tmp_path_factory.mktemp("cache")
  return lambda workdir: soak.command(
    workdir,
    bert=tiny_bert,
    cache=cache,
    config="configs/quickstart.py:quick",
    settings=_TINY,
  )


@pytest.fixture(scope="session")
def tiny_config(tiny_bert, tmp_path_factory):
  """The quickstart's config, as small as it gets."""
  config = quickstart.get_config("quick")
  config.data.cache_dir = str(tmp_path_factory.mktemp("cache"))
  config.teacher.init = config.generator.init = str(tiny_bert)
  for name, value in _TINY.items():
    section, _, field = name.partition(".")
    config[section][field] = value
  return config


@pytest.fixture(scope="session")
def finished(tiny_config, tmp_path_factory, soak):
  """A workdir in which every phase is done; whoever alters it mends it."""
  workdir = tmp_path_factory.mktemp("finished") / "work"
  quiet = Progress(quiet=True)
  pipeline.run(tiny_config, workdir, phases=soak.PHASES, progress=quiet)
  return workdir
