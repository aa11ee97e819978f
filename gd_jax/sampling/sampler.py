# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Row ids in, rows out: the host's side of the sampling loop.

Each of this host's devices runs `loop.sample_block` to its own end under
`jax.pmap`, which needs no word from the others: under `jit` over sharded rows
the loop's stop test would cost one all-reduce a token. The host deals out row
ids, and works on the rows of one call while the devices run the next.

Legend: D devices, Q queue.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from gd_jax import devices as local
from gd_jax.errors import UserError
from gd_jax.sampling import loop


@dataclasses.dataclass(frozen=True)
class Row:
  """One drawn row.

  Attributes:
    row_id: which.
    tokens: what was drawn after BOS, the end token included if it came.
    log_prob: the model's log-probability of `tokens`, in nats.
  """

  row_id: int
  tokens: list[int]
  log_prob: float


@dataclasses.dataclass(frozen=True)
class Block:
  """What one call brought.

  Attributes:
    rows: the rows it finished, in no order.
    steps: how many steps the device that took the most of them took.
    seconds: from the call to its rows' arrival, compilation not counted.
    slots: the slots of all devices together.
  """

  rows: list[Row]
  steps: int
  seconds: float
  slots: int


class Sampler:
  """Draws rows from one decoder on this host's devices."""

  def __init__(
    self,
    model: Any,
    params: Any,
    *,
    shape: loop.Shape,
    devices: Sequence[Any] | None = None,
  ):
    """Puts the params on every device.

    Args:
      model: a decoder, see `gd_jax.models`; its dtype is the cache's as well.
      params: the model's, best made ready by `models.decoding.prepare`.
      shape: the program's shape.
      devices: this host's own devices by default.
    """
    self._devices = tuple(devices or local.local_devices())
    self._everywhere = NamedSharding(
      Mesh(np.array(self._devices), ("device",)), PartitionSpec()
    )
    self._params = jax.device_put(params, self._everywhere)
    self._model, self._shape = model, shape

  def draw(
    self, row_ids: Sequence[int], request: loop.Request
  ) -> Iterator[Block]:
    """Draws the rows `row_ids`; each block holds what one call finished.

    Raises:
      UserError: the model's numbers are not finite.
    """
    make_idle, sample_block = compiled(self._model, self._shape, self._devices)
    request = jax.device_put(request, self._everywhere)
    pending = np.asarray(row_ids, np.int32)
    # An empty queue takes no step: this call only compiles.
    empty, _ = self._deal(pending[:0])
    idle = make_idle(np.zeros(len(self._devices)))
    slots, _ = sample_block(self._params, idle, empty, request)
    in_progress, block = 0, None
    while len(pending) or in_progress:
      queue, rest = self._deal(pending)
      start = time.perf_counter()
      slots, finished = sample_block(self._params, slots, queue, request)
      # The devices are busy with this call: the caller's time costs nothing.
      if block is not None:
        yield block
      finished = jax.device_get(finished)
      block = self._block(finished, time.perf_counter() - start)
      in_progress += int(finished.taken.sum()) - len(block.rows)
      pending = np.sort(np.concatenate([rest, *_left(queue, finished.taken)]))
    if block is not None:
      yield block

  def _deal(
    self, pending: Int[np.ndarray, "N"]
  ) -> tuple[Int[np.ndarray, "D Q"], Int[np.ndarray, "M"]]:
    """Queues with the next rows dealt out in turn, and the rows not dealt.

    Dealt anew for every call, so that no device runs dry before the others.
    """
    num_devices = len(self._devices)
    queue = np.full((num_devices, self._shape.capacity), -1, np.int32)
    for device in range(num_devices):
      hand = pending[device::num_devices][: self._shape.capacity]
      queue[device, : len(hand)] = hand
    return queue, pending[num_devices * self._shape.capacity :]

  def _block(self, finished: loop.Finished, seconds: float) -> Block:
    rows = []
    for device, count in enumerate(finished.count):
      for place in range(count):
        num_drawn = finished.num_drawn[device, place]
        rows.append(
          Row(
            row_id=int(finished.row_id[device, place]),
            tokens=finished.tokens[device, place, :num_drawn].tolist(),
            log_prob=float(finished.log_prob[device, place]),
          )
        )
    for row in rows:
      if not np.isfinite(row.log_prob):
        raise UserError(
          f"row {row.row_id} has the log-probability {row.log_prob}: the "
          "generator's numbers are not finite; train it anew, with a lower "
          "generator.learning_rate"
        )
    return Block(
      rows=rows,
      steps=int(finished.steps.max()),
      seconds=seconds,
      slots=self._shape.slots * len(self._devices),
    )


def _left(
  queue: Int[np.ndarray, "D Q"], taken: Int[np.ndarray, "D"]
) -> list[np.ndarray]:
  """What each device did not take on from its queue."""
  left = [row_ids[count:] for row_ids, count in zip(queue, taken, strict=True)]
  return [row_ids[row_ids >= 0] for row_ids in left]


def _block_program(model: Any, shape: loop.Shape) -> Callable:
  """program(params, slots, queue, request): one device's block of steps."""

  def sample_block(params, slots, queue, request):
    def decode(token, position, cache):
      return model.apply(
        {"params": params}, token, position, cache, method="decode"
      )

    return loop.sample_block(decode, shape, slots, queue, request)

  return sample_block


@functools.lru_cache(maxsize=8)
def compiled(
  model: Any, shape: loop.Shape, devices: tuple[Any, ...]
) -> tuple[Any, Any]:
  """The mapped programs: zeros [D] -> idle slots, and one block of steps.

  Kept by model, shape and devices, so that a second sampler of the same kind
  compiles nothing.
  """

  make_idle = jax.pmap(
    lambda _: loop.idle_slots(model, shape, dtype=model.dtype),
    devices=devices,
    # One name for both programs: the slots of one are the other's as they are.
    axis_name="device",
  )
  mapped = jax.pmap(
    _block_program(model, shape),
    in_axes=(None, 0, 0, None),
    donate_argnums=1,
    devices=devices,
    axis_name="device",
  )
  return make_idle, mapped
