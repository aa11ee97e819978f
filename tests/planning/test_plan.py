# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import sys

import pytest
from absl.testing import flagsaver
from etils import epath

from configs.paper import ag_news
from gd_jax import artefacts, devices, main, pipeline, recipes
from gd_jax.errors import UserError
from gd_jax.planning import machines, plan, shapes


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
  """run(*flags) -> (exit code, stdout, stderr) of a dry run."""

  def start(*flags):
    argv = [
      "gd-jax",
      "--config=configs/quickstart.py:quick",
      f"--workdir={tmp_path / 'work'}",
      "--dry_run",
      *flags,
    ]
    saved = flagsaver.save_flag_values()
    monkeypatch.setattr(sys, "argv", argv)
    try:
      code = main.main()
    finally:
      flagsaver.restore_flag_values(saved)
    return code, *capsys.readouterr()

  return start


def test_a_dry_run_says_all_and_does_nothing(run, tmp_path):
  # Dies if: a phase is left out, or the workdir is made.
  code, said, _ = run("--devices=h200")
  assert code == 0
  for name in ("teacher", "generator", "corpus", "soft_labels", "students"):
    assert f"\n{name} " in said
  assert "estimated from shapes" in said
  assert not (tmp_path / "work").exists()


def test_an_unknown_machine_gets_one_line(run):
  code, _, said = run("--devices=v5e-7")
  assert code == 2 and said.count("\n") == 1 and "v5e-7" in said


def test_what_does_not_fit_is_said_so():
  # Dies if: bytes are not compared with one device's memory.
  config = ag_news.get_config().unlock()
  config.corpus.slots = 8192
  machine = machines.parse("v5e-1")
  texts = shapes.Texts(4, 400, None)
  found = plan.judge(config, texts, machine, "corpus")
  assert not found.fits
  assert "NO" in "\n".join(plan.describe([found], texts, machine))


# Dies if: the docstrings of configs/paper/ promise too small a machine.
def test_the_paper_fits_a_device_of_16_gib_in_parts():
  config = ag_news.get_config().unlock()
  machine = machines.parse("v5e-1")
  texts = shapes.Texts(4, 400, None)
  assert not plan.judge(config, texts, machine, "generator").fits
  config.generator.accumulate_steps = 2
  for phase in PLANNED:
    assert plan.judge(config, texts, machine, phase).fits


H200 = {"platform": "gpu", "kind": "NVIDIA H200", "num_devices": 1}
CPU = {"platform": "cpu", "kind": devices.cpu_kind(), "num_devices": 1}
PLANNED = ("teacher", "generator", "corpus", "soft_labels", "students")
GIB = 2**30


def _finished(config, workdir, memories):
  """A run's manifests, of 1,234 s and {phase: memory}; None: not told of."""
  for phase in pipeline.PHASES:
    memory = memories.get(phase.name)
    artefacts.begin(workdir / phase.name, config={}, inputs={})
    artefacts.finish(
      workdir / phase.name,
      config=recipes.recipe_config(config, phase),
      inputs={
        name: artefacts.read_json(workdir / name / "manifest.json")[
          "fingerprint"
        ]
        for name in phase.reads
      },
      counts={"memory": memory} if memory else {},
      seconds=1234.0,
    )


@pytest.fixture
def said(config, tmp_path, monkeypatch, texts):
  """said(machine) -> the plan of `config` beside the workdir, and its lines."""
  monkeypatch.setattr(shapes, "texts", lambda config, workdir: texts)

  def describe(machine):
    machine = machines.parse(machine)
    lines, found = plan.make(config, epath.Path(tmp_path), machine)
    return "\n".join(plan.describe(lines, found, machine)), lines

  return describe


# Dies if: seconds or bytes are not those of the phase's own manifest, or what
# was in use before counts as the phase's.
def test_beside_a_finished_run_it_says_how_far_it_was_off(
  config, tmp_path, said
):
  memory = H200 | {"before": GIB, "peak": 3 * GIB}
  _finished(config, epath.Path(tmp_path), {"teacher": memory})
  text, lines = said("h200")
  # Those that tell of no device ran on the others' ones.
  assert text.count("measured 21 min in this workdir, planned") == 5
  planned = lines[0].footprint.total
  assert (
    f"teacher: measured 2.00 GiB in this workdir, planned {planned / GIB:.2f}"
    f" GiB: off by a factor of {2 * GIB / planned:.2f}"
  ) in text
  assert text.count("measured") == 6


