# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

POD = ("--name=trec", "--zone=us-west4-a")
REQUEST = (*POD, "--accelerator_type=v5e-16")
WORKDIR = "--workdir=gs://bucket/runs/trec"
JOB = ("--", "--config=configs/trec.py")


def created(cloud):
  """Until it is ACTIVE."""
  cloud.launch("create", *REQUEST)
  for _ in range(3):
    cloud.launch("status", *POD)


def ready(cloud):
  created(cloud)
  cloud.launch("setup", *POD)


def test_from_nothing_to_results(cloud, tmp_path):
  # Dies if: worker.sh forgets the exit code, or `run` a worker.
  ready(cloud)
  assert "2 workers" in cloud.launch("status", *POD).stdout
  cloud.launch("run", *POD, WORKDIR, *JOB)
  out = cloud.wait_for_state("running")
  assert "program -m gd_jax.main --config=configs/trec.py" in out
  assert "--workdir=gs://bucket/runs/trec --distributed" in out
  cloud.end_jobs(0)
  out = cloud.wait_for_state("ended")
  assert out.count("ended, exit code 0") == 2
  assert "t1v-n-0a1b2c3d-w-1" in out

  results = cloud.path / "buckets/bucket/runs/trec/report"
  results.mkdir(parents=True)
  (results / "results.json").write_text("{}")
  cloud.launch("fetch", WORKDIR, f"--to={tmp_path / 'runs/trec'}")
  file = tmp_path / "runs/trec/report/results.json"
  assert file.exists()
  onto_file = cloud.launch("fetch", WORKDIR, f"--to={file}", check=False)
  assert onto_file.returncode == 2
  assert onto_file.stderr.startswith(f"launch: --to={file} can't be made")
  cloud.launch("delete", *POD)
  done = cloud.launch("status", *POD, check=False)
  assert (
    done.returncode == 2 and "there is no trec in us-west4-a" in done.stderr
  )


def test_setup_brings_the_extras_and_a_python(cloud):
  ready(cloud)
  calls = (cloud.home(1) / "uv_calls").read_text()
  assert "venv --python 3.12" in calls
  assert f"--editable {cloud.home(1)}/gd_jax[tpu,gcs]" in calls
  assert (cloud.home(1) / "gd_jax/experiments/tpu_vm/worker.sh").exists()


def test_setup_that_fails_says_where(cloud):
  # Dies if: setup trusts gcloud's exit code, or ours.
  created(cloud)
  (cloud.path / "uv_fails").touch()
  done = cloud.launch("setup", *POD, check=False)
  assert done.returncode == 2 and "Traceback" not in done.stderr
  assert "no setup" in cloud.launch("status", *POD).stdout
  done = cloud.launch("run", *POD, WORKDIR, *JOB, check=False)
  assert done.returncode == 2


def test_setup_takes_what_is_committed_and_says_what_is_not(cloud):
  (cloud.checkout / "new.py").touch()
  created(cloud)
  out = cloud.launch("setup", *POD).stdout
  assert "NOT sent, because not committed: new.py" in out
  assert not (cloud.home() / "gd_jax/new.py").exists()


def test_a_job_survives_its_launcher_and_the_connection(cloud):
  # Dies if: worker.sh starts the job without setsid.
  ready(cloud)
  command = [sys.executable, str(cloud.launcher), "run", *POD, WORKDIR, *JOB]
  launcher = subprocess.Popen(
    command, env=cloud.environment, start_new_session=True
  )
  while not (cloud.home(1) / "gd_jax_job/pid").exists():
    time.sleep(0.01)
  # All of the laptop that was in touch with it.
  try:
    os.killpg(launcher.pid, signal.SIGHUP)
    os.killpg(launcher.pid, signal.SIGKILL)
  except ProcessLookupError:
    pass
  launcher.wait()
  cloud.wait_for_state("running")


