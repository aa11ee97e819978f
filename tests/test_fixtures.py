# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tests stand on is the same in every process, and every time."""

from tests import conftest


def test_the_tiny_teacher_is_always_the_same_bytes(tiny_bert, tmp_path):
  # Dies if: its vocabulary comes from the library's WordPiece trainer.
  conftest.make_tiny_bert(tmp_path)
  names = sorted(path.name for path in tiny_bert.iterdir())
  assert names == sorted(path.name for path in tmp_path.iterdir())
  for name in names:
    written = (tiny_bert / name).read_bytes()
    assert (tmp_path / name).read_bytes() == written, name
