# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0

"""MiniLM's sentence embeddings against PyTorch's, on real text, live."""

import jax
import numpy as np
import pytest
import tokenizers

from gd_jax import hub
from gd_jax.errors import UserError
from gd_jax.models import bert, pretrained

pytestmark = [pytest.mark.parity, pytest.mark.slow]

_TEXTS = [
  "Where can I find the opening hours of the library?",
  "The kettle I bought last week already leaks.",
  "Ünïcode, emoji 🙂 and CAPITALS; numbers like 3.14, too!",
  "yes",
  "A much longer sentence, which goes on and on about very little, so that "
  "the rows of this batch differ in how much of them is padding.",
]


@pytest.fixture
def minilm():
  try:
    return hub.resolve("minilm", allow_download=False)
  except UserError as error:
    pytest.skip(f"MiniLM cannot be had here: {error}")


def _normalised(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_sentence_embeddings(minilm):
  # Dies if: the mean counts padding, or real weights load into another place.
  import torch
  import transformers

  tokenizer = tokenizers.Tokenizer.from_file(str(minilm / "tokenizer.json"))
  tokenizer.no_truncation()
  tokenizer.enable_padding()
  rows = tokenizer.encode_batch(_TEXTS)
  tokens = np.array([row.ids for row in rows])
  mask = np.array([row.attention_mask for row in rows])
  assert 0 < mask.mean() < 1

  reader = transformers.AutoTokenizer.from_pretrained(minilm)
  theirs = reader(_TEXTS, padding=True, return_tensors="pt")
  np.testing.assert_array_equal(theirs["input_ids"].numpy(), tokens)
  model = transformers.BertModel.from_pretrained(minilm).eval()
  with torch.no_grad():
    hidden = model(**theirs).last_hidden_state
  weights = theirs["attention_mask"][..., None].float()
  expected = (hidden * weights).sum(1) / weights.sum(1)

  config, params = pretrained.load_bert(minilm)
  apply = jax.jit(bert.Bert(config).apply)
  hidden = apply({"params": params["bert"]}, tokens, mask)
  ours = np.asarray(bert.mean_pool(hidden, mask))
  np.testing.assert_allclose(
    _normalised(ours), _normalised(expected.numpy()), rtol=0, atol=1e-5
  )
  np.testing.assert_allclose(ours, expected.numpy(), rtol=0, atol=1e-4)