def test_a_worker_whose_connection_hangs_up_goes_on(cloud):
  # Dies if: worker.sh starts the job without setsid and nohup.
  ready(cloud)
  environment = {
    **cloud.environment,
    "HOME": str(cloud.home()),
    "PATH": f"{cloud.home() / '.bin'}:{cloud.environment['PATH']}",
  }
  script = "gd_jax/experiments/tpu_vm/worker.sh"
  connection = subprocess.Popen(
    ["bash", "-c", f"bash {script} start --config=x; sleep 60"],
    cwd=cloud.home(),
    env=environment,
    start_new_session=True,
    stdout=subprocess.DEVNULL,
  )
  while not (cloud.home() / "gd_jax_job/pid").exists():
    time.sleep(0.01)
  os.killpg(connection.pid, signal.SIGHUP)
  os.killpg(connection.pid, signal.SIGKILL)
  connection.wait()
  assert "w-0: running" in cloud.launch("status", *POD).stdout


def test_a_second_job_is_refused(cloud):
  # Dies if: worker.sh starts without asking for the lock, or setup unpacks so.
  ready(cloud)
  cloud.launch("run", *POD, WORKDIR, *JOB)
  for command in (("run", *POD, WORKDIR, *JOB), ("setup", *POD)):
    done = cloud.launch(*command, check=False)
    assert done.returncode == 2
    assert "a job is running there: stop it first" in done.stderr
  assert (cloud.home() / "gd_jax/experiments").exists()


def test_stop_lets_the_job_save(cloud):
  # Dies if: `stop` does not wait, or the trap's code is taken for the job's.
  ready(cloud)
  cloud.launch("run", *POD, WORKDIR, *JOB)
  out = cloud.launch("stop", *POD).stdout
  assert out.count("ended, exit code 143: saved") == 2


def test_a_signal_to_the_shell_reaches_the_program(cloud):
  # Dies if: `work` has no trap, or does not wait again after it.
  ready(cloud)
  cloud.launch("run", *POD, WORKDIR, *JOB)
  cloud.wait_for_state("running")
  program = int((cloud.home() / "gd_jax_job/pid").read_text())
  with open(f"/proc/{program}/stat") as file:
    shell = int(file.read().rpartition(")")[2].split()[1])
  os.kill(shell, signal.SIGTERM)
  deadline = time.monotonic() + 60
  code = cloud.home() / "gd_jax_job/exit_code"
  while not code.exists() and time.monotonic() < deadline:
    time.sleep(0.01)
  assert code.read_text() == "143\n"
  assert "saved" in (cloud.home() / "gd_jax_job/log").read_text()


def test_a_killed_job_is_lost_and_can_be_run_again(cloud):
  # Dies if: a job that has no exit code counts as running, or as ended.
  ready(cloud)
  cloud.launch("run", *POD, WORKDIR, *JOB)
  for worker in range(2):
    program = int((cloud.home(worker) / "gd_jax_job/pid").read_text())
    with open(f"/proc/{program}/stat") as file:
      shell = int(file.read().rpartition(")")[2].split()[1])
    os.kill(shell, signal.SIGKILL)
    # The program holds the lock on.
    assert f"w-{worker}: running" in cloud.launch("status", *POD).stdout
    os.kill(program, signal.SIGKILL)
  cloud.wait_for_state("lost")
  cloud.launch("run", *POD, WORKDIR, *JOB)
  cloud.wait_for_state("running")


