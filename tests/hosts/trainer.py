# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains a tiny BERT on as many hosts as the environment says; tests run it.

Goes on from what another number of hosts, with another placement, has saved.
"""

import argparse
import json
import pathlib
import sys

import jax
import numpy as np

from gd_jax import checkpoints, devices, hosts
from gd_jax.models import bert, families
from gd_jax.training import fit, losses, memory, optim
from gd_jax.training import step as step_lib

_CONFIG = bert.BertConfig(
  vocab_size=1024,
  width=32,
  num_layers=2,
  num_heads=2,
  mlp_width=64,
  max_length=16,
)
_ROWS = 16


def batch_at(step: int) -> dict[str, np.ndarray]:
  """Batch `step`: a class is a range of words."""
  rng = np.random.default_rng(step)
  label = rng.integers(0, 4, _ROWS).astype(np.int32)
  words = rng.integers(1, 100, (_ROWS, 12)) + 100 * label[:, None]
  mask = np.arange(12) < rng.integers(4, 13, _ROWS)[:, None]
  tokens = np.where(mask, words, 0).astype(np.int32)
  return {"tokens": tokens, "mask": mask.astype(np.int32), "label": label}


def main() -> int:
  """Reads the command line."""
  parser = argparse.ArgumentParser()
  parser.add_argument("--folder", type=pathlib.Path)
  parser.add_argument("--until", type=int)
  parser.add_argument("--fsdp", type=int, default=1)
  flags = parser.parse_args()
  hosts.start()
  mesh = devices.mesh({"data": -1, "fsdp": flags.fsdp})
  module = bert.BertClassifier(_CONFIG, num_classes=4)
  params = families.init_params(module, jax.random.key(0))
  tx = optim.adamw(1e-3, weight_decay=0.01)
  where = memory.places(mesh, params, tx)
  train_step = fit.compile_step(
    step_lib.make_train_step(losses.make_classifier_loss(module), tx),
    mesh,
    where,
  )
  resume = checkpoints.Resume(flags.folder)
  template = fit.first_run(memory.fresh_state(params, tx, where))
  run = fit.load_run(resume, template)
  split = [
    x.sharding.spec
    for x in jax.tree.leaves(run.state)
    if not x.is_fully_replicated
  ]
  state, rng = run.state, jax.random.key(1)
  rng = devices.place(rng, devices.everywhere(mesh))
  history = []
  step = start = int(state.step)
  while step < flags.until:
    state, metrics = train_step(
      state, devices.place_batch(mesh, batch_at(step)), rng
    )
    history.append(float(metrics["loss"][0]))
    step += 1
  arrays = {"state": state, "best_params": run.best_params}
  resume.save(step, arrays, run.record, force=True)
  resume.close()
  checkpoints.save_params(flags.folder, state.params)
  hosts.barrier("all is saved")
  # Every host reads all of what they wrote together.
  loaded = checkpoints.load_params(flags.folder)
  same = checkpoints.digest_params(loaded) == checkpoints.digest_params(
    state.params
  )
  if devices.is_first():
    print(
      json.dumps(
        {
          "start": start,
          "losses": history,
          "split_arrays": len(split),
          "read_back": same,
        }
      ),
      flush=True,
    )
  return 0


if __name__ == "__main__":
  code = main()
  hosts.leave(code)
  sys.exit(code)