def test_what_takes_no_time_is_not_off_by_a_factor(config, tmp_path, said):
  # Dies if: tfidf alone, planned at no seconds, is divided by.
  config.students.arms = ("tfidf",)
  memory = H200 | {"before": GIB, "peak": 3 * GIB}
  memories = {"teacher": memory, "students": memory}
  _finished(config, epath.Path(tmp_path), memories)
  text, _ = said("h200")
  assert "teacher: measured" in text
  assert "students: measured" not in text


# Dies if: a CPU's bytes are said by phase, or another phase's peak or plan is
# taken for the largest.
def test_a_cpus_bytes_are_the_whole_process(config, tmp_path, said):
  memory = CPU | {"before": GIB, "peak": 2 * GIB}
  memories = {"teacher": memory | {"peak": 3 * GIB}, "students": memory}
  _finished(config, epath.Path(tmp_path), memories)
  text, lines = said("cpu")
  largest = max(lines[i].footprint.total for i in (0, 4))
  assert text.count("measured") == 6
  assert "all phases: measured 3.00 GiB at most" in text
  assert f"of these phases is planned at {largest / GIB:.2f} GiB" in text


# Dies if: a plan is compared with a run on another platform, on another kind of
# device, or on more of them; or with one on what an early manifest leaves open.
@pytest.mark.parametrize(
  ("machine", "ran_on", "words"),
  [
    ("cpu", H200, "1 × NVIDIA H200"),
    ("h100", H200, "1 × NVIDIA H200"),
    ("h200x4", H200, "1 × NVIDIA H200"),
    ("h200", {"platform": "gpu"}, "gpu devices of an unknown kind"),
    ("cpu", CPU | {"kind": "a faster one"}, "1 × a faster one"),
    ("v5p-8", {"platform": "tpu", "kind": "TPU v5 lite", "num_devices": 4}, ""),
  ],
)
def test_a_run_elsewhere_is_not_compared(
  config, tmp_path, said, machine, ran_on, words
):
  memory = ran_on | {"before": 0, "peak": GIB}
  _finished(config, epath.Path(tmp_path), {"corpus": memory})
  text, _ = said(machine)
  assert "measured" not in text
  assert f"{', '.join(PLANNED)}: finished in this workdir on {words}" in text


# Dies if: the devices of phases that tell of none are guessed.
def test_of_no_known_device_nothing_is_compared(config, tmp_path, said):
  other = CPU | {"before": 0, "peak": GIB}
  memories = {"teacher": H200 | {"before": 0, "peak": GIB}, "students": other}
  _finished(config, epath.Path(tmp_path), memories)
  text, _ = said("h200")
  assert text.count("measured") == 2
  assert (
    "generator, corpus, soft_labels: finished in this workdir on devices"
    in (text)
  )


# Dies if: a phase is compared that was made by other fields, or from what was.
@pytest.mark.parametrize(
  ("field", "compared"),
  [
    ("students.total_steps", PLANNED[:4]),
    ("corpus.num_texts", PLANNED[:2]),
    ("data.labels_per_class", ()),
  ],
)
def test_a_run_of_another_config_is_not_compared(
  config, tmp_path, said, field, compared
):
  memory = H200 | {"before": 0, "peak": GIB}
  _finished(config, epath.Path(tmp_path), dict.fromkeys(PLANNED, memory))
  config.update_from_flattened_dict({field: 7})
  _, lines = said("h200")
  assert tuple(x.footprint.phase for x in lines if x.measured) == compared


def test_classes_come_from_the_files(config, texts, tmp_path):
  # Dies if: rows beyond labels_per_class are counted as drawn.
  found = shapes.texts(config, epath.Path(tmp_path))
  assert (found.num_classes, found.num_labelled) == (8, 200)
  assert 5 < found.mean_tokens < 40
  config.data.labels_per_class = 10
  assert shapes.texts(config, epath.Path(tmp_path)).num_labelled == 80


def test_a_task_of_which_nothing_is_known_is_refused(config, tmp_path):
  config.task, config.data.folder = "custom", str(tmp_path / "no")
  with pytest.raises(UserError, match=r"needs the texts of 'custom'"):
    shapes.texts(config, epath.Path(tmp_path))


# Dies if: what a run refuses is planned, or ends in a traceback.
@pytest.mark.parametrize(
  ("field", "value", "words"),
  [
    ("students.total_steps", -5, "total_steps is -5"),
    ("teacher.batch_size", 0, "batch_size is 0"),
    ("data.max_tokens", 600, "600 positions, and the model has"),
    ("generator.max_tokens", 600, "602 positions, and the model has"),
  ],
)
def test_what_a_run_refuses_is_not_planned(config, said, field, value, words):
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=words):
    said("v5e-1")
