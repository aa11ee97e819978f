# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The phases in their order: what each reads, and what of the config it is of.

`pipeline` runs them; nothing else knows the order.
"""

import operator
from typing import Any

from gd_jax.phases import (
  corpus,
  data,
  export,
  generator,
  report,
  soft_labels,
  students,
  teacher,
)
from gd_jax.recipes import Phase


def _anything(was: Any, now: Any) -> bool:
  del was, now
  return True


PHASES = (
  Phase(
    "data",
    data.run,
    also=("task",),
    require=data.require,
    # Rows are drawn whole; later phases cut them.
    free=frozenset(
      {"dir", "folder", "cache_dir", "allow_download", "max_tokens"}
    ),
  ),
  Phase(
    "teacher",
    teacher.run,
    reads=("data",),
    also=("seed", "data.max_tokens"),
    free=frozenset({"allow_download", "remat"}),
    require=teacher.require,
    model="teacher.init",
    shared=True,
  ),
  Phase(
    "generator",
    generator.run,
    reads=("data",),
    also=("seed",),
    free=frozenset({"allow_download", "remat", "pretrain_on", "pretrain_dir"}),
    require=generator.require,
    model="generator.init",
    texts="generator.pretrain_on",
    reading="generator.pretrain",
    shared=True,
  ),
  Phase(
    "corpus",
    corpus.run,
    reads=("data", "generator"),
    also=("seed",),
    free=frozenset({"steps_per_call"}),
    grows={"corpus.num_texts": operator.lt},  # it was less
    shared=True,
  ),
  Phase(
    "soft_labels",
    soft_labels.run,
    reads=("data", "teacher", "corpus"),
    also=("seed", "data.max_tokens"),
    free=frozenset({"batch_size"}),
    follows=("corpus",),
    shared=True,
  ),
  Phase(
    "students",
    students.run,
    reads=("data", "teacher", "corpus", "soft_labels"),
    also=("seed",),
    require=students.require,
    # Each students/ARM/SEED has a manifest of its own.
    grows={"students.arms": _anything, "students.num_seeds": _anything},
    shared=True,
  ),
  Phase(
    "report",
    report.run,
    reads=(
      "data",
      "teacher",
      "generator",
      "corpus",
      "soft_labels",
      "students",
    ),
    # What it tells of the config, or reads texts by.
    also=(
      "task",
      "seed",
      "data.max_tokens",
      "data.evaluate_on",
      "data.labels_per_class",
      "students.arms",
      "students.num_seeds",
      "students.num_texts",
      "students.max_tokens",
    ),
    derived=True,
  ),
  Phase(
    "export",
    export.run,
    reads=("data", "students", "report"),
    also=("students.max_tokens",),
    free=frozenset({"onnxruntime_web"}),
    require=export.require,
    derived=True,
  ),
)
