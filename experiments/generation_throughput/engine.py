# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""gd_jax's side: the sampling loop, its floor and its parts.

Legend: B slots, D model width, V vocabulary.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import measure
import models
import numpy as np
from measure import Work

from gd_jax.models import attention, decoding, gpt2, linear, pretrained
from gd_jax.sampling import choose, loop, sampler

_FLOOR_STEPS = 16


class Engine:
  """A model in a Hugging Face folder, and the programs to be timed."""

  def __init__(
    self,
    folder: pathlib.Path,
    *,
    batch: int,
    max_tokens: int,
    kind: str,
    top_k: int,
    cache_layout: str | None = None,
    matmul_dtype: str | None = None,
  ):
    """Loads the model; float32 on a CPU, bfloat16 elsewhere.

    Args:
      kind: the sampler's name.
      top_k: how many tokens the sampler "top_k" keeps.
      cache_layout: of `attention.LAYOUTS`; None: as suits the device.
      matmul_dtype: of what matrix products multiply; None: as all else.
    """
    config, params = pretrained.load_gpt2(folder)
    platform = jax.default_backend()
    self.dtype = jnp.float32 if platform == "cpu" else jnp.bfloat16
    layout = cache_layout or attention.cache_layout(platform)
    self.model = gpt2.Gpt2(config, self.dtype, cache_layout=layout)
    prepared = decoding.prepare(params, self.dtype, matmul_dtype=matmul_dtype)
    self.params = jax.device_put(prepared)
    self.batch, self.max_tokens, self.top_k = batch, max_tokens, top_k
    self._end_id = models.end_id(folder)
    self._kind = kind
    self._drawer = self._sampler(batch)

  def _sampler(self, batch: int) -> sampler.Sampler:
    shape = loop.Shape(
      slots=batch,
      max_tokens=self.max_tokens,
      steps_per_call=256,
      bos_id=self._end_id,
      eos_id=self._end_id,
      sampler=self._kind,
      max_top_k=self.top_k,
    )
    return sampler.Sampler(
      self.model,
      self.params,
      shape=shape,
      devices=jax.local_devices()[:1],
    )

  def request(
    self, *, ends: bool = True, seed: int = 0, **knobs: Any
  ) -> loop.Request:
    """What to draw; texts that do not end by themselves have all tokens."""
    return loop.Request(
      rng=jax.random.key(seed),
      knobs=choose.knobs(**{"top_k": self.top_k, **knobs}),
      min_tokens=jnp.int32(0 if ends else self.max_tokens),
      banned=loop.ban(self.model.config.vocab_size, ()),
    )

  def compile(self) -> float:
    """Seconds to compile and to draw one row."""
    return measure.timed(lambda: self.draw(range(1), self.request())).wall

  def draw(self, rows: range, request: loop.Request) -> Work:
    """Draws the rows with slot refill."""
    blocks = list(self._drawer.draw(rows, request))
    return _work(blocks)

  def fixed(self) -> Work:
    """One row a slot, of `max_tokens` tokens each."""
    return self.draw(range(self.batch), self.request(ends=False))

  def refill(self, num_rows: int) -> Work:
    """Rows that end by themselves; a slot takes the next row at once."""
    return self.draw(range(num_rows), self.request())

  def static(self, num_rows: int) -> Work:
    """The same rows in batches, each drawn until its longest row has ended."""
    works = [
      self.draw(range(start, min(start + self.batch, num_rows)), self.request())
      for start in range(0, num_rows, self.batch)
    ]
    return Work(sum(w.tokens for w in works), sum(w.steps for w in works))

  def recompiles(self) -> int:
    """How many programs other rows, seeds, knobs and an own second sampler
    make XLA compile."""
    seen = []

    def listen(name, *_, **__):
      if name == "/jax/core/compile/backend_compile_duration":
        seen.append(name)

    variants = [
      ({}, 3),
      ({"seed": 7}, 1),
      ({"temperature": 0.7, "top_k": 3, "top_p": 0.5, "min_p": 0.2}, 2),
    ]
    requests = [(self.request(**knobs), rows) for knobs, rows in variants]
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
      for request, rows in requests:
        self.draw(range(rows), request)
      again = self._sampler(self.batch)
      _work(again.draw(range(1), requests[0][0]))
    finally:
      jax.monitoring.unregister_event_duration_listener(listen)
    return len(seen)

  def equal_rows(self, num_rows: int, batch: int) -> float:
    """The share of rows that `batch` slots draw just as this engine does."""
    found = []
    for drawer in (self._drawer, self._sampler(batch)):
      blocks = drawer.draw(range(num_rows), self.request())
      found.append({r.row_id: r.tokens for b in blocks for r in b.rows})
    return sum(found[0][i] == found[1][i] for i in found[0]) / num_rows

  def floor(self) -> measure.Program:
    """A step's matrix products and nothing else, `_FLOOR_STEPS` times."""
    width = self.model.config.width

    @jax.jit
    def products(params, x):
      def one(_, x):
        for i in range(self.model.config.num_layers):
          block = params[f"blocks_{i}"]
          attention = block["attention"]
          values = linear.matmul(x, attention["qkv"]["kernel"])[:, :width]
          x = linear.matmul(values, attention["out"]["kernel"])
          x = linear.matmul(x, block["up"]["kernel"])
          x = linear.matmul(x, block["down"]["kernel"])
        return linear.matmul(x, params["head"])[:, :width] * 0.01

      return jax.lax.fori_loop(0, _FLOOR_STEPS, one, x)

    x = jnp.ones((self.batch, width), self.dtype)
    jax.block_until_ready(products(self.params, x))

    def run() -> Work:
      jax.block_until_ready(products(self.params, x))
      return Work(_FLOOR_STEPS * self.batch, _FLOOR_STEPS)

    return run

  def parts(self) -> dict[str, measure.Program]:
    """Each sampler, top-p by sorting, and the head's matrix product."""
    rng = np.random.default_rng(0)
    c = self.model.config
    logits = jnp.float32(rng.normal(size=(self.batch, c.vocab_size)))
    uniform = jnp.float32(rng.random(self.batch))
    hidden = jnp.asarray(rng.normal(size=(self.batch, c.width)), self.dtype)
    knobs = choose.knobs(top_k=self.top_k)
    head = self.params["head"]
    programs = {}
    for kind in choose.SAMPLERS:
      one = choose.make_choose(kind, max_top_k=self.top_k)
      draw = jax.jit(
        choose.by_row(lambda x, u, one=one, knobs=knobs: one(x, u, knobs))
      )
      programs[kind] = (draw, logits, uniform)
    programs["top_p by sorting"] = (jax.jit(_sorting), logits, uniform)
    programs["head"] = (jax.jit(linear.matmul), hidden, head)
    return {name: self._ready(*call) for name, call in programs.items()}

  def _ready(self, function, *args) -> measure.Program:
    """A program that calls the compiled function once."""
    jax.block_until_ready(function(*args))

    def run() -> Work:
      jax.block_until_ready(function(*args))
      return Work(self.batch, 1)

    return run


def _sorting(logits, uniform):
  """Top-p as it is usually written."""
  descending = -jnp.sort(-logits, axis=-1)
  probs = jax.nn.softmax(descending, axis=-1)
  cumulated = jnp.cumsum(probs, axis=-1)
  kept = jnp.where(cumulated - probs < 0.95, probs, 0.0)
  total = jnp.cumsum(kept, axis=-1)
  rank = jnp.sum(total < uniform[:, None] * total[:, -1:], axis=-1)
  order = jnp.argsort(-logits, axis=-1)
  return jnp.take_along_axis(order, rank[:, None], axis=-1)


def _work(blocks: Iterator[sampler.Block] | list[sampler.Block]) -> Work:
  blocks = list(blocks)
  rows = [row for block in blocks for row in block.rows]
  tokens = sum(len(row.tokens) for row in rows)
  return Work(tokens, sum(block.steps for block in blocks))
