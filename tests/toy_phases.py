# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Toy phases, for tests of what holds phases together."""

from ml_collections import config_dict

from gd_jax import artefacts, pipeline
from gd_jax.errors import UserError

ALL = ["draw", "grow", "follow", "train", "tell"]


def make_config() -> config_dict.ConfigDict:
  """A section with one field, n, for each."""
  return config_dict.ConfigDict({name: {"n": 1} for name in ALL})


class House:
  """Five phases that note which of them ran."""

  def __init__(self):
    self.ran: list[str] = []
    self.fail = self.lacks = self.lacks_later = ""
    self.leaves_half = False
    self.phases = (
      pipeline.Phase("draw", self._phase("draw"), require=self._require),
      pipeline.Phase(
        "grow",
        self._phase("grow"),
        reads=("draw",),
        grows={"grow.n": lambda was, now: now > was},
      ),
      pipeline.Phase(
        "follow", self._phase("follow"), reads=("grow",), follows=("grow",)
      ),
      pipeline.Phase(
        "train",
        self._phase("train"),
        reads=("grow",),
        require=self._require_later,
      ),
      pipeline.Phase(
        "tell",
        self._phase("tell"),
        reads=("train",),
        derived=True,
        require=self._require_later,
      ),
    )

  def _phase(self, name):
    def run(config, workdir, progress):
      self.ran.append(name)
      if self.fail == name:
        if self.leaves_half:
          artefacts.write_json(workdir / name / "half.json", [])
        raise RuntimeError("killed")
      artefacts.write_json(workdir / name / "out.json", dict(config[name]))
      return {}

    return run

  def _require(self, config, workdir, cleared, progress):
    if self.lacks:
      raise UserError(f"no such {self.lacks}")

  def _require_later(self, config, workdir, cleared, progress):
    if self.lacks_later:
      raise UserError(f"no such {self.lacks_later}")

  def go(self, config, workdir, progress, **options):
    """Runs the pipeline of them; returns the names of those that ran."""
    self.ran.clear()
    pipeline.run(config, workdir, progress=progress, **options)
    return self.ran
