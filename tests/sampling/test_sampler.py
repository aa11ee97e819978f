# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

import json
import os
import pickle
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gd_jax.errors import UserError
from gd_jax.models import attention
from gd_jax.sampling import choose, sampler

# Draws 150 rows on 1, 2, 4 and 8 of 8 devices, each with 6 slots.
_ON_DEVICES = """
import json, pickle, sys
import jax
import jax.numpy as jnp
from gd_jax.sampling import choose, loop, sampler
model, params, shape, seed, knobs, banned = pickle.load(open(sys.argv[1], "rb"))
request = loop.Request(
  rng=jax.random.key(seed), knobs=choose.knobs(**knobs),
  min_tokens=jnp.int32(0), banned=jnp.asarray(banned))
found = {}
for count in (1, 2, 4, 8):
  drawer = sampler.Sampler(
    model, params, shape=shape, devices=jax.local_devices()[:count])
  rows = [row for b in drawer.draw(range(150), request) for row in b.rows]
  found[count] = {row.row_id: row.tokens for row in rows}
print(json.dumps(found))
"""


@pytest.fixture
def compilations():
  """A list that grows by one with each program XLA compiles."""
  seen = []

  def listen(name, *_, **__):
    if name == "/jax/core/compile/backend_compile_duration":
      seen.append(name)

  jax.monitoring.register_event_duration_secs_listener(listen)
  yield seen
  jax.monitoring.unregister_event_duration_listener(listen)


def draw_tokens(drawer, row_ids, request):
  rows = [row for block in drawer.draw(row_ids, request) for row in block.rows]
  return {row.row_id: row.tokens for row in rows}


