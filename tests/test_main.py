# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import errno
import pathlib
import subprocess
import sys
import threading

import pytest
from absl.testing import flagsaver

from gd_jax import main, pipeline, signals

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


@pytest.fixture
def command(monkeypatch, capsys):
  """Runs a command line; returns its exit code and what it said."""
  monkeypatch.chdir(CONFIGS.parent)
  monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
  monkeypatch.setattr(threading, "excepthook", threading.excepthook)

  def run(*flags):
    saved = flagsaver.save_flag_values()
    # config_flags looks there for the fields that are set.
    monkeypatch.setattr(sys, "argv", ["gd-jax", *map(str, flags)])
    try:
      code = main.main()
    finally:
      flagsaver.restore_flag_values(saved)
    return code, capsys.readouterr().err

  return run


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    ([], ["--workdir is missing"]),
    (["--config=configs/trec.py", "--workdir="], ["--workdir is missing"]),
    (["--workdir=w"], ["--config is missing"]),
    (["--config=configs/terc.py", "--workdir=w"], ["configs/terc.py", "trec"]),
    (["--config=configs/trec.py:fast"], ["'quick'", "'fast'"]),
    (["--config=configs/custom.py"], ["configs/custom.py:FOLDER"]),
    (
      ["--config=configs/trec.py", "--config.corpus.num_text=5"],
      ["num_text", "Did you mean", "num_texts"],
    ),
    (
      ["--config=configs/trec.py", "--config.corpus.num_texts=many"],
      ["many"],
    ),
    (
      ["--config=configs/trec.py", "--config.corpus.num_texts=None"],
      ["config.corpus.num_texts can't be None"],
    ),
    (["--config=configs/trec.py", "--config.task=None"], ["config.task"]),
    (["--config=README.md"], ["README.md, line"]),
    (["--config=configs/common.py"], ["configs/common.py: get_config()"]),
    (
      [
        "--config=configs/trec.py",
        "--config.seed=9223372036854775808",
        "--workdir=w",
      ],
      ["config.seed is 9223372036854775808", "below 2**32"],
    ),
    (
      ["--config=configs/trec.py", "--config.students.mix=nan", "--workdir=w"],
      ["config.students.mix is nan"],
    ),
    (
      [
        "--config=configs/trec.py",
        "--config.students.balance=inf",
        "--workdir=w",
      ],
      ["config.students.balance is inf"],
    ),
    (
      [
        "--config=configs/trec.py",
        "--config.soft_labels.rules=1.5",
        "--workdir=w",
      ],
      ["config.soft_labels.rules is 1.5", "at most 1"],
    ),
    (
      ["--config=configs/custom.py:F", "--config.data.dir=D", "--workdir=w"],
      ["config.data.dir=D is for other tasks"],
    ),
    (["--wrokdir=w"], ["wrokdir", "workdir"]),
    (["--config=configs/trec.py", "--workdir=w", "trec"], ["'trec'"]),
    (
      ["--config=configs/trec.py", "--workdir=w", "--phases=teach"],
      ["'teach'", "teacher"],
    ),
    (["--workdir=/nowhere/w", "--verify"], ["no workdir /nowhere/w"]),
    (["--config=configs/trec.py", "--workdir=foo://w"], ["can't be opened"]),
    (
      ["--config=configs/trec.py", "--workdir=w", "--reuse=foo://w"],
      ["foo://w can't be opened"],
    ),
    (
      ["--config=configs/trec.py", "--workdir=w", "--verify", "--sweep"],
      ["--verify and --sweep are two kinds of work"],
    ),
    (
      ["--config=configs/trec.py", "--workdir=w", "--verify", "--redo=data"],
      ["--verify has no use for --redo"],
    ),
    (
      ["--config=configs/trec.py", "--workdir=w", "--dry_run", "--phases=data"],
      ["--dry_run has no use for --phases"],
    ),
    (
      ["--config=configs/trec.py", "--workdir=w", "--devices=h200"],
      ["--devices does nothing without --dry_run"],
    ),
    (
      ["--config=configs/trec.py", "--workdir=w", "--num_processes=2"],
      ["do nothing without --coordinator"],
    ),
  ],
)
def test_bad_input_gets_one_line_and_exit_2(
  command, tmp_path, monkeypatch, flags, words
):
  # Dies if: an exception of absl or of a config file gets through.
  flags = [flag.replace("=w", f"={tmp_path}/w") for flag in flags]
  code, said = command(*flags)
  assert code == 2
  assert said.startswith("gd-jax: ")
  assert said.count("\n") == 1, said
  assert "Traceback" not in said and "\\n" not in said
  for word in words:
    assert word in said


