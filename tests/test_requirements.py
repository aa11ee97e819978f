# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import pytest
from etils import epath
from ml_collections import config_dict

from configs import common
from gd_jax import artefacts, devices, pipeline, requirements
from gd_jax.errors import UserError

ROUNDED = ("teacher", "generator", "soft_labels")


# Dies if: products that would gather all rows on each device are let through,
# those of one device or of a corpus are not, or what is done is asked again.
@pytest.mark.parametrize("name", ROUNDED)
def test_several_cpu_devices_do_not_multiply_rounded(
  tmp_path, monkeypatch, name
):
  workdir = epath.Path(tmp_path)
  config = common.get_config("trec").unlock()
  config.corpus.matmul_dtype = "bfloat16"

  def require(cleared=(), phases=pipeline.PHASES):
    requirements.require_one_device(config, workdir, phases, cleared=cleared)

  monkeypatch.setattr(devices, "platform", lambda: "cpu")
  monkeypatch.setattr(devices, "number", lambda: 2)
  require()
  config[name].matmul_dtype = "bfloat16"
  # Before the first phase, which would ask for rows.
  with pytest.raises(UserError, match="for one CPU device"):
    pipeline.run(config, workdir)
  with pytest.raises(UserError, match=rf"{name}\.matmul_dtype is .* are 2: l"):
    require()
  require(phases=[p for p in pipeline.PHASES if p.name != name])
  artefacts.begin(workdir / name, config={}, inputs={})
  artefacts.finish(workdir / name, config={}, inputs={}, counts={}, seconds=1)
  require()
  with pytest.raises(UserError, match="for one CPU device"):
    require(cleared=[name])
  monkeypatch.setattr(devices, "number", lambda: 1)
  require(cleared=[name])
  monkeypatch.setattr(devices, "number", lambda: 2)
  monkeypatch.setattr(devices, "platform", lambda: "gpu")
  require(cleared=[name])


# Dies if: a user's rows are taken for a phase's folder and moved away.
def test_rows_do_not_lie_where_a_phase_is_kept(tmp_path):
  config = config_dict.ConfigDict({"data": {"folder": f"{tmp_path}/w/data"}})
  with pytest.raises(UserError, match="the phase data would be kept"):
    requirements.require_apart(config, tmp_path / "w", pipeline.PHASES)
  requirements.require_apart(config, tmp_path / "v", pipeline.PHASES)
