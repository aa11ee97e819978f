# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from gd_jax import leases

POD = ("--name=trec", "--zone=us-west4-a")
REQUEST = (*POD, "--accelerator_type=v5e-16")
WORKDIR = "--workdir=gs://bucket/runs/trec"
JOB = ("--", "--config=configs/trec.py")
FAST = ("--poll_seconds=0.05", "--backoff_seconds=0.01")
WATCH = ("watch", *REQUEST, WORKDIR, *FAST)
# Saves into the bucket, goes on from what is there, and would never end were
# its machine not taken away twice.
RESUMING = """
bucket="$STAND_IN/$(hostname)"
step=$(cat "$bucket" 2>/dev/null || echo 0)
echo $((step + 10)) > "$bucket"
echo "from step $step" >> "$STAND_IN/starts"
if [ "$step" -eq 20 ]; then echo finished; exit 0; fi
while [ -e "$STAND_IN" ]; do sleep 0.05; done
"""


def test_one_command_from_nothing_to_the_end(cloud):
  # Dies if: any of create, setup, start is left out or done twice.
  cloud.end_jobs(0)
  done = cloud.launch(*WATCH, "--delete_when_done", *JOB)
  verbs = [verb for verb in cloud.verbs() if verb != "describe"]
  assert verbs[0] == "create" and verbs[-1] == "delete"
  assert verbs.count("create") == verbs.count("scp") == 1
  assert "there is no such queued resource" in done.stdout
  assert "WAITING_FOR_RESOURCES" in done.stdout
  assert "attempt" not in done.stdout
  assert done.stdout.count("ended, exit code 0") == 2


@pytest.mark.parametrize("lag", [0, 2])
def test_after_a_pre_emption_all_is_made_anew_and_goes_on(cloud, lag):
  # Dies if: SUSPENDED, or an ACTIVE request of a PREEMPTED node, is waited
  # for, or what comes after is not set up.
  (cloud.path / "program.sh").write_text(RESUMING)
  cloud.plan(lives=[3, 4], lag=lag)
  done = cloud.launch(*WATCH, *JOB)
  made = [verb for verb in cloud.verbs() if verb in ("create", "scp", "delete")]
  assert made == ["create", "scp", *["delete", "create", "scp"] * 2]
  assert ("node PREEMPTED" if lag else "SUSPENDED") in done.stdout
  assert "attempt 2 of 50 to mend it" in done.stdout
  assert done.stdout.count("ended, exit code 0: finished") == 2
  starts = (cloud.path / "starts").read_text().split("from step ")[1:]
  assert sorted(map(int, starts)) == [0, 0, 10, 10, 20, 20]


def test_the_watch_can_be_killed_and_taken_up(cloud):
  # Dies if: a running job is not recognised, or is started over.
  process = subprocess.Popen(
    [sys.executable, str(cloud.launcher), *WATCH, *JOB],
    env=cloud.environment,
    stdout=subprocess.DEVNULL,
  )
  while not (cloud.home(1) / "gd_jax_job/pid").exists():
    time.sleep(0.02)
  process.send_signal(signal.SIGKILL)
  process.wait()
  cloud.wait_for_state("running")
  again = subprocess.Popen(
    [sys.executable, "-u", str(cloud.launcher), *WATCH, *JOB],
    env=cloud.environment,
    stdout=subprocess.PIPE,
    text=True,
  )
  assert again.stdout is not None
  first = again.stdout.readline()
  assert "w-0: running; " in first and "w-1: running" in first
  cloud.end_jobs(0)
  out, _ = again.communicate(timeout=300)
  assert again.returncode == 0 and "ended, exit code 0" in out
  assert cloud.verbs().count("create") == cloud.verbs().count("scp") == 1
  assert (cloud.home() / "gd_jax_job/log").read_text().count("program") == 1


def test_bad_input_is_not_tried_again(cloud):
  # Dies if: exit code 2 of all workers counts as bad luck.
  (cloud.path / "program.sh").write_text("echo 'no field x'; exit 2")
  done = cloud.launch(*WATCH, *JOB, check=False)
  assert done.returncode == 2
  # Above it stands what setup has printed.
  last = done.stderr.splitlines()[-1]
  assert "exit code 2: no field x" in last and "mend what it says" in last
  assert (cloud.home() / "gd_jax_job/log").read_text().count("no field") == 1