# Dies if: absl's error, raised while main is imported, gets through.
def test_a_flag_file_that_is_not_there_gets_a_line(tmp_path):
  done = subprocess.run(
    [sys.executable, "-m", "gd_jax.main", f"--flagfile={tmp_path}/none"],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2
  assert done.stderr.startswith("gd-jax: Unable to open flagfile")
  assert done.stderr.count("\n") == 1


def test_help_and_version_are_answered(monkeypatch, capsys):
  for flag, words in (("--help", "--workdir: "), ("--version", "0.")):
    monkeypatch.setattr(sys, "argv", ["gd-jax", flag])
    assert main.main() == 0
    assert words in capsys.readouterr().out


# Dies if: a run gets a folder named ~ where it stands.
def test_a_home_folder_is_found(command, monkeypatch, tmp_path):
  found = []
  monkeypatch.setenv("HOME", str(tmp_path))
  monkeypatch.setattr(
    pipeline,
    "run",
    lambda _, workdir, **options: found.append((workdir, options["reuse"])),
  )
  command("--config=configs/trec.py", "--workdir=~/w", "--reuse=~/other")
  assert found == [(tmp_path / "w", [tmp_path / "other"])]


# Dies if: "None" is taken for text, or for a number.
def test_a_field_can_be_emptied(command, monkeypatch, tmp_path):
  found = []
  monkeypatch.setattr(
    pipeline, "run", lambda config, *_, **__: found.append(config)
  )
  code, said = command(
    "--config=configs/trec.py",
    f"--workdir={tmp_path}/w",
    "--config.data.labels_per_class=None",
    "--config.generator.condition=None",
    "--config.students.mix=None",
  )
  assert (code, said) == (0, "")
  assert found[0].data.labels_per_class is None
  assert found[0].generator.condition is found[0].students.mix is None


# Dies if: an error of a config file's own code is taken for an unknown field.
@pytest.mark.parametrize(
  ("line", "words"),
  [
    ('{}["nope"]', "KeyError: nope"),
    ("config.corpus.num_textz = 5", "AttributeError: Key"),
  ],
)
def test_a_config_files_own_error_names_the_file(
  command, tmp_path, line, words
):
  file = tmp_path / "own.py"
  file.write_text(
    "from configs import trec\n"
    "def get_config():\n"
    f"  config = trec.get_config()\n  {line}\n  return config\n"
  )
  code, said = command(f"--config={file}", f"--workdir={tmp_path}/w")
  assert code == 2
  assert said.startswith(f"gd-jax: {file}: {words}")


@pytest.mark.parametrize(
  ("error", "code", "words"),
  [
    (OSError(errno.ENOSPC, "No space left", "f.json"), 2, "disk is full"),
    (ValueError("x: No space left on device"), 2, "disk is full"),
    (OSError(errno.EFBIG, "File too large", "f.json"), 2, "disk is full"),
    (KeyboardInterrupt(), 130, "goes on from the last save"),
    (OSError(errno.EROFS, "Read-only", "f.json"), 2, "f.json can't be written"),
    (signals.Stopped(), 143, "goes on from there"),
  ],
)
def test_troubles_of_a_run_are_said_in_one_line(
  command, monkeypatch, tmp_path, error, code, words
):
  def fail(*args, **kwargs):
    raise error

  monkeypatch.setattr(pipeline, "run", fail)
  got, said = command("--config=configs/trec.py", f"--workdir={tmp_path}/w")
  assert got == code
  assert words in said
  assert "Traceback" not in said and "once more" not in said


# Dies if: a stopped run advises what removes its work.
@pytest.mark.parametrize("error", [KeyboardInterrupt(), signals.Stopped()])
def test_a_stopped_redo_warns_of_another(command, monkeypatch, tmp_path, error):
  def fail(*args, **kwargs):
    raise error

  monkeypatch.setattr(pipeline, "run", fail)
  _, said = command(
    "--config=configs/trec.py", f"--workdir={tmp_path}/w", "--redo=data,corpus"
  )
  assert "leave --redo out" in said and "data, corpus once more" in said


def test_a_bug_keeps_its_traceback(command, monkeypatch, tmp_path):
  def fail(*args, **kwargs):
    raise ZeroDivisionError

  monkeypatch.setattr(pipeline, "run", fail)
  with pytest.raises(ZeroDivisionError):
    command("--config=configs/trec.py", f"--workdir={tmp_path}/w")


def test_a_workdir_that_cannot_be_written_is_refused(command, tmp_path):
  (tmp_path / "file").write_text("in the way")
  code, said = command(
    "--config=configs/trec.py", f"--workdir={tmp_path}/file/w"
  )
  assert code == 2
  assert "can't be made, a file lies in its way" in said


def test_profile_writes_a_trace_of_the_run(command, monkeypatch, tmp_path):
  # Dies if: main does not trace pipeline.run.
  ran = []
  monkeypatch.setattr(pipeline, "run", lambda *args, **options: ran.append(1))
  code, said = command(
    "--config=configs/trec.py",
    f"--workdir={tmp_path}/w",
    f"--profile={tmp_path}/trace",
  )
  assert code == 0, said
  assert ran
  assert list((tmp_path / "trace").rglob("*.xplane.pb"))


# Dies if: the line names a python that a shell without the venv has not.
@pytest.mark.parametrize(
  ("argv", "words"),
  [
    ([".venv/bin/gd-jax", "--a=b c"], [".venv/bin/gd-jax", "--a=b c"]),
    (["/x/gd_jax/main.py", "-v"], [sys.executable, "-m", "gd_jax.main", "-v"]),
  ],
)
def test_a_command_can_be_given_again_as_it_is_said(argv, words):
  assert main._as_given(argv) == words


# Dies if: TensorBoard's thread tells of a full disk by a traceback, or another
# error of a thread is kept quiet.
def test_a_thread_tells_of_a_full_disk_no_more(monkeypatch, capsys):
  monkeypatch.setattr(threading, "excepthook", main._in_a_thread)

  def fail(error):
    raise error

  for error in (OSError(errno.ENOSPC, "full"), ValueError("a bug")):
    thread = threading.Thread(target=fail, args=(error,))
    thread.start()
    thread.join()
  said = capsys.readouterr().err
  assert "ValueError: a bug" in said and "full" not in said
  # As the program leaves, its main thread has ended.
  over = threading.Thread()
  monkeypatch.setattr(threading, "main_thread", lambda: over)
  thread = threading.Thread(target=fail, args=(EOFError(),), daemon=True)
  thread.start()
  thread.join()
  assert not capsys.readouterr().err