# Dies if: a row's randomness or a slot's work depends on its device, or a
# device gets another's rows.
def test_number_of_devices_does_not_matter(
  tiny_gpt2, shape_of, request_of, tmp_path
):
  model, params, vocab_size = tiny_gpt2
  shape, knobs = shape_of(), {"temperature": 1.1}
  path = tmp_path / "what_to_draw.pickle"
  path.write_bytes(
    pickle.dumps(
      (
        model,
        jax.tree.map(np.asarray, params),
        shape,
        0,
        knobs,
        np.full(64, vocab_size, np.int32),
      )
    )
  )
  printed = subprocess.run(
    [sys.executable, "-c", _ON_DEVICES, str(path)],
    env={
      **os.environ,
      "JAX_PLATFORMS": "cpu",
      "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    },
    capture_output=True,
    check=True,
    text=True,
  ).stdout
  found = json.loads(printed)
  here = draw_tokens(
    sampler.Sampler(
      model, params, shape=shape, devices=jax.local_devices()[:1]
    ),
    range(150),
    request_of(vocab_size, **knobs),
  )
  here = {str(row_id): tokens for row_id, tokens in here.items()}
  assert len(here) == 150
  assert [found[count] == here for count in ("1", "2", "4", "8")] == [True] * 4


def test_the_layout_of_the_cache_does_not_matter(
  tiny_gpt2, shape_of, request_of
):
  # Dies if: a slot that takes its next row reads what the last one left, in
  # one layout alone; or heads are merged in another order.
  model, params, vocab_size = tiny_gpt2
  found = [
    draw_tokens(
      sampler.Sampler(
        model.clone(cache_layout=layout), params, shape=shape_of()
      ),
      range(150),
      request_of(vocab_size, temperature=1.1),
    )
    for layout in attention.LAYOUTS
  ]
  assert found[0] == found[1] == found[2]
  assert len(found[0]) == 150


# Dies if: anything that may change between two draws is baked into the
# program: seed, knobs, bans, the number of rows.
@pytest.mark.parametrize("kind", sorted(choose.SAMPLERS))
def test_one_compilation_serves_all_requests(
  tiny_gpt2, shape_of, request_of, compilations, kind
):
  model, params, vocab_size = tiny_gpt2
  # Two slots' worth of steps that no other test has: nothing is compiled yet.
  shape = shape_of(sampler=kind, steps_per_call=13)
  requests = [
    request_of(vocab_size),
    request_of(vocab_size, seed=5),
    request_of(
      vocab_size, temperature=0.0, top_k=3, top_p=0.5, min_p=0.1, banned=(4,)
    ),
    request_of(vocab_size, min_tokens=3),
  ]
  first = sampler.Sampler(model, params, shape=shape)
  del compilations[:]
  draw_tokens(first, range(40), requests[0])
  assert len(compilations) == 2, "the idle slots and the block"
  for request, num_rows in zip(requests, (64, 1, 37, 6), strict=True):
    draw_tokens(first, range(num_rows), request)
  again = sampler.Sampler(model, params, shape=shape)
  draw_tokens(again, range(5), requests[1])
  assert len(compilations) == 2


# Dies if: a sampler sorts the vocabulary, a cache is copied in a step instead
# of being updated in place, the logits are copied (to write bans into them),
# or devices must wait for each other.
@pytest.mark.parametrize("kind", sorted(choose.SAMPLERS))
def test_compiled_program(tiny_gpt2, shape_of, request_of, kind):
  model, params, vocab_size = tiny_gpt2
  shape = shape_of(sampler=kind)
  devices = tuple(jax.local_devices()[:1])
  make_idle, block = sampler.compiled(model, shape, devices)
  idle = make_idle(np.zeros(1))
  queue = np.full((1, shape.capacity), -1, np.int32)
  request = request_of(vocab_size, first={3: 1, 4: 2})
  program = block.lower(params, idle, queue, request).compile().as_text()
  cache = jax.tree.leaves(idle.cache)[0]
  assert cache.shape == (1, 6, 2, 20, 16)
  cache_type = r"f32\[(1,)?6,2,20,16\]"
  assert re.search(cache_type, program)
  assert not re.search(cache_type + r"\S* copy\(", program)
  assert not re.search(r"f32\[6,61\]\S* copy\(", program)
  assert not re.search(r"\bsort\(", program)
  assert "all-reduce" not in program
  # Every leaf of the carry is given back in the buffer it came in.
  aliases = re.search(r"input_output_alias=\{(.*?)\}, entry", program)[1]
  assert aliases.count("alias)") == len(jax.tree.leaves(idle))


# Dies if: a call's rows are lost, doubled or handed out before they are done,
# or the next call waits for the host.
def test_blocks(counting, shape_of, request_of):
  model, params, vocab_size = counting
  drawer = sampler.Sampler(model, params, shape=shape_of(eos_id=20))
  request = request_of(vocab_size, first={15: 1})
  blocks = list(drawer.draw(range(0, 100, 2), request))
  row_ids = [row.row_id for block in blocks for row in block.rows]
  assert sorted(row_ids) == list(range(0, 100, 2))
  assert len(blocks) > 2
  assert all(block.steps <= 16 for block in blocks)
  assert all(block.slots == 6 * jax.local_device_count() for block in blocks)
  assert all(block.seconds >= 0 for block in blocks)


# Dies if: a consumer that stops midway spoils the next draw.
def test_a_draw_may_be_left_midway(counting, shape_of, request_of):
  model, params, vocab_size = counting
  drawer = sampler.Sampler(model, params, shape=shape_of(eos_id=20))
  request = request_of(vocab_size, first={15: 1})
  next(iter(drawer.draw(range(100), request)))
  assert len(draw_tokens(drawer, range(30), request)) == 30


# Dies if: rows of a broken model pass for text.
def test_numbers_that_are_not_finite_are_refused(
  counting, shape_of, request_of
):
  model, _, vocab_size = counting
  broken = {"bias": jnp.float32(np.nan)}
  drawer = sampler.Sampler(model, broken, shape=shape_of(eos_id=20))
  with pytest.raises(UserError, match=r"not finite.*learning_rate"):
    draw_tokens(drawer, range(3), request_of(vocab_size))
