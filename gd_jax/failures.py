# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a user can mend, in one line, whoever raised it."""

import ast
import contextlib
import errno
import re

from gd_jax.errors import UserError
from gd_jax.models.pretrained import PretrainedError

# EFBIG: beyond the limit on a file's size.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = (
  "No space left on device",
  "Disk quota exceeded",
  "File too large",
)
# What XLA says, whatever device it is of; a bucket's quota is no memory.
_OUT_OF_MEMORY = re.compile("RESOURCE_EXHAUSTED.*memory", re.I | re.S)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def as_user_error(error: Exception) -> UserError | None:
  """What is wrong and what to do; None for what no user can mend."""
  if isinstance(error, UserError):
    return error
  if isinstance(error, PretrainedError):
    return UserError(str(error))
  if isinstance(error, OSError) and error.errno in FULL:
    return UserError(
      f"the disk is full ({error.filename or error}): make room, then give the "
      "same command again; what was finished is kept"
    )
  if isinstance(error, OSError) and error.errno in _DENIED:
    return UserError(
      f"{error.filename or error} can't be written or read ({error.strerror}): "
      "mend its permissions or choose another --workdir"
    )
  in_the_way = isinstance(error, NotADirectoryError | FileExistsError)
  if in_the_way and error.filename:
    return UserError(
      f"{error.filename} is a file where a folder has to be: move it "
      "away or choose another --workdir"
    )
  if isinstance(error, IsADirectoryError) and error.filename:
    return UserError(
      f"{error.filename} is a folder where a file has to be: move it "
      "away or choose another --workdir"
    )
  if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
    return UserError(
      f"out of memory ({one_line(error)[:200]}): lower the phase's batch_size, "
      "for sampling corpus.slots, or set accumulate_steps or remat; --dry_run "
      "tells what each phase needs"
    )
  if "Unable to initialize backend" in str(error):
    return UserError(
      f"the devices can't be used ({one_line(error)[:200]}): see that no other"
      " process has them, or that JAX_PLATFORMS names what is there"
    )
  # TensorStore, beneath Orbax, has errors of its own for a full disk.
  if any(words in str(error) for words in _FULL_WORDS):
    return UserError(
      "the disk is full: make room, then give the same command again; what "
      "was finished is kept"
    )
  return None


def one_line(error: Exception) -> str:
  """What a config file's or a library's error says, without its traceback."""
  if all(isinstance(arg, str) for arg in error.args):
    text = ": ".join(error.args)  # absl's: what is wrong, and the value.
  else:
    text = str(error.args[0])
  text = text or type(error).__name__
  # ml_collections quotes what it passes on: a repr, or a whole traceback.
  with contextlib.suppress(ValueError, SyntaxError):
    text = str(ast.literal_eval(text))
  if "Traceback (most recent call last)" in text:
    text = text.strip().rsplit("\n", 1)[-1]
    text = re.sub(r"^\w+(Error|Exception): ", "", text)
  return " ".join(line.strip() for line in text.strip().splitlines())
