# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from gd_jax.reporting import matrices


def test_shades_are_shares_of_the_true_class():
  # Dies if: shares are of the predicted class.
  found = matrices.of({"gd": np.array([[6.0, 2.0], [0.0, 0.0]])}, ["a", "b"])
  (table,) = found["first"]["tables"]
  first, second = table["rows"]
  assert [cell["share"] for cell in first["cells"]] == ["0.750", "0.250"]
  assert [cell["shown"] for cell in first["cells"]] == ["6", "2"]
  assert [cell["share"] for cell in second["cells"]] == ["0.000", "0.000"]
  assert [cell["shown"] for cell in second["cells"]] == ["", ""]


def test_means_over_seeds_keep_a_decimal():
  found = matrices.of({"gd": np.array([[41.6, 0.4]] * 2)}, ["a", "b"])
  cells = found["first"]["tables"][0]["rows"][0]["cells"]
  assert [cell["shown"] for cell in cells] == ["42", "0.4"]


def test_many_classes_become_a_list_of_confusions():
  # Dies if: right answers are listed as confusions.
  size = matrices.MOST_CLASSES + 1
  counts = np.eye(size) * 100
  counts[3, 5], counts[7, 0] = 4, 9
  found = matrices.of({"gd": counts}, [f"c{i}" for i in range(size)])
  assert not found["first"]["tables"]
  assert found["first"]["lists"][0]["rows"] == [
    {"true": "c7", "given": "c0", "count": "9"},
    {"true": "c3", "given": "c5", "count": "4"},
  ]


def test_nothing_to_show():
  assert matrices.of({}, ["a"]) is None


def test_teacher_and_method_come_first_and_all_the_others_after():
  # Dies if: an arm is left out.
  names = ("gd", "kd", "tfidf", "teacher", "gold")
  found = matrices.of(dict.fromkeys(names, np.eye(2)), ["a", "b"])
  first, others = (
    [table["name"] for table in found[part]["tables"]]
    for part in ("first", "others")
  )
  assert first == ["teacher", "gd"]
  assert others == ["tfidf", "gold", "kd"]


def test_dark_cells_have_light_numbers():
  found = matrices.of({"gd": np.array([[9.0, 1.0], [5.0, 5.0]])}, ["a", "b"])
  first, second = found["first"]["tables"][0]["rows"]
  assert [cell["is_deep"] for cell in first["cells"]] == [True, False]
  assert [cell["is_deep"] for cell in second["cells"]] == [False, False]
