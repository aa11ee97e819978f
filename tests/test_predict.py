# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""An exported student answers everything, by the line, and without JAX."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
import warnings

import jax
import numpy as np
import pytest
import safetensors.numpy
from etils import epath
from flax import traverse_util

import gd_jax
from gd_jax import artefacts, predict, predict_files
from gd_jax.data import tokenizers, vocabulary
from gd_jax.errors import UserError
from gd_jax.export import onnx_students
from gd_jax.models import families, students

pytest.importorskip("onnxruntime", reason="the extra `export`")
LABELS = ["place", "person", "Zahl 数"]
TEXTS = [
  "where is the tower?",
  "",
  " \n\t",
  "₪₪₪",
  "who " * 90,
  "שלום, أين البرج؟",
  "👩‍👩‍👧 \ud83d \u0000 x",
  "a" * 500,
]


def _write_sums(folder):
  lines = [
    f"{artefacts.sha256_file(path)}  {path.name}\n"
    for path in sorted(folder.iterdir())
    if path.name != predict.SUMS
  ]
  (folder / predict.SUMS).write_text("".join(lines))


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_bert):
  """An export of a random student; not to be spoilt."""
  folder = epath.Path(tmp_path_factory.mktemp("export"))
  small, _ = vocabulary.prune(
    tokenizers.load(tiny_bert), TEXTS[:1], vocab_size=300
  )
  tokenizers.save(folder, small)
  module = students.ResCnn(
    small.get_vocab_size(), 3, embed_width=8, num_filters=8, num_blocks=1
  )
  params = families.init_params(module, jax.random.key(0))
  params = jax.tree.map(lambda leaf: np.asarray(leaf) * 3, params)
  spec = families.spec_of(module)
  config = {
    "format": 1,
    "gd_jax": "0.1.0",
    "model": spec,
    "max_tokens": 16,
    "unk_id": 1,
  }
  artefacts.write_json(folder / "config.json", config)
  artefacts.write_json(folder / "labels.json", LABELS)
  for name, int8 in ((predict.ONNX, False), (predict.INT8, True)):
    model = onnx_students.build(spec, params, int8=int8)
    artefacts.write_atomic(folder / name, model)
  flat = traverse_util.flatten_dict(params, sep="/")
  data = safetensors.numpy.save(flat)
  artefacts.write_atomic(folder / predict.SAFETENSORS, data)
  _write_sums(folder)
  return pathlib.Path(folder)


@pytest.fixture
def spoilt(made, tmp_path):
  """A copy that a test may spoil."""
  for path in made.iterdir():
    (tmp_path / path.name).write_bytes(path.read_bytes())
  return tmp_path


def test_one_text_or_many(made):
  clf = gd_jax.load(made)
  answers = clf(TEXTS)
  probabilities = clf.predict_proba(TEXTS)
  assert probabilities.shape == (len(TEXTS), 3)
  np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
  for text, answer, row in zip(TEXTS, answers, probabilities, strict=True):
    assert clf(text).label == answer.label == LABELS[row.argmax()]
    assert clf(text).probability == pytest.approx(row.max(), abs=1e-5)
  assert clf([]) == []


def test_the_order_of_texts_is_kept(made):
  # Dies if: rows sorted by length are not put back.
  clf = gd_jax.load(made)
  texts = ["who " * (i % 13) + "tower" * (i % 3) for i in range(100)]
  whole = clf.predict_proba(texts)
  alone = np.concatenate([clf.predict_proba([text]) for text in texts])
  np.testing.assert_allclose(whole, alone, atol=1e-5)
  assert whole.std() > 0.01


def test_backends_agree(made):
  wanted = gd_jax.load(made).predict_proba(TEXTS)
  by_jax = gd_jax.load(made, backend="jax").predict_proba(TEXTS)
  np.testing.assert_allclose(by_jax, wanted, atol=1e-5)
  small = gd_jax.load(made, int8=True).predict_proba(TEXTS)
  np.testing.assert_allclose(small, wanted, atol=0.05)
  assert not np.array_equal(small, wanted)


