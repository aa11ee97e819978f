# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""generator/ -> corpus/: thousands of new texts, drawn and then filtered.

Whole shards of a run that was stopped are kept; so are those of a smaller
corpus, for text i does not depend on how many texts are drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from etils import epath
from ml_collections import config_dict

from gd_jax import artefacts, checkpoints, devices, rngs, signals
from gd_jax.data import corpus_filter, formats, shards, texts, tokenizers
from gd_jax.errors import UserError
from gd_jax.models import attention, decoding, families
from gd_jax.progress import Progress
from gd_jax.sampling import choose, loop, sampler
from gd_jax.sampling.tally import Tally
from gd_jax.training import metrics

NAME = "corpus"
_TIMING = "timing.json"


def run(
  config: config_dict.ConfigDict, workdir: epath.Path, progress: Progress
) -> dict[str, Any]:
  """Draws rows 0..num_texts-1, then decides which of them count.

  Returns:
    Counts, and what `timing.json` says of the drawing.

  Raises:
    UserError: an artefact is missing or damaged, or a field of
      `config.corpus` is no good.
    signals.Stopped: a signal came; whole shards are kept.
  """
  c, folder = config.corpus, workdir / NAME
  check(c)
  missing = _missing_shards(folder, c)
  if missing:
    _draw(config, workdir, missing, progress)
  devices.barrier("the corpus is drawn")
  if not devices.is_first():
    return {}
  shards.clear_aside(folder)
  health = corpus_filter.write(
    folder,
    labelled=artefacts.read_jsonl(workdir / "data/labelled.jsonl"),
    evaluation=artefacts.read_jsonl(workdir / "data/evaluation_texts.jsonl"),
    near_duplicate=c.near_duplicate,
    seed=config.seed,
    progress=progress,
  )
  timing = folder / _TIMING
  return {
    "drawn": health["drawn"],
    "kept": health["kept"],
    "slots_per_device": c.slots,
    "platform": devices.platform(),
    **(artefacts.read_json(timing) if timing.exists() else {}),
  }


def _missing_shards(
  folder: epath.Path, c: config_dict.ConfigDict
) -> dict[int, range]:
  """The row ids of each shard of this host's that is not there as it should.

  Shards beyond the last row are removed.
  """
  wanted = _own_shards(c)
  missing = dict(wanted)
  for index in texts.shard_indices(folder):
    if not devices.owns(index):
      continue
    if index not in wanted:
      texts.shard_path(folder, index).unlink()
    elif len(texts.read_shard(folder, index)) == len(wanted[index]):
      del missing[index]
  return missing


def _own_shards(c: config_dict.ConfigDict) -> dict[int, range]:
  """The row ids of each shard that this host draws; alone it draws all."""
  starts = range(0, c.num_texts, c.shard_rows)
  return {
    index: range(start, min(start + c.shard_rows, c.num_texts))
    for index, start in enumerate(starts)
    if devices.owns(index)
  }


def _draw(
  config: config_dict.ConfigDict,
  workdir: epath.Path,
  missing: Mapping[int, range],
  progress: Progress,
) -> None:
  """Draws the missing shards and writes each as soon as it is whole.

  Where each class has a generator of its own, row i is drawn by that of class
  i modulo their number, one generator after the other; rows that wait for the
  other classes' are put aside by and by, and at a stop.
  """
  c, folder, generator = config.corpus, workdir / NAME, workdir / "generator"
  sources = formats.folders(generator)
  waiting = shards.Shards(
    folder, missing, aside_every=c.shard_rows if len(sources) > 1 else None
  )
  # With several hosts all three are about the first one's part.
  tally = Tally(folder / _TIMING, silent=not devices.is_first())
  writer = metrics.MetricsWriter(
    folder, start_step=tally.rows, silent=not devices.is_first()
  )
  total = sum(map(len, _own_shards(c).values()))
  left = waiting.missing()
  _say(c, generator, formats.load(sources[0]), progress)
  with progress.bar(NAME, total, unit="texts", done=total - len(left)) as bar:
    for place, source in enumerate(sources):
      row_ids = [i for i in left if i % len(sources) == place]
      label = place if len(sources) > 1 else None
      for block, rows in _blocks(config, source, row_ids, label=label):
        tally.add(block)
        if waiting.add(rows):
          tally.write()
        bar.advance(len(rows), **tally.live())
        if rows:
          writer.write(tally.rows, tally.rates())
        if signals.requested():
          waiting.put_aside()
          tally.write()
        signals.check()
  writer.close()


def _blocks(
  config: config_dict.ConfigDict,
  source: epath.Path,
  row_ids: Sequence[int],
  *,
  label: int | None,
) -> Iterator[tuple[sampler.Block, list[dict[str, Any]]]]:
  """What each call draws, and its rows as a shard holds them.

  Args:
    config: the whole config.
    source: the generator's folder.
    row_ids: the rows to be drawn.
    label: the class that the generator is of, or None: of all.
  """
  if not row_ids:
    return
  fmt = formats.load(source)
  # One for all classes.
  shared = source if label is None else source.parent
  tokenizer = tokenizers.load(shared)
  model = families.build(artefacts.read_json(shared / "model.json"))
  model = drawing(config.corpus, model, devices.platform())
  params = decoding.prepare(
    checkpoints.load_params(source),
    model.dtype,
    matmul_dtype=config.corpus.matmul_dtype,
  )
  drawer = sampler.Sampler(model, params, shape=make_shape(config.corpus, fmt))
  request = make_request(config, fmt, model.config.vocab_size)

  def as_kept(row: sampler.Row) -> dict[str, Any]:
    text_ids, ended = formats.unframe([fmt.bos_id, *row.tokens], fmt)
    prompted = label
    if prompted is None:
      prompted = formats.prompted_label(row.row_id, fmt)
    return {
      "row_id": row.row_id,
      **({} if prompted is None else {"prompted_label": prompted}),
      "text": formats.decode(tokenizer, text_ids),
      "num_tokens": len(text_ids),
      "finished": ended,
      "log_prob": round(row.log_prob, 4),
    }

  for block in drawer.draw(row_ids, request):
    yield block, [as_kept(row) for row in block.rows]


