# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from gd_jax.reporting import matrices


def test_shades_are_shares_of_the_true_class():
  # Dies if: shares are of the predicted class.
  found = matrices.of({"gd": np.array([[6.0, 2.0], [0.0, 0.0]])}, ["a", "b"])
  (table,) = found["tables"]
  first, second = table["rows"]
  assert [cell["share"] for cell in first["cells"]] == ["0.750", "0.250"]
  assert [cell["shown"] for cell in first["cells"]] == ["6", "2"]
  assert [cell["share"] for cell in second["cells"]] == ["0.000", "0.000"]
  assert [cell["shown"] for cell in second["cells"]] == ["", ""]


def test_means_over_seeds_keep_a_decimal():
  found = matrices.of({"gd": np.array([[41.6, 0.4]] * 2)}, ["a", "b"])
  cells = found["tables"][0]["rows"][0]["cells"]
  assert [cell["shown"] for cell in cells] == ["42", "0.4"]


def test_many_classes_become_a_list_of_confusions():
  # Dies if: right answers are listed as confusions.
  size = matrices.MOST_CLASSES + 1
  counts = np.eye(size) * 100
  counts[3, 5], counts[7, 0] = 4, 9
  found = matrices.of({"gd": counts}, [f"c{i}" for i in range(size)])
  assert not found["tables"]
  assert found["lists"][0]["rows"] == [
    {"true": "c7", "given": "c0", "count": "9"},
    {"true": "c3", "given": "c5", "count": "4"},
  ]


def test_nothing_to_show():
  assert matrices.of({}, ["a"]) is None
