# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import html.parser
import re

import numpy as np
import pytest

from gd_jax.reporting import charts, page

NASTY = "</style><script>alert(1)</script><img src=x onerror='y'>\" & שלום"
_VOID = {"meta", "link", "br", "img"}


class _Checker(html.parser.HTMLParser):
  """Collects tags, attributes and text; fails where tags do not nest."""

  def __init__(self):
    super().__init__()
    self.tags, self.attributes, self.text, self._open = [], [], [], []

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs
    if tag not in _VOID:
      self._open.append(tag)

  def handle_endtag(self, tag):
    assert self._open and self._open[-1] == tag, (tag, self._open)
    self._open.pop()

  def handle_data(self, data):
    self.text.append(data)

  def close(self):
    super().close()
    assert not self._open


def _parse(text):
  checker = _Checker()
  checker.feed(text)
  checker.close()
  return checker


def _render(results, examples=(), confusions=None, curves=()):
  return page.render(
    results, examples=examples, confusions=confusions or {}, curves=curves
  )


@pytest.fixture
def whole(make_results):
  """A page with every section."""
  line = charts.Line([1, 2, 3], [0.1, 0.2, 0.3], "gd")
  panel = {"name": "Accuracy", "svg": charts.curves([line], title="t")}
  return _render(
    make_results(unseen_labels={"Klingon": 2}),
    examples=[{"text": "where is it ?", "label": "ship", "probability": 0.9}],
    confusions={"teacher": np.array([[3, 1], [0, 4]])},
    curves=[{"name": "Teacher", "legend": [], "panels": [panel]}],
  )


def test_it_is_whole_html(whole):
  checker = _parse(whole)
  assert whole.lower().startswith("<!doctype html>")
  assert checker.tags.count("h1") == 1
  assert {"svg", "table", "section", "title"} <= set(checker.tags)
  ids = [value for name, value in checker.attributes if name == "id"]
  assert len(ids) == len(set(ids)) == 10


def test_it_needs_no_network_and_no_script(whole):
  # Dies if: a font, an image, a style sheet or a script is fetched.
  checker = _parse(whole)
  assert not {"script", "img", "iframe", "object"} & set(checker.tags)
  for name, value in checker.attributes:
    if name in ("src", "href", "srcset", "action", "data", "xlink:href"):
      assert value == "data:,"
    assert not name.startswith("on")
  css = whole[whole.index("<style>") : whole.index("</style>")]
  assert "url(" not in css and "@import" not in css
  assert not re.search(r"https?://", whole)
  policy = dict(checker.attributes)["content"]
  assert any("default-src 'none'" in v for _, v in checker.attributes if v)
  assert policy


def test_texts_are_never_markup(make_results):
  # Dies if: autoescape is off, or a text is marked safe on its way.
  results = make_results(
    ("teacher", "gold", NASTY, "gd"),
    labels=(NASTY, "ship"),
    task=NASTY,
    config={"task": NASTY, NASTY: {"x": NASTY}},
    versions={NASTY: NASTY},
    seconds={NASTY: 1.0},
    platform=NASTY,
    unseen_labels={NASTY: 1},
  )
  results["spread"]["unseen"] = NASTY
  results["corpus_health"]["removed"][NASTY] = 3
  results["differences"][0]["than"] = NASTY
  text = _render(
    results,
    examples=[{"text": NASTY, "label": NASTY, "probability": 0.5}],
    confusions={NASTY: np.eye(2), "gd": np.eye(2)},
    curves=[{"name": NASTY, "legend": [], "panels": []}],
  )
  checker = _parse(text)
  assert not {"script", "img"} & set(checker.tags)
  assert checker.tags.count("style") == 1
  assert not [name for name, _ in checker.attributes if name == "onerror"]
  titles = {value for name, value in checker.attributes if name == "title"}
  assert titles == {NASTY, "ship"}
  # Each is there, as text: nothing was dropped to be safe.
  assert "".join(checker.text).count(NASTY) >= 12


def test_control_characters_do_not_reach_the_page(make_results):
  example = {"text": "a\x00b\u202ec", "label": "ship", "probability": 0.5}
  text = _render(make_results(), examples=[example])
  assert "\x00" not in text and "\u202e" not in text
  assert "a\ufffdb\ufffdc" in text
  text.encode("utf-8")


def test_numbers_are_those_of_the_results(make_results):
  text = "".join(_parse(_render(make_results())).text)
  assert "87.0 ± 1.0%" in text
  assert "std over 3 seeds" in text
  assert "22×" in text and "32×" in text
  assert "1 min 15 s" in text
  assert "+9.0" in text and "+5.0 to +13.0" in text
  assert "± is the std over 3 seeds." in text


@pytest.mark.parametrize(
  "arms", [("teacher",), ("gd",), ("teacher", "tfidf"), ("teacher", "gold")]
)
def test_any_set_of_arms_has_a_page(make_results, arms):
  checker = _parse(_render(make_results(arms)))
  names = set(checker.text)
  assert ("gd" in names) == ("gd" in arms)
  assert ("gold" in names) == ("gold" in arms)


def test_a_run_that_drew_nothing_has_a_page(make_results):
  results = make_results(num_synthetic=0, corpus_health={}, seconds={})
  checker = _parse(_render(results))
  assert "The generated corpus" not in checker.text


def test_a_student_may_be_larger_and_slower_than_its_teacher(make_results):
  results = make_results(("teacher", "gd"))
  results["arms"]["teacher"] |= {
    "params_total": 500_000,
    "examples_per_second": 6400.0,
  }
  text = "".join(_parse(_render(results)).text)
  assert "Larger than the teacher2.0×" in text
  assert "Slower than the teacher2.0×" in text


def test_what_is_said_only_when_it_holds(make_results):
  plain = _render(make_results())
  assert "for making choices" not in plain
  assert "no training text has" not in plain
  warned = _render(
    make_results(evaluate_on="validation", unseen_labels={"Klingon": 2})
  )
  assert "for making choices" in warned
  assert "2 evaluation texts have labels that no training text has." in warned


def test_all_labelled_rows_are_not_said_to_be_per_class(make_results):
  assert "texts (100 per class)" in _render(make_results())
  assert "per class" not in _render(make_results(labels_per_class=None))


def test_a_class_that_gave_fewer_is_not_said_to_give_all(make_results):
  # Dies if: the lede promises each class the number that was asked for.
  page = _render(make_results(num_labelled=176))
  assert "176 labelled texts (at most 100 per class)" in page


def test_calibration_says_its_error_its_source_and_who_has_none(make_results):
  # Dies if: the SVM's margins are drawn as probabilities.
  checker = _parse(_render(make_results()))
  text = "".join(checker.text)
  assert "gold ECE 4.0 ± 1.0%" in text and "tfidf ECE" not in text
  assert "Guo et al. 2017" in text and "15 bins" in text
  assert "tfidf gives no probabilities" in text
  alone = make_results(("tfidf",))
  assert "Guo et al." not in _render(alone)


def test_accuracy_is_drawn_over_parameters_and_latency(make_results):
  labels = [v for k, v in _parse(_render(make_results())).attributes if v]
  assert "Accuracy (%) over parameters" in labels
  assert "Accuracy (%) over latency (ms)" in labels


def test_all_arms_have_a_matrix(make_results):
  confusions = dict.fromkeys(("teacher", "kd", "gd"), np.eye(2))
  checker = _parse(_render(make_results(), confusions=confusions))
  assert [v for k, v in checker.attributes if v == "matrix"] == ["matrix"] * 3
  assert "The other arms" in checker.text