def drawing(c: config_dict.ConfigDict, model: Any, platform: str) -> Any:
  """The model as it draws on "cpu", "gpu" or "tpu", however it was trained.

  Raises:
    UserError: the section asks for a cache that can't be read there.
  """
  if c.cache_layout == "blocked":
    head_size = model.config.width // model.config.num_heads
    if platform != "gpu":
      raise UserError(
        "config.corpus.cache_layout is 'blocked', which only a GPU reads; this"
        f" is a {platform}: leave it None"
      )
    if head_size & (head_size - 1):
      raise UserError(
        "config.corpus.cache_layout is 'blocked', which takes heads of a power"
        f" of two; the generator's have {head_size} numbers: leave it None"
      )
  # bfloat16 halves the memory to be read; on a CPU it is slower than float32,
  # but for the weights of matrix products, see `linear.matmul`.
  return model.clone(
    dtype=jnp.float32 if platform == "cpu" else jnp.bfloat16,
    remat=False,
    matmul_dtype=None,
    cache_layout=c.cache_layout or attention.cache_layout(platform),
  )


def make_shape(c: config_dict.ConfigDict, fmt: formats.Format) -> loop.Shape:
  """The sampling program's, of the section `corpus`."""
  return loop.Shape(
    slots=c.slots,
    max_tokens=fmt.prefix_length + min(c.max_tokens, fmt.max_tokens),
    steps_per_call=c.steps_per_call,
    bos_id=fmt.bos_id,
    eos_id=fmt.eos_id,
    sampler=c.sampler,
    max_top_k=max(64, devices.round_up(c.top_k, 64)),
  )


def _say(
  c: config_dict.ConfigDict,
  generator: epath.Path,
  fmt: formats.Format,
  progress: Progress,
) -> None:
  """One line on what will be done, and a guess of how long it takes."""
  if c.max_tokens > fmt.max_tokens:
    progress.warn(
      f"corpus: config.corpus.max_tokens is {c.max_tokens}, but the generator"
      f" learned from texts of at most {fmt.max_tokens} tokens: texts are cut"
      " there"
    )
  summary = artefacts.read_json(generator / "summary.json")
  sources = summary.get("classes", [summary])
  num_devices = len(devices.local_devices())
  tokens = c.num_texts * min(c.max_tokens, fmt.max_tokens) / 3
  of_classes = f" from {len(sources)} generators" if len(sources) > 1 else ""
  progress.say(
    f"corpus: draw {c.num_texts:,} texts{of_classes} by {c.sampler}, {c.slots}"
    f" at a time on {num_devices} {devices.platform()} device(s);"
    f" {devices.about(2 * tokens * sources[0]['params_total'])}"
  )


def make_request(
  config: config_dict.ConfigDict, fmt: formats.Format, vocab_size: int
) -> loop.Request:
  """How a config's texts are drawn, by a generator of that format."""
  c = config.corpus
  # Frequencies over all classes would contradict a prefix.
  by_frequency = (
    c.first_token == "training" and fmt.first_tokens and not fmt.prefixes
  )
  return loop.Request(
    rng=rngs.stream(config.seed, NAME),
    knobs=choose.knobs(
      temperature=c.temperature, top_k=c.top_k, top_p=c.top_p, min_p=c.min_p
    ),
    min_tokens=jnp.int32(c.min_tokens),
    banned=loop.ban(vocab_size, fmt.banned_ids),
    prompts=jnp.array(fmt.prefixes, jnp.int32) if fmt.prefixes else None,
    **(loop.first_token_table(fmt.first_tokens) if by_frequency else {}),
  )


def check(c: config_dict.ConfigDict) -> None:
  """Raises UserError for the first field of its section that is no good."""
  at_least_one = ("num_texts", "slots", "steps_per_call", "shard_rows", "top_k")
  allowed = [
    *((name, getattr(c, name) >= 1, "1 or more") for name in at_least_one),
    (
      "cache_layout",
      c.cache_layout in (None, *attention.LAYOUTS),
      f"None or {' or '.join(attention.LAYOUTS)}",
    ),
    ("matmul_dtype", c.matmul_dtype in (None, "bfloat16"), "None or bfloat16"),
    ("sampler", c.sampler in choose.SAMPLERS, " or ".join(choose.SAMPLERS)),
    ("temperature", 0 <= c.temperature < np.inf, "0 (greedy) or more"),
    ("top_p", 0 <= c.top_p <= 1, "between 0 and 1"),
    ("min_p", 0 <= c.min_p <= 1, "between 0 and 1"),
    ("min_tokens", c.min_tokens >= 0, "0 or more"),
    ("max_tokens", c.min_tokens < c.max_tokens, "more than min_tokens"),
    ("first_token", c.first_token in ("bos", "training"), "bos or training"),
    ("near_duplicate", 0 < c.near_duplicate <= 1, "above 0 and at most 1"),
  ]
  for name, is_good, words in allowed:
    if not is_good:
      raise UserError(f"config.corpus.{name} is {c[name]!r}; it can be {words}")