def test_tokens_are_those_of_the_training(made):
  # Dies if: an empty text has no token, or special tokens are read as such.
  rng = np.random.default_rng(0)
  points = [*range(32, 0x250), *range(0x370, 0x700), *range(0x4E00, 0x4F00)]
  points += [*range(0x1F300, 0x1F600), *range(0x2000, 0x2070), 0, 0xFFFD]
  texts = [
    "".join(map(chr, rng.choice(points, rng.integers(0, 40))))
    for _ in range(10_000)
  ]
  texts += ["[CLS] [PAD] [UNK] [SEP]", *[t for t in TEXTS if t.isprintable()]]
  tokenizer = tokenizers.load(made)
  wanted = vocabulary.encode(tokenizer, texts, max_tokens=16)
  assert gd_jax.load(made).tokens(texts) == wanted


def test_what_is_no_text_is_refused(made):
  clf = gd_jax.load(made)
  with pytest.raises(TypeError, match="text 1 is NoneType"):
    clf(["a", None])
  with pytest.raises(TypeError, match="bytes, not a string: decode it"):
    clf([b"a"])
  for wrong in (None, b"abc", {"text": ["a"]}):
    with pytest.raises(TypeError, match="a text or a list of texts"):
      clf(wrong)
    with pytest.raises(TypeError, match="a text or a list of texts"):
      clf.predict_proba(wrong)


def test_a_megabyte_is_cut_with_a_warning(made):
  clf = gd_jax.load(made)
  with pytest.warns(UserWarning, match=r"1,000,000 characters and is cut at"):
    cut = clf.predict_proba(["who is " + "x" * 999_993])
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    np.testing.assert_array_equal(
      cut, clf.predict_proba(["who is " + "x" * 99_993])
    )


@pytest.mark.parametrize(
  ("spoil", "words"),
  [
    (lambda f: (f / "labels.json").unlink(), r"labels.json is missing"),
    (lambda f: (f / "SHA256SUMS").unlink(), "is no export"),
    (
      lambda f: (f / "SHA256SUMS").write_bytes(b"\xff\xfe\0\n"),
      "SHA256SUMS is altered",
    ),
    (
      lambda f: (f / "model.onnx").write_bytes(b"\0" * 99),
      r"model.onnx is altered",
    ),
    (
      lambda f: (f / "tokenizer.json").write_text("{}"),
      r"tokenizer.json is altered",
    ),
  ],
)
def test_a_folder_that_is_not_whole_is_refused(spoilt, spoil, words):
  # Dies if: the sums are not looked at, or garbage in them is a traceback.
  spoil(spoilt)
  with pytest.raises(UserError, match=words):
    gd_jax.load(spoilt)


def test_a_newer_format_and_a_missing_form_are_refused(spoilt):
  with pytest.raises(UserError, match="no backend is named 'tpu'"):
    gd_jax.load(spoilt, backend="tpu")
  (spoilt / predict.INT8).unlink()
  _write_sums(spoilt)
  with pytest.raises(UserError, match=r"holds no model.int8.onnx"):
    gd_jax.load(spoilt, int8=True)
  config = json.loads((spoilt / "config.json").read_text())
  (spoilt / "config.json").write_text(json.dumps(config | {"format": 2}))
  _write_sums(spoilt)
  with pytest.raises(UserError, match=r"format 2.*reads up to 1: upgrade"):
    gd_jax.load(spoilt)


def test_the_first_answer_needs_no_jax(made):
  # Dies if: anything on the way imports JAX, flax or etils.
  code = f"""
import sys, gd_jax
gd_jax.load({str(made)!r})("how tall is it?")
slow = {{"jax", "flax", "etils", "sklearn", "transformers"}} & set(sys.modules)
assert not slow, slow
"""
  subprocess.run([sys.executable, "-c", code], check=True)


