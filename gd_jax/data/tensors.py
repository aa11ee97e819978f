# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of arrays, wherever they lie: the library opens no path in a bucket."""

import json

import numpy as np
from etils import epath
from safetensors.numpy import load


def read(path: epath.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
  """(arrays by name, what was given as metadata) of a safetensors file.

  Raises:
    OSError: It is not there.
    SafetensorError: It is damaged.
  """
  data = path.read_bytes()
  arrays = load(data)
  # Eight bytes of length, then JSON: the library keeps this part to itself.
  header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
  return arrays, header.get("__metadata__", {})
