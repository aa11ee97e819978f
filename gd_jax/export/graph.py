# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph put together node by node, its weights float32 or int8.

An int8 weight is stored as integers with one float32 scale for each row of a
table, or each output of a layer, and multiplied out when it is used. The
arithmetic stays float32: the file is a quarter as large, a layer's weights are
multiplied out once, when a runtime loads them, and every runtime computes the
same numbers, which integer arithmetic on different processors does not.

Legend: B batch, L length, N rows (B*L: one a token), D and O widths, H an
LSTM's state, C classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int8

from gd_jax.errors import UserError

Params = dict[str, Any]
INSTALL = "pip install 'gd_jax[export]'"
# Gelu came with opset 20. Runtimes from 2024 on read both.
_OPSET, _IR = 20, 9


def quantize(
  array: Float[np.ndarray, "*S"], axes: int | tuple[int, ...]
) -> tuple[Int8[np.ndarray, "*S"], Float[np.ndarray, "*R"]]:
  """(integers -127..127, scales): array ≈ integers * scales.

  Args:
    array: Weights.
    axes: That share a scale; they keep length 1 in `scales`.
  """
  largest = np.abs(array).max(axis=axes, keepdims=True)
  scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
  return np.rint(array / scales).astype(np.int8), scales


def _onnx_gates(array: np.ndarray) -> np.ndarray:
  i, f, g, o = np.split(array, 4, axis=-1)
  return np.concatenate([i, o, f, g], axis=-1)