def test_logs_follows_until_it_is_interrupted(cloud):
  # Dies if: `logs` waits for the end of the log before it prints.
  ready(cloud)
  cloud.launch("run", *POD, WORKDIR, *JOB)
  short = cloud.launch("logs", *POD, "--worker=1", "--no-follow").stdout
  assert "program -m gd_jax.main" in short
  following = subprocess.Popen(
    [sys.executable, str(cloud.launcher), "logs", *POD, "--lines=1"],
    env=cloud.environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
    # What a shell starts in the background ignores it.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )
  assert following.stdout is not None
  with (cloud.home() / "gd_jax_job/log").open("a") as log:
    log.write("a new line\n")
  for line in following.stdout:
    if line == "a new line\n":
      break
  os.killpg(following.pid, signal.SIGINT)
  _, err = following.communicate(timeout=120)
  assert following.returncode == 130
  assert "interrupted; a running job goes on" in err
  assert "w-0: running" in cloud.launch("status", *POD).stdout


def test_arguments_reach_the_program_as_they_were(cloud):
  # Dies if: arguments are joined without quotes, here or in worker.sh.
  (cloud.path / "program.sh").write_text(
    'for word in "$@"; do echo "<$word>"; done'
  )
  ready(cloud)
  odd = '--config.students.arms=("kd", "gd $HOME `id`")'
  cloud.launch("run", *POD, WORKDIR, *JOB, odd, "--x=it's")
  cloud.wait_for_state("ended")
  log = (cloud.home() / "gd_jax_job/log").read_text()
  assert f"<{odd}>" in log and "<--x=it's>" in log


ALL = {
  "create": (*REQUEST, "--project=my-project"),
  "setup": POD,
  "run": (*POD, WORKDIR, *JOB),
  "watch": (*REQUEST, WORKDIR, "--service_account=a@b.com", *JOB),
  "logs": POD,
  "status": POD,
  "stop": POD,
  "fetch": (WORKDIR, "--to=here"),
  "delete": POD,
}


@pytest.mark.parametrize("command", ALL)
def test_dry_run_prints_what_can_be_pasted_and_calls_nothing(cloud, command):
  # Dies if: any line of a dry run is called, or is printed unquoted.
  out = cloud.launch(command, "--dry_run", *ALL[command]).stdout
  assert not (cloud.path / "calls.jsonl").exists()
  lines = [shlex.split(line, comments=True) for line in out.splitlines()]
  programs = {line[0] for line in lines if line}
  assert "gcloud" in programs and programs <= {"gcloud", "git", "mkdir"}
  # Pasted, each is one that gcloud knows.
  script = "\n".join(
    line for line in out.splitlines() if line.startswith("gcloud")
  )
  subprocess.run(["bash", "-c", script], env=cloud.environment, check=False)
  assert len(cloud.calls()) == script.count("\ngcloud") + 1


BAD = [
  ((), "required: command"),
  (("frob",), "invalid choice: 'frob'"),
  (("create", *POD), "required: --accelerator_type"),
  (("status", "--name=Trec", "--zone=us-west4-a"), "'Trec' is no name"),
  (("status", "--name=trec-", "--zone=us-west4-a"), "'trec-' is no name"),
  (("status", f"--name={'a' * 64}", "--zone=us-west4-a"), "is no name"),
  (("status", "--name=-x", "--zone=us-west4-a"), "is no name"),
  (("status", "--name=trec", "--zone=us-west4"), "'us-west4' is no zone"),
  (("status", *POD, "--project=x"), "'x' is no project id"),
  (("status", *POD, "--frob"), "unrecognized arguments: --frob"),
  (("status", *POD, *JOB), "status passes nothing on"),
  (("create", *POD, "--accelerator_type=h100"), "is no accelerator type"),
  (("create", *POD, "--accelerator_type=v4-0"), "is no accelerator type"),
  (("run", *POD, "--workdir=runs/trec", *JOB), "is no folder in a bucket"),
  (("run", *POD, "--workdir=s3://b/x", *JOB), "is no folder in a bucket"),
  (("run", *POD, "--workdir=gs://bucket", *JOB), "is no folder in a bucket"),
  (("run", *POD, WORKDIR), "what shall run is missing"),
  (("run", *POD, WORKDIR, *JOB, "--workdir=x"), "--workdir stands behind"),
  (("run", *POD, WORKDIR, *JOB, "--distributed"), "--distributed stands"),
  (("watch", *REQUEST, WORKDIR, "--poll_seconds=0", *JOB), "above zero"),
  (("watch", *REQUEST, WORKDIR, "--attempts=-1", *JOB), "no whole number"),
]


@pytest.mark.parametrize(("argv", "message"), BAD)
def test_bad_input_is_one_line_before_gcloud_is_looked_for(
  part, monkeypatch, capsys, argv, message
):
  # Dies if: any of the checks in names.py or flags.py is left out.
  monkeypatch.setenv("PATH", "/nonexistent")
  assert part("launch").main(argv) == 2
  err = capsys.readouterr().err
  assert len(err.splitlines()) == 1 and message in err


def test_without_gcloud(cloud):
  environment = {**cloud.environment, "PATH": "/nonexistent"}
  done = subprocess.run(
    [sys.executable, str(cloud.launcher), "create", *REQUEST],
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert done.stderr == (
    "launch: gcloud is not on PATH: install the Google Cloud CLI "
    "(https://cloud.google.com/sdk/docs/install), then run `gcloud init`\n"
  )


@pytest.mark.parametrize(
  ("message", "advice"),
  [
    ("PERMISSION_DENIED: Permission 'tpu.nodes.create' denied", "tpu.google"),
    ("RESOURCE_EXHAUSTED: Quota limit exceeded", "ask for quota"),
    ("INVALID_ARGUMENT: v6e-3 was not found in zone", "accelerator-types list"),
    ("INTERNAL: something", "with --dry_run you see its line"),
  ],
)
def test_gclouds_own_words_and_what_to_do(cloud, message, advice):
  # Dies if: the first line of stderr is shown instead of the error.
  cloud.plan(fail={"create": [message]})
  done = cloud.launch("create", *REQUEST, check=False)
  assert done.returncode == 2
  assert len(done.stderr.splitlines()) == 1
  assert message in done.stderr and advice in done.stderr
  assert "gcloud compute tpus queued-resources create failed" in done.stderr


def test_what_does_not_exist_or_exists_already(cloud):
  for command in ("setup", "run", "delete", "stop", "logs"):
    done = cloud.launch(command, *ALL[command], check=False)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "NOT_FOUND" in done.stderr
  cloud.launch("create", *REQUEST)
  done = cloud.launch("create", *REQUEST, check=False)
  assert done.returncode == 2 and "take another --name" in done.stderr


def test_the_stand_in_refuses_what_gcloud_does_not_know(cloud):
  # Dies if: the stand-in takes any flag: then nothing here proves a thing.
  for words, message in (
    (["compute", "tpus", "frob"], "Invalid choice"),
    (
      ["compute", "tpus", "tpu-vm", "ssh", "x", "--workers=all"],
      "unrecognized arguments: --workers=all",
    ),
    (
      ["compute", "tpus", "queued-resources", "create", "x", "--spot=yes"],
      "unrecognized arguments: --spot=yes",
    ),
    (
      ["compute", "tpus", "queued-resources", "create", "x", "--spot"],
      "argument --accelerator-type: Must be specified",
    ),
  ):
    done = subprocess.run(
      ["gcloud", *words],
      env=cloud.environment,
      capture_output=True,
      text=True,
    )
    assert done.returncode == 2 and message in done.stderr
    assert re.match(r"ERROR: \(gcloud[\w.-]*\) ", done.stderr)


def test_a_flag_that_gcloud_does_not_know_is_said_in_its_words(cloud, part):
  gcloud = part("gcloud")
  line = [*gcloud.describe(gcloud.Pod("trec", "us-west4-a")), "--frob"]
  with pytest.raises(gcloud.LaunchError, match="update gcloud") as raised:
    gcloud.Shell().run(line)
  assert "unrecognized arguments: --frob" in str(raised.value)


def test_a_hanging_gcloud_is_killed_with_all_it_started(tmp_path, part):
  # Dies if: only the process itself is killed.
  gcloud = part("gcloud")
  mark = tmp_path / "late"
  script = f"(sleep 2; touch {mark}) & wait"
  with pytest.raises(gcloud.LaunchError, match="had not ended") as raised:
    gcloud.Shell().run(["bash", "-c", script], timeout=0.2)
  assert raised.value.word == "TIMEOUT"
  time.sleep(2.5)
  assert not mark.exists()


def test_the_types_runtime(part):
  names = part("names")
  for type_, runtime in {
    "v2-8": "tpu-ubuntu2204-base",
    "v4-32": "tpu-ubuntu2204-base",
    "v5e-16": "v2-alpha-tpuv5-lite",
    "v5p-8": "v2-alpha-tpuv5",
    "v6e-64": "v2-alpha-tpuv6e",
  }.items():
    assert names.runtime_version(names.accelerator_type(type_)) == runtime