def test_bad_lines_are_answered_and_stop_nothing(made, tmp_path, capsys):
  # Dies if: a bad line shifts the answers, or its number.
  source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
  good = json.dumps({"text": TEXTS[0]}).encode()
  bad = [b"{", b"[1]", b'{"text": 3}', b'{"text": "\xff"}', b"[" * 5000]
  source.write_bytes(b"\n".join([good, *bad, good]) + b"\n")
  flags = [f"--model={made}", f"--input={source}", f"--output={target}"]
  assert predict_files.main(flags) == 0
  rows = [json.loads(line) for line in target.read_text().splitlines()]
  assert [row["line"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
  assert ["error" in row for row in rows] == [False, *[True] * 5, False]
  assert rows[0]["label"] == rows[6]["label"] == gd_jax.load(made)(TEXTS[0])[0]
  said = capsys.readouterr().err
  assert "line 4: no object with a string 'text'" in said
  assert "7 lines, 5 of them bad" in said
  assert not list(tmp_path.glob("*.tmp"))


def test_the_input_is_never_replaced(made, tmp_path, capsys):
  # Dies if: two names of one file are taken for two files.
  source, link = tmp_path / "in.txt", tmp_path / "link.jsonl"
  source.write_text("who?\n")
  link.symlink_to(source)
  for target in (source, link):
    flags = [f"--model={made}", f"--input={source}", f"--output={target}"]
    assert predict_files.main(flags) == 2
    assert "is the file that --input reads" in capsys.readouterr().err
  assert source.read_text() == "who?\n"


def test_the_output_goes_where_its_name_leads(made, tmp_path):
  # Dies if: a link or a pipe is replaced by a file, or a neighbour is.
  source = tmp_path / "in.txt"
  source.write_text("who?\n")
  real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
  neighbour = tmp_path / "real.jsonl.tmp"
  neighbour.write_text("mine")
  real.write_text("old")
  link.symlink_to(real)
  flags = [f"--model={made}", f"--input={source}"]
  assert predict_files.main([*flags, f"--output={link}"]) == 0
  assert link.is_symlink() and json.loads(real.read_text())["line"] == 1
  assert neighbour.read_text() == "mine"
  assert predict_files.main([*flags, "--output=/dev/null"]) == 0
  assert pathlib.Path("/dev/null").is_char_device()
  real.chmod(0o600)
  assert predict_files.main([*flags, f"--output={real}"]) == 0
  assert real.stat().st_mode & 0o777 == 0o600


def test_streams_that_are_files_pipes_or_closed(made, tmp_path):
  # Dies if: stdin's file is replaced, stdout's is read for ever, or a pipe's
  # name is taken for a file's.
  source = tmp_path / "in.txt"
  source.write_text("who?\n")
  command = [sys.executable, "-m", "gd_jax.predict_files", f"--model={made}"]

  def answer(*flags, shell):
    line = f"{shlex.join([*command, *flags])} {shell}"
    return subprocess.run(
      line, shell=True, capture_output=True, text=True, check=False, timeout=60
    )

  same = f"--output={source}"
  assert answer("--input=-", same, shell=f"< {source}").returncode == 2
  assert answer(f"--input={source}", shell=f">> {source}").returncode == 2
  assert source.read_text() == "who?\n"
  piped = answer(f"--input={source}", "--output=/dev/stdout", shell="| cat")
  assert json.loads(piped.stdout)["line"] == 1, piped.stderr
  closed = answer("--text=who?", shell=">&-")
  assert closed.returncode == 2 and "stdout, which is closed" in closed.stderr
  full = answer("--text=who?", shell="> /dev/full")
  assert full.returncode == 2 and full.stderr.count("\n") == 1
  left = answer("--text=who?", shell="| true")
  assert left.stderr == ""


def test_a_label_with_a_tab_stays_in_its_cell(spoilt, tmp_path):
  source, target = tmp_path / "in.txt", tmp_path / "out.TSV"
  source.write_text("who?\n")
  artefacts.write_json(spoilt / "labels.json", ["a\tb", "c\nd", "e\rf"])
  _write_sums(spoilt)
  flags = [f"--model={spoilt}", f"--input={source}", f"--output={target}"]
  assert predict_files.main(flags) == 0
  rows = [line.split("\t") for line in target.read_text().splitlines()]
  assert [len(row) for row in rows] == [4, 4]
  assert rows[1][1] in (r"a\tb", r"c\nd", r"e\rf")


def test_closed_stdin_and_ctrl_c_get_a_line(made, monkeypatch, capsys):
  flags = [f"--model={made}", "--input=-"]
  monkeypatch.setattr(sys, "stdin", None)
  assert predict_files.main(flags) == 2
  assert "stdin, which is closed" in capsys.readouterr().err

  def stop(*_, **__):
    raise KeyboardInterrupt

  monkeypatch.setattr(predict, "load", stop)
  assert predict_files.main(flags) == 130
  assert capsys.readouterr().err == "gd-jax-predict: interrupted\n"


# Dies if: SIGTERM ends it where it stands.
def test_a_stopped_command_leaves_no_file(made, tmp_path):
  process = subprocess.Popen(
    [
      *(sys.executable, "-m", "gd_jax.predict_files", f"--model={made}"),
      *("--input=-", f"--output={tmp_path}/out.jsonl"),
    ],
    stdin=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
  )
  deadline = time.monotonic() + 60
  while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert list(tmp_path.iterdir()), "it never began to write"
  process.terminate()
  assert process.wait(timeout=60) == 143
  assert not list(tmp_path.iterdir())
  assert process.stdin is not None
  process.stdin.close()


def test_the_command_answers_stdin(made):
  command = [sys.executable, "-m", "gd_jax.predict_files", f"--model={made}"]
  done = subprocess.run(
    [*command, "--input=-"],
    input=b"where is it?\n\nwho?\n",
    capture_output=True,
    check=True,
  )
  rows = [json.loads(line) for line in done.stdout.splitlines()]
  assert [row["line"] for row in rows] == [1, 2, 3]
  missing = subprocess.run(
    [*command[:-1], "--model=/nowhere", "--text=a"],
    capture_output=True,
    text=True,
    check=False,
  )
  assert missing.returncode == 2
  assert missing.stderr.count("\n") == 1


def test_one_text_shows_every_class(made, capsys):
  assert predict_files.main([f"--model={made}", "--text=who?"]) == 0
  shown = capsys.readouterr().out.splitlines()
  assert {line.split("  ")[1] for line in shown} == set(LABELS)
  shares = [float(line.split()[0]) for line in shown]
  assert shares == sorted(shares, reverse=True)


# Dies if: stdout by another name is a file to be replaced: a log would be lost.
def test_stdout_by_another_name_is_added_to(made, tmp_path, monkeypatch):
  source, log = tmp_path / "in.txt", tmp_path / "log.jsonl"
  source.write_text("who?\n")
  log.write_text("old\n")
  with log.open("a") as out:
    monkeypatch.setattr(sys, "stdout", out)
    flags = [f"--model={made}", f"--input={source}", f"--output={log}"]
    assert predict_files.main(flags) == 0
    print("later", file=out)
  old, answer, later = log.read_text().splitlines()
  assert (old, json.loads(answer)["line"], later) == ("old", 1, "later")


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    (["--text=who?", "--output=out.jsonl"], "that to --text goes to stdout"),
    (["--input=IN", "--output=out.csv"], "would hold JSON lines"),
    (["--input=IN", "--output=none/out.tsv"], "there is no folder none"),
    (["--input=."], "Is a directory: name another"),
  ],
)
def test_an_output_that_can_not_be(
  made, tmp_path, monkeypatch, capsys, flags, words
):
  # Dies if: an answer goes elsewhere than was asked for, and nothing says so.
  monkeypatch.chdir(tmp_path)
  (tmp_path / "IN").write_text("who?\n")
  assert predict_files.main([f"--model={made}", *flags]) == 2
  said = capsys.readouterr()
  assert words in said.err and not said.out
  assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["IN"]


def test_sums_that_were_cut_are_told(made, tmp_path):
  # Dies if: the advice is to export a file that is there.
  copy = tmp_path / "copy"
  shutil.copytree(made, copy)
  (copy / "SHA256SUMS").write_text("")
  with pytest.raises(
    UserError, match=r"SHA256SUMS does not name .*config\.json"
  ):
    gd_jax.load(copy)
