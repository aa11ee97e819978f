# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The students of `gd_jax.models` as ONNX graphs, from the same parameters.

tokens [B L] -> logits [B C]. Token 0 is padding; the mask is made from it, and
as in training nothing that stands at padding is ever seen.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gd_jax.errors import UserError
from gd_jax.export.graph import Graph, Params

_NORM_EPSILON = 1e-6  # flax's default
# ONNX's numbers of element types.
_FLOAT, _INT32, _BOOL = 1, 6, 9


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


class _Text(NamedTuple):
  """The tokens, as layers that look at one token at a time want them."""

  flat: str  # The tokens of all rows, one after another: [B*L].
  places: str  # 1 to B*L; 0 where there is padding: int32 [B L].
  some: str  # Has a row a real token? 1 or 0: float32 [B 1].
  number: str  # Its real tokens, or 1 where there are none: float32 [B 1].


def _text(graph: Graph) -> _Text:
  real = graph.op("Cast", "tokens", to=_BOOL)
  one = graph.constant(np.array(1, np.int32))
  size = graph.op("Cast", graph.op("Size", "tokens"), to=_INT32)
  counted = graph.op("Range", one, graph.op("Add", size, one), one)
  counted = graph.op("Reshape", counted, graph.op("Shape", "tokens"))
  total = _num_real(graph, real)
  return _Text(
    flat=graph.op("Reshape", "tokens", graph.constant(np.array([-1]))),
    places=graph.op("Mul", counted, graph.op("Cast", real, to=_INT32)),
    some=graph.op("Min", total, graph.number(1)),
    number=graph.op("Max", total, graph.number(1)),
  )


def _num_real(graph: Graph, real: str) -> str:
  """Real tokens of each row: float32 [B 1]."""
  return graph.reduce("Sum", graph.op("Cast", real, to=_FLOAT), 1, keep=True)


def _max_pool(graph: Graph, x: str, text: _Text, width: int) -> str:
  lowest = float(np.finfo(np.float32).min)
  rows = graph.rows(x, text.places, width=width, elsewhere=lowest)
  return graph.op("Mul", graph.reduce("Max", rows, 1), text.some)


def _mean_pool(graph: Graph, x: str, text: _Text, width: int) -> str:
  rows = graph.rows(x, text.places, width=width, elsewhere=0)
  return graph.op("Div", graph.reduce("Sum", rows, 1), text.number)


def _res_cnn(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  text, width = _text(graph), spec["num_filters"]
  neighbours = graph.neighbours(text.places, spec["kernel_width"])
  x = graph.embed(params["embed"]["embedding"], text.flat)
  x = graph.dense(x, params["widen"])

  def norm(x: str, name: str) -> str:
    return graph.layer_norm(x, params[name], epsilon=_NORM_EPSILON)

  for i in range(spec["num_blocks"]):
    y = graph.convolve(norm(x, f"norm_{i}a"), params[f"conv_{i}a"], neighbours)
    y = norm(graph.op("Gelu", y, approximate="tanh"), f"norm_{i}b")
    y = graph.convolve(y, params[f"conv_{i}b"], neighbours)
    x = graph.op("Add", x, y)
  x = norm(x, "norm_out")
  return graph.op(
    "Concat",
    _max_pool(graph, x, text, width),
    _mean_pool(graph, x, text, width),
    axis=-1,
  )


def _kim_cnn(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  text = _text(graph)
  x = graph.embed(params["embed"]["embedding"], text.flat)
  pooled = []
  for width in spec["kernel_widths"]:
    neighbours = graph.neighbours(text.places, width)
    y = graph.convolve(x, params[f"conv_{width}"], neighbours)
    y = graph.op("Relu", y)
    pooled.append(_max_pool(graph, y, text, spec["num_filters"]))
  return graph.op("Concat", *pooled, axis=-1)


def _blend_cnn(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  text = _text(graph)
  neighbours = graph.neighbours(text.places, spec["kernel_width"])
  x = graph.embed(params["embed"]["embedding"], text.flat)
  pooled = []
  for i in range(spec["num_layers"]):
    x = graph.op("Relu", graph.convolve(x, params[f"conv_{i}"], neighbours))
    pooled.append(_mean_pool(graph, x, text, spec["num_filters"]))
  x = graph.dense(graph.op("Concat", *pooled, axis=-1), params["hidden"])
  return graph.op("Relu", x)


def _bilstm(graph: Graph, spec: dict[str, Any], params: Params) -> str:
  total = _num_real(graph, graph.op("Cast", "tokens", to=_BOOL))
  lengths = graph.op("Squeeze", total, graph.constant(np.array([1])))
  x = graph.embed(params["embed"]["embedding"], "tokens")
  last = graph.lstm(
    x,
    [params["forward"], params["backward"]],
    graph.op("Cast", lengths, to=_INT32),
    width=spec["state_width"],
  )
  return graph.op("Relu", graph.dense(last, params["hidden"]))


_FAMILIES: dict[str, Callable[[Graph, dict[str, Any], Params], str]] = {
  "res_cnn": _res_cnn,
  "kim_cnn": _kim_cnn,
  "blend_cnn": _blend_cnn,
  "bilstm": _bilstm,
}
