# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pytest

from gd_jax.errors import UserError
from gd_jax.planning import machines


# Dies if: cores are taken for chips where a name counts cores, or an axis of
# the slice is doubled too often.
@pytest.mark.parametrize(
  ("name", "chips", "topology"),
  [
    ("v4-8", 4, "v4:2x2x1"),
    ("v4-32", 16, "v4:4x2x2"),
    ("v5p-8", 4, "v5p:2x2x1"),
    ("v5e-1", 1, "v5e:1x1"),
    ("v5e-8", 8, "v5e:2x4"),
    ("v5litepod-16", 16, "v5e:4x4"),
    ("v6e-4", 4, "v6e:2x2"),
    ("h200", 1, ""),
    ("H100x8", 8, ""),
    ("cpu", 1, ""),
  ],
)
def test_names(name, chips, topology):
  found = machines.parse(name)
  assert (found.num_devices, found.topology) == (chips, topology)
  assert found.memory > 2**30 and found.flops > 1e10


@pytest.mark.parametrize(
  "name", ["", "v9-8", "v5e-6", "v5ex8", "h200-8", "h200x0", "v4-1", "a b"]
)
def test_unknown_names_get_one_line(name):
  with pytest.raises(UserError, match=r"--devices=.*v5e-8.*h200.*cpu"):
    machines.parse(name)


# Dies if: a plan for this machine counts memory that its container may not use.
@pytest.mark.parametrize(
  ("limit", "expected"), [("1048576\n", 2**20), ("max\n", None), (None, None)]
)
def test_a_containers_memory_is_what_it_may_use(
  tmp_path, monkeypatch, limit, expected
):
  file = tmp_path / "memory.max"
  monkeypatch.setattr(machines, "_MEMORY_LIMITS", (file,))
  if limit is not None:
    file.write_text(limit)
  found = machines.parse("cpu").memory
  assert found == expected if expected else found > 2**28
