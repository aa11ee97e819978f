# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import errno

import pytest

from gd_jax import failures
from gd_jax.errors import UserError
from gd_jax.models.pretrained import PretrainedError


@pytest.mark.parametrize(
  ("error", "words"),
  [
    (UserError("mend it"), "mend it"),
    (PretrainedError("no such tensor"), "no such tensor"),
    (OSError(errno.ENOSPC, "No space left", "f.json"), "disk is full (f.json)"),
    (OSError(errno.EDQUOT, "Quota", "f.json"), "disk is full"),
    (RuntimeError("x: Disk quota exceeded"), "disk is full"),
    (OSError(errno.EACCES, "Denied", "f.json"), "f.json can't be written"),
    (OSError(errno.ENOTDIR, "No", "w/data"), "w/data is a file where a folder"),
    (OSError(errno.EISDIR, "Is", "w/f.json"), "w/f.json is a folder where a"),
    (MemoryError(), "out of memory (MemoryError)"),
    (
      RuntimeError("RESOURCE_EXHAUSTED: Out of\nmemory"),
      "lower the phase's batch",
    ),
  ],
)
def test_what_a_user_can_mend_is_one_line(error, words):
  line = str(failures.as_user_error(error))
  assert words in line and "\n" not in line


@pytest.mark.parametrize(
  "error",
  [
    ZeroDivisionError(),
    OSError(errno.EIO, "broken"),
    KeyError("x"),
    NotADirectoryError("nothing is named"),
    RuntimeError("RESOURCE_EXHAUSTED: quota of requests"),
  ],
)
def test_a_bug_is_not_explained_away(error):
  # Dies if: every OSError is taken for one that the user can mend.
  assert failures.as_user_error(error) is None


def test_a_traceback_that_was_quoted_becomes_its_last_line():
  quoted = repr("Traceback (most recent call last):\n  x\nValueError: no y\n")
  assert failures.one_line(ValueError(quoted)) == "no y"
  assert failures.one_line(ValueError("a\n  b")) == "a b"
  assert failures.one_line(ValueError()) == "ValueError"
  assert failures.one_line(ValueError("no flag", "x")) == "no flag: x"
  undecodable = UnicodeDecodeError("utf-8", b"x" * 999, 0, 1, "bad")
  assert len(failures.one_line(undecodable)) < 99
