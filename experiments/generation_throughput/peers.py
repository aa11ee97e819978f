# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The peers: Hugging Face's generate and CTranslate2, from the same folder.

Needs the extra `peers` (pip install -e .[peers]).
"""

import pathlib
from collections.abc import Callable
from typing import Any

import models
import torch
from measure import Work


class HuggingFace:
  """`generate` in batches, each until its longest text has ended: finished
  rows stay in the batch. sdpa attention and, on a CPU, a dynamic cache."""

  def __init__(
    self,
    folder: pathlib.Path,
    *,
    batch: int,
    max_tokens: int,
    sampling: dict[str, Any],
    dtype: str = "float32",
    compiled: bool = False,
  ):
    import transformers

    transformers.logging.set_verbosity_error()
    on_gpu = torch.cuda.is_available()
    self._device = "cuda" if on_gpu else "cpu"
    dtype = "bfloat16" if on_gpu else dtype
    self._model = transformers.AutoModelForCausalLM.from_pretrained(
      folder, dtype=getattr(torch, dtype), attn_implementation="sdpa"
    )
    self._model = self._model.to(self._device).eval()
    self._end_id = models.end_id(folder)
    self._batch = batch
    self._config = transformers.GenerationConfig(
      do_sample=True,
      max_new_tokens=max_tokens,
      bos_token_id=self._end_id,
      pad_token_id=self._end_id,
      **sampling,
    )
    if compiled or on_gpu:
      # A static cache is what makes `generate` compile the forward pass.
      self._config.cache_implementation = "static"

  def draw(self, num_rows: int, *, ends: bool) -> Work:
    """Draws texts; those that do not end by themselves have all tokens."""
    # The library fills None with the model's own id: -1 is no token's.
    self._config.eos_token_id = self._end_id if ends else -1
    tokens = 0
    for start in range(0, num_rows, self._batch):
      rows = min(self._batch, num_rows - start)
      prompt = torch.full((rows, 1), self._end_id, device=self._device)
      with torch.inference_mode():
        drawn = self._model.generate(
          prompt,
          attention_mask=torch.ones_like(prompt),
          generation_config=self._config,
        )
      tokens += _up_to_end(drawn[:, 1:], self._end_id, ends)
    return Work(tokens)


class ContinuousBatching(HuggingFace):
  """Hugging Face's own slot refill, `generate_batch`."""

  def draw(self, num_rows: int, *, ends: bool) -> Work:
    self._config.eos_token_id = self._end_id if ends else -1
    found = self._model.generate_batch(
      [[self._end_id]] * num_rows, generation_config=self._config
    )
    if len(found) != num_rows:
      raise RuntimeError(f"{len(found)} of {num_rows} rows came back")
    return Work(sum(len(row.generated_tokens) for row in found.values()))


class CTranslate2:
  """CTranslate2's Generator; it drops finished rows from a running batch."""

  def __init__(
    self,
    folder: pathlib.Path,
    *,
    batch: int,
    max_tokens: int,
    sampling: dict[str, Any],
    compute_type: str = "float32",
  ):
    import ctranslate2

    converted = folder / "ctranslate2"
    if not converted.exists():
      converter = ctranslate2.converters.TransformersConverter(str(folder))
      converter.convert(str(converted))
    on_gpu = ctranslate2.get_cuda_device_count() > 0
    self._generator = ctranslate2.Generator(
      str(converted),
      device="cuda" if on_gpu else "cpu",
      compute_type="bfloat16" if on_gpu else compute_type,
      inter_threads=1,
      intra_threads=1,
    )
    self._batch, self._max_tokens = batch, max_tokens
    self._sampling = {
      "sampling_topk": sampling["top_k"],
      "sampling_temperature": sampling["temperature"],
    }

  def draw(self, num_rows: int, *, ends: bool) -> Work:
    """Draws texts; those that do not end by themselves have all tokens."""
    found = self._generator.generate_batch(
      [["<|endoftext|>"]] * num_rows,
      max_batch_size=self._batch,
      max_length=self._max_tokens,
      min_length=0 if ends else self._max_tokens,
      include_prompt_in_result=False,
      **self._sampling,
    )
    lengths = [len(row.sequences_ids[0]) for row in found]
    # The end token is drawn, and not in the result.
    return Work(sum(min(n + 1, self._max_tokens) for n in lengths))


def _up_to_end(drawn: torch.Tensor, end_id: int, ends: bool) -> int:
  """How many tokens were drawn up to and with each row's first end."""
  if not ends:
    return drawn.numel()
  before = (drawn == end_id).cumsum(dim=1) == 0
  return int((before.sum(dim=1) + 1).clamp(max=drawn.shape[1]).sum())


# Gated are the first two; the rest is shown where it runs.
PEERS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
  "hf": (HuggingFace, {}),
  "ctranslate2": (CTranslate2, {}),
  "hf_bf16": (HuggingFace, {"dtype": "bfloat16"}),
  "hf_compiled": (HuggingFace, {"compiled": True}),
  "hf_continuous": (ContinuousBatching, {}),
  "ctranslate2_int8": (CTranslate2, {"compute_type": "int8"}),
}


def load(name: str, folder: pathlib.Path, **setting: Any) -> Any:
  """The peer called `name`.

  Raises:
    KeyError: there is no such peer.
  """
  make, fields = PEERS[name]
  torch.set_num_threads(1)
  return make(folder, **setting, **fields)