class Graph:
  """Nodes and weights; every method adds some and returns the output's name."""

  def __init__(self, *, int8: bool):
    """Raises: UserError: onnx isn't installed."""
    try:
      import onnx
    except ImportError as error:
      raise UserError(
        f"export: onnx is not installed: {INSTALL}, then give the same "
        "command again; or leave it out with "
        "--config.export.formats='(\"stablehlo\",)'"
      ) from error
    self._onnx = onnx
    self._int8 = int8
    self._nodes: list[Any] = []
    self._weights: list[Any] = []

  def op(self, kind: str, *inputs: str, name: str = "", **attributes) -> str:
    """One node with one output."""
    output = name or f"{kind.lower()}_{len(self._nodes)}"
    self._nodes.append(
      self._onnx.helper.make_node(kind, inputs, [output], **attributes)
    )
    return output

  def constant(self, array: np.ndarray) -> str:
    """A weight that is kept as it is."""
    name = f"weight_{len(self._weights)}"
    array = np.ascontiguousarray(array)
    self._weights.append(self._onnx.numpy_helper.from_array(array, name))
    return name

  def weight(self, array: np.ndarray) -> str:
    """A layer's kernel whose last axis is that of its outputs."""
    if not self._int8:
      return self.constant(array)
    integers, scales = quantize(array, tuple(range(array.ndim - 1)))
    return self._multiplied_out(self.constant(integers), self.constant(scales))

  def embed(self, table: Float[np.ndarray, "V D"], tokens: str) -> str:
    """The rows of `table` that `tokens` [*S] name: [*S D]."""
    if not self._int8:
      return self.op("Gather", self.constant(table), tokens)
    integers, scales = quantize(table, 1)
    return self._multiplied_out(
      self.op("Gather", self.constant(integers), tokens),
      self.op("Gather", self.constant(scales), tokens),
    )

  def _multiplied_out(self, integers: str, scales: str) -> str:
    to = self._onnx.TensorProto.FLOAT
    return self.op("Mul", self.op("Cast", integers, to=to), scales)

  def dense(self, x: str, params: dict[str, np.ndarray], name: str = "") -> str:
    """A fully connected layer: [N D] -> [N O]."""
    kernel, bias = self.weight(params["kernel"]), self.constant(params["bias"])
    return self.op("Gemm", x, kernel, bias, name=name)

  def neighbours(self, places: str, width: int) -> str:
    """The places of each token and those around it: [B*L width].

    Args:
      places: Of tokens [B L]; 0 is nowhere, as it is beyond both ends.
      width: Of a convolution that keeps the length.
    """
    before = (width - 1) // 2
    pads = np.array([0, before, 0, 0, width - 1 - before, 0], np.int64)
    length_axis = self._whole(1)
    padded = self.op("Unsqueeze", places, self._whole(-1))
    padded = self.op("Pad", padded, self.constant(pads))
    shifted = [
      self.op("Slice", padded, self._whole(i), self._whole(end), length_axis)
      for i, end in enumerate([*range(1 - width, 0), np.iinfo(np.int64).max])
    ]
    shape = self.constant(np.array([-1, width], np.int64))
    return self.op("Reshape", self.op("Concat", *shifted, axis=-1), shape)

  def rows(self, x: str, places: str, *, width: int, elsewhere: float) -> str:
    """Rows of `x` [N width]: [*S width].

    Args:
      x: Its rows' places are 1 to N.
      places: Integers [*S].
      width: Of a row.
      elsewhere: What stands at place 0.
    """
    row = np.full((1, width), elsewhere, np.float32)
    return self.op(
      "Gather", self.op("Concat", self.constant(row), x, axis=0), places
    )

  def convolve(
    self, x: str, params: dict[str, np.ndarray], neighbours: str
  ) -> str:
    """A convolution of `neighbours`' width: [N D] -> [N O].

    Args:
      x: Inputs; those at padding are not looked at.
      params: "kernel" [W D O] and "bias".
      neighbours: What the method of that name gave.
    """
    # One product of each token with its neighbours, laid side by side: as fast
    # in ONNX Runtime as Conv, which wants channels first, for one text, and 1.7
    # times as fast for 32.
    width, channels, outputs = params["kernel"].shape
    columns = self.rows(x, neighbours, width=channels, elsewhere=0)
    shape = self.constant(np.array([-1, width * channels], np.int64))
    kernel = params["kernel"].reshape(width * channels, outputs)
    return self.dense(
      self.op("Reshape", columns, shape),
      {"kernel": kernel, "bias": params["bias"]},
    )

  def lstm(
    self, x: str, directions: Sequence[Params], lengths: str, *, width: int
  ) -> str:
    """The last states of LSTMs, the second one's from the end on: [B 2H].

    Args:
      x: Inputs [B L D].
      directions: "input" {"kernel" [D 4H], "bias" [4H]} and "kernel" [H 4H] of
        each of the two; gates: input, forget, cell, output.
      lengths: Real tokens of each row: int32 [B].
      width: H.
    """

    def by_output(kernels: list[np.ndarray]) -> str:
      """[2 4H D], gates in ONNX's order: input, output, forget, cell."""
      rows = [
        self.op("Transpose", self.weight(_onnx_gates(kernel)), perm=[1, 0])
        for kernel in kernels
      ]
      first = self._whole(0)
      rows = [self.op("Unsqueeze", row, first) for row in rows]
      return self.op("Concat", *rows, axis=0)

    biases = np.stack([_onnx_gates(d["input"]["bias"]) for d in directions])
    states = f"states_{len(self._nodes)}"
    self._nodes.append(
      self._onnx.helper.make_node(
        "LSTM",
        [
          self.op("Transpose", x, perm=[1, 0, 2]),
          by_output([d["input"]["kernel"] for d in directions]),
          by_output([d["kernel"] for d in directions]),
          self.constant(np.concatenate([biases, 0 * biases], axis=1)),
          lengths,
        ],
        ["", states],
        hidden_size=width,
        direction="bidirectional",
      )
    )
    by_row = self.op("Transpose", states, perm=[1, 0, 2])
    shape = self.constant(np.array([0, 2 * width], np.int64))
    return self.op("Reshape", by_row, shape)

  def layer_norm(
    self, x: str, params: dict[str, np.ndarray], *, epsilon: float
  ) -> str:
    """Normalises the last axis."""
    scale, bias = (self.constant(params[name]) for name in ("scale", "bias"))
    return self.op("LayerNormalization", x, scale, bias, epsilon=epsilon)

  def reduce(self, kind: str, x: str, axis: int, *, keep: bool = False) -> str:
    """ReduceSum, ReduceMax, ... over one axis."""
    return self.op(f"Reduce{kind}", x, self._whole(axis), keepdims=int(keep))

  def _whole(self, number: int) -> str:
    return self.constant(np.array([number], np.int64))

  def number(self, value: float) -> str:
    """A float32 scalar."""
    return self.constant(np.array(value, np.float32))

  def model(
    self, name: str, *, num_classes: int, notes: Sequence[tuple[str, str]]
  ) -> bytes:
    """The whole model: "tokens" [B L] int32 -> "logits", "probabilities".

    Args:
      name: Of the graph.
      num_classes: C.
      notes: Metadata.
    """
    helper, types = self._onnx.helper, self._onnx.TensorProto
    self.op("Softmax", "logits", name="probabilities", axis=-1)
    graph = helper.make_graph(
      self._nodes,
      name,
      [helper.make_tensor_value_info("tokens", types.INT32, ["B", "L"])],
      [
        helper.make_tensor_value_info(output, types.FLOAT, ["B", num_classes])
        for output in ("logits", "probabilities")
      ],
      self._weights,
    )
    made = helper.make_model(
      graph,
      producer_name="gd_jax",
      ir_version=_IR,
      opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    helper.set_model_props(made, dict(notes))
    self._onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)
