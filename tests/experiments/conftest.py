# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.experiments.finished_runs import ROOT, paper, taken, write_runs


@pytest.fixture
def out(tmp_path, monkeypatch):
  """Four draws of tier 1 on TREC, collected."""
  monkeypatch.syspath_prepend(str(ROOT))
  target = tmp_path / "results/tier1/trec"
  paper("stored").save(target, taken([write_runs(tmp_path / "sweep")]))
  return target