def test_it_gives_up_after_so_many_attempts(cloud):
  # Dies if: attempts are not counted, or the back-off is for ever the same.
  (cloud.path / "program.sh").write_text("exit 1")
  done = cloud.launch(*WATCH, "--attempts=3", *JOB, check=False)
  assert done.returncode == 2
  assert "gave up after 3 attempts" in done.stderr
  assert "the same command goes on from there" in done.stderr
  log = (cloud.home() / "gd_jax_job/log").read_text()
  assert log.count("gd_jax.main") == 4


def test_trouble_with_gcloud_is_tried_again_but_not_a_refusal(cloud):
  # Dies if: a failed call ends the watch, or PERMISSION_DENIED does not.
  cloud.end_jobs(0)
  cloud.plan(
    fail={
      "create": ["RESOURCE_EXHAUSTED: no capacity"],
      "describe": ["", "", "INTERNAL: try later"],
      "scp": ["[/usr/bin/scp] exited with return code [255]"],
    }
  )
  done = cloud.launch(*WATCH, *JOB)
  assert "ask for quota" in done.stdout
  assert "INTERNAL: try later" in done.stdout and "[255]" in done.stdout
  assert "attempt 3 of 50" in done.stdout

  cloud.launch("delete", *POD)
  cloud.plan(fail={"create": ["PERMISSION_DENIED: no"] * 9})
  done = cloud.launch(*WATCH, *JOB, check=False)
  assert done.returncode == 2 and "attempt" not in done.stdout
  assert "PERMISSION_DENIED: no" in done.stderr


def test_another_job_is_left_alone(cloud):
  # Dies if: jobs are not told apart by their arguments.
  cloud.launch("create", *REQUEST)
  for _ in range(3):
    cloud.launch("status", *POD)
  cloud.launch("setup", *POD)
  cloud.launch("run", *POD, WORKDIR, "--", "--config=configs/sst2.py")
  done = cloud.launch(*WATCH, *JOB, check=False)
  assert done.returncode == 2 and "that is another job" in done.stderr
  cloud.end_jobs(0)
  cloud.wait_for_state("ended")
  done = cloud.launch(*WATCH, *JOB)
  log = (cloud.home() / "gd_jax_job/log").read_text()
  assert "configs/sst2.py" in log and "configs/trec.py" in log


def seen(part, *states, num_workers=None, **fields):
  look, workers = part("look"), part("workers")
  found = tuple(
    workers.Worker(f"w-{number}", state, job, code)
    for number, (state, job, code) in enumerate(states)
  )
  usual = {
    "state": "ACTIVE",
    "node": "READY",
    "num_workers": num_workers or len(found),
    "workers": found or None,
  }
  return look.Seen(**{**usual, **fields})


def test_what_is_decided(part):
  # Dies if: any branch of `decide` is exchanged with another.
  decide = part("watch").decide
  for state, action in {
    "": "create",
    "CREATING": "wait",
    "ACCEPTED": "wait",
    "WAITING_FOR_RESOURCES": "wait",
    "PROVISIONING": "wait",
    "SUSPENDING": "wait",
    "DELETING": "wait",
    "A_STATE_OF_LATER": "wait",
    "SUSPENDED": "recreate",
    "FAILED": "recreate",
  }.items():
    assert decide(seen(part, state=state, node=""), "me") == action
  for node, action in {
    "": "recreate",
    "PREEMPTED": "recreate",
    "TERMINATED": "recreate",
    "STOPPED": "reach",
    "READY": "reach",
  }.items():
    assert decide(seen(part, node=node), "me") == action
  fresh, other = ("ready", "-", None), ("ended", "other", 0)
  runs, lost = ("running", "me", None), ("lost", "me", None)
  done, bad, died = (("ended", "me", code) for code in (0, 2, 1))
  stopped, alone = (("ended", "me", code) for code in (143, 75))
  for states, action in (
    ([("no_setup", "-", None), fresh], "setup"),
    ([("setup_failed", "-", 1), fresh], "setup"),
    ([fresh, fresh], "start"),
    ([other, other], "start"),
    ([runs, runs], "wait"),
    ([runs, done], "wait"),
    ([runs, died], "torn"),
    ([runs, fresh], "torn"),
    ([runs, lost], "torn"),
    ([runs, other], "torn"),
    ([("running", "other", None)] * 2, "occupied"),
    ([done, done], "done"),
    ([done, died], "restart"),
    ([done, other], "restart"),
    ([bad, bad], "refused"),
    ([bad, died], "restart"),
    ([bad, lost], "restart"),
    ([stopped, stopped], "restart"),
    # The network was cut: each has lost the others.
    ([alone, alone], "restart"),
    ([alone, bad], "restart"),
    ([lost, lost], "restart"),
    ([done, fresh], "restart"),
  ):
    assert decide(seen(part, *states), "me") == action, states


