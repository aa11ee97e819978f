# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The students of `gd_jax.models` as ONNX graphs, from the same parameters.

tokens [B L] -> logits [B C]. Token 0 is padding; the mask is made from it, and
as in training nothing that stands at padding is ever seen.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gd_jax.errors import UserError
from gd_jax.export.graph import Graph, Params

_NORM_EPSILON = 1e-6  # flax's default


def build(
  spec: dict[str, Any],
  params: Params,
  *,
  int8: bool = False,
  notes: Sequence[tuple[str, str]] = (),
) -> bytes:
  """A trained student as the bytes of an ONNX file.

  Args:
    spec: Its `model.json`.
    params: Its parameters.
    int8: Store tables and kernels as integers.
    notes: (name, value) pairs for the file's metadata.

  Raises:
    UserError: The family has no graph here, or onnx is not installed.
  """
  family = spec["family"]
  if family not in _FAMILIES:
    raise UserError(
      f"export: a {family} has no ONNX graph (those of {', '.join(_FAMILIES)} "
      "have): leave it out with --config.export.formats='(\"stablehlo\",)'"
    )
  graph = Graph(int8=int8)
  numbers = _as_numpy(params)
  pooled = _FAMILIES[family](graph, spec, numbers)
  graph.dense(pooled, numbers["classifier"], name="logits")
  return graph.model(family, num_classes=spec["num_classes"], notes=notes)


def _as_numpy(params: Any) -> Any:
  if isinstance(params, dict):
    return {name: _as_numpy(value) for name, value in params.items()}
  return np.asarray(params, np.float32)


def _real(graph: Graph) -> tuple[str, str]:
  """Which tokens are no padding: as booleans and as numbers, [B L 1]."""
  axis = graph.constant(np.array([-1], np.int64))
  tokens = graph.op("Unsqueeze", "tokens", axis)
  real = graph.op("Cast", tokens, to=9)  # BOOL
  return real, graph.op("Cast", real, to=1)  # FLOAT


def _max_pool(graph: Graph, x: str, real: str, some: str) -> str:
  lowest = graph.number(float(np.finfo(np.float32).min))
  highest = graph.reduce("Max", graph.op("Where", real, x, lowest), 1)
  return graph.op("Mul", highest, some)


def _mean_pool(graph: Graph, x: str, ones: str, count: str) -> str:
  total = graph.reduce("Sum", graph.op("Mul", x, ones), 1)
  return graph.op("Div", total, count)


def _counted(graph: Graph, ones: str) -> tuple[str, str]:
  """(at least 1 real token? as 0 or 1, their number or 1), each [B 1]."""
  some = graph.reduce("Max", ones, 1)
  total = graph.reduce("Sum", ones, 1)
  return some, graph.op("Max", total, graph.number(1))


def _res_cnn(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  real, ones = _real(graph)
  x = graph.embed(params["embed"]["embedding"], "tokens")
  x = graph.dense(x, params["widen"])

  def norm(x: str, name: str) -> str:
    return graph.layer_norm(x, params[name], epsilon=_NORM_EPSILON)

  for i in range(spec["num_blocks"]):
    y = graph.convolve(norm(x, f"norm_{i}a"), params[f"conv_{i}a"], ones)
    y = norm(graph.op("Gelu", y, approximate="tanh"), f"norm_{i}b")
    x = graph.op("Add", x, graph.convolve(y, params[f"conv_{i}b"], ones))
  x = norm(x, "norm_out")
  some, count = _counted(graph, ones)
  return graph.op(
    "Concat",
    _max_pool(graph, x, real, some),
    _mean_pool(graph, x, ones, count),
    axis=-1,
  )


def _kim_cnn(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  real, ones = _real(graph)
  some, _ = _counted(graph, ones)
  x = graph.embed(params["embed"]["embedding"], "tokens")
  x = graph.op("Mul", x, ones)
  pooled = []
  for width in spec["kernel_widths"]:
    y = graph.op("Relu", graph.convolve(x, params[f"conv_{width}"], None))
    pooled.append(_max_pool(graph, y, real, some))
  return graph.op("Concat", *pooled, axis=-1)


def _blend_cnn(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  _, ones = _real(graph)
  _, count = _counted(graph, ones)
  x = graph.embed(params["embed"]["embedding"], "tokens")
  pooled = []
  for i in range(spec["num_layers"]):
    x = graph.op("Relu", graph.convolve(x, params[f"conv_{i}"], ones))
    pooled.append(_mean_pool(graph, x, ones, count))
  x = graph.dense(graph.op("Concat", *pooled, axis=-1), params["hidden"])
  return graph.op("Relu", x)


def _bilstm(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  _, ones = _real(graph)
  lengths = graph.op(
    "Squeeze", graph.reduce("Sum", ones, 1), graph.constant(np.array([1]))
  )
  x = graph.embed(params["embed"]["embedding"], "tokens")
  last = graph.lstm(
    x,
    [params["forward"], params["backward"]],
    graph.op("Cast", lengths, to=6),  # INT32
    width=spec["state_width"],
  )
  return graph.op("Relu", graph.dense(last, params["hidden"]))


_FAMILIES: dict[str, Callable[[Graph, dict[str, Any], Params], str]] = {
  "res_cnn": _res_cnn,
  "kim_cnn": _kim_cnn,
  "blend_cnn": _blend_cnn,
  "bilstm": _bilstm,
}