class Script:
  """Looks that are told beforehand, and what was done at each."""

  def __init__(self, part, monkeypatch, looks):
    self.watch, self.looks = part("watch"), list(looks)
    self.did, self.slept, self.said = [], [], []
    monkeypatch.setattr(
      part("look"), "look", lambda shell, pod: self.looks.pop(0)
    )
    workers = part("workers")
    for name in ("setup", "start", "stop"):
      monkeypatch.setattr(
        workers, name, lambda *args, name=name: self.did.append(name)
      )
    monkeypatch.setattr(
      part("gcloud").Shell,
      "run",
      lambda shell, line, **how: self.did.append(line[4]),
    )

  def run(self, part, **patience):
    gcloud, workers = part("gcloud"), part("workers")
    self.job = workers.job_of(["--config=x"])
    self.watch.watch(
      gcloud.Shell(),
      gcloud.Pod("trec", "us-west4-a"),
      gcloud.Request("v5litepod-16", "v2"),
      archive=pathlib.Path("x"),
      arguments=["--config=x"],
      patience=self.watch.Patience(poll_seconds=7, **patience),
      sleep=self.slept.append,
      say=self.said.append,
    )


def test_the_back_off_doubles_until_the_job_runs(part, monkeypatch):
  # Dies if: the delay is constant, unbounded, or never goes back.
  job = part("workers").job_of(["--config=x"])
  died = seen(part, ("ended", job, 1))
  runs = seen(part, ("running", job, None))
  done = seen(part, ("ended", job, 0))
  script = Script(
    part, monkeypatch, [*[died] * 9, runs, died, died, runs, done]
  )
  script.run(part, backoff_seconds=60)
  delays = [60.0 * 2**n for n in range(6)] + [3600.0] * 3
  assert script.slept == [*delays, 7, 60.0, 120.0, 7]
  assert script.did == ["start"] * 11


def test_a_torn_job_is_stopped_and_started_again(part, monkeypatch):
  # Dies if: one worker's end is acted upon at once, or never.
  job = part("workers").job_of(["--config=x"])
  torn = seen(part, ("running", job, None), ("ended", job, 1))
  done = seen(part, ("ended", job, 0), ("ended", job, 0))
  script = Script(part, monkeypatch, [*[torn] * 4, done])
  script.run(part, grace_polls=3)
  assert script.did == ["stop", "start"]
  assert script.slept == [7, 7, 7, 120.0]


def test_what_can_not_be_reached_is_not_deleted(part, monkeypatch):
  # Dies if: a laptop without a way to ssh ends a running job.
  script = Script(part, monkeypatch, [seen(part, why="no route")] * 4)
  with pytest.raises(part("gcloud").LaunchError, match="may well be running"):
    script.run(part, grace_polls=3)
  assert script.did == [] and script.slept == [7, 7, 7]


def test_a_request_that_failed_says_why(cloud):
  cloud.plan(queue=["WAITING_FOR_RESOURCES", "FAILED"])
  done = cloud.launch(*WATCH, "--attempts=2", *JOB, check=False)
  assert done.returncode == 2
  assert "FAILED; no capacity in time" in done.stderr
  assert cloud.verbs().count("create") == 3


def test_ctrl_c_leaves_the_job_alone(cloud):
  process = subprocess.Popen(
    [sys.executable, str(cloud.launcher), *WATCH, *JOB],
    env=cloud.environment,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    # What a shell starts in the background ignores it.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )
  while not (cloud.home(1) / "gd_jax_job/pid").exists():
    time.sleep(0.02)
  process.send_signal(signal.SIGINT)
  _, err = process.communicate(timeout=120)
  assert process.returncode == 130, err
  assert "a running job goes on" in err
  cloud.wait_for_state("running")


def test_the_first_repair_waits_until_a_dead_runs_lease_is_void(part):
  # Dies if: the back-off is shorter, and a killed run's successor is refused.
  usual = part("watch").Patience()
  assert usual.backoff_seconds > leases.STALE_SECONDS + leases.BEAT_SECONDS
