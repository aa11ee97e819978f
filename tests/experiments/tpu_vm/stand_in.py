# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for gcloud: knows the commands used, and answers as it does.

Messages, exit codes and what happens with several workers follow the Google
Cloud CLI 528.0.0, general release. The cloud is a folder, $STAND_IN:

  calls.jsonl   each call: {"command": [...], "flags": {...}, "words": [...]}
  plan.json     {"workers": n, "queue": [states before ACTIVE],
                "lives": [looks at an ACTIVE one until its pre-emption, by
                creation; null or none: for ever],
                "lag": looks for which the request of a pre-empted one says
                ACTIVE still,
                "fail": {"create": ["MESSAGE", ...], ...}, one by one}
  pods/NAME/    state.json and home-0, home-1, ...: where --command is run
  buckets/      gs://
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from typing import Any

from documented import FLAGS, NEEDED

_CLOUD = pathlib.Path(os.environ["STAND_IN"])
_PROJECT = "my-project"


def main(argv: list[str]) -> int:
  command = next(
    (name for name in FLAGS if argv[: len(name.split())] == name.split()), None
  )
  if command is None:
    return _usage(
      "gcloud", f"Invalid choice: '{next(iter(argv), '')}'.\nMaybe you meant:"
    )
  flags, words = _read(command, argv[len(command.split()) :])
  with (_CLOUD / "calls.jsonl").open("a") as file:
    call = {"command": command, "flags": flags, "words": words}
    file.write(json.dumps(call) + "\n")
  dotted = "gcloud." + command.replace(" ", ".")
  for flag in NEEDED.get(command, []):
    if flag not in flags:
      return _usage(dotted, f"argument {flag}: Must be specified.")
  planned = _plan("fail", {}).get(command.split()[-1], [])
  if planned:
    _change_plan("fail", command.split()[-1], planned[1:])
    if planned[0]:
      return _error(dotted, planned[0])
  return _COMMANDS[command](dotted, flags, words)


def _read(command: str, argv: list[str]) -> tuple[dict[str, Any], list[str]]:
  known, flags, words, unknown = FLAGS[command], {}, [], []
  rest = list(argv)
  while rest:
    word = rest.pop(0)
    if not word.startswith("-"):
      words.append(word)
      continue
    name, has_value, value = word.partition("=")
    if name not in known or (has_value and not known[name]):
      unknown.append(word)
    elif known[name]:
      flags[name] = value if has_value else rest.pop(0)
    else:
      flags[name] = True
  if unknown:
    dotted = "gcloud." + command.replace(" ", ".")
    sys.exit(_usage(dotted, "unrecognized arguments: " + " ".join(unknown)))
  return flags, words


def _usage(where: str, message: str) -> int:
  print(f"ERROR: ({where}) {message}\n", file=sys.stderr)
  print("To search the help text of gcloud commands, run:", file=sys.stderr)
  print("  gcloud help -- SEARCH_TERMS", file=sys.stderr)
  return 2


def _error(where: str, message: str) -> int:
  print(f"ERROR: ({where}) {message}", file=sys.stderr)
  return 1


def _plan(name: str, default: Any) -> Any:
  path = _CLOUD / "plan.json"
  plan = json.loads(path.read_text()) if path.exists() else {}
  return plan.get(name, default)


def _change_plan(name: str, key: str, value: Any) -> None:
  path = _CLOUD / "plan.json"
  plan = json.loads(path.read_text())
  plan[name][key] = value
  path.write_text(json.dumps(plan))


def _folder(name: str) -> pathlib.Path:
  return _CLOUD / "pods" / name


def _load(name: str) -> dict[str, Any] | None:
  path = _folder(name) / "state.json"
  return json.loads(path.read_text()) if path.exists() else None


def _save(name: str, pod: dict[str, Any]) -> None:
  _folder(name).mkdir(parents=True, exist_ok=True)
  (_folder(name) / "state.json").write_text(json.dumps(pod))


def _missing(where: str, flags, kind: str, name: str) -> int:
  path = f"projects/{_PROJECT}/locations/{flags['--zone']}/{kind}/{name}"
  return _error(where, f"NOT_FOUND: Resource '{path}' was not found")


def _create(where: str, flags, words) -> int:
  name = words[0]
  if _load(name):
    return _error(where, f"ALREADY_EXISTS: Resource '{name}' already exists")
  counter = _CLOUD / "created"
  born = int(counter.read_text()) if counter.exists() else 0
  counter.write_text(str(born + 1))
  lives = _plan("lives", [])
  pod = {
    "states": [*_plan("queue", ["WAITING_FOR_RESOURCES", "PROVISIONING"])],
    "looks_left": lives[born] if born < len(lives) else None,
    "lag": _plan("lag", 0),
    "flags": flags,
  }
  _save(name, pod)
  print(f"Create request issued for: [{name}]", file=sys.stderr)
  print(f"Created queued resource [{name}].", file=sys.stderr)
  return 0


def _make_home(home: pathlib.Path, number: int) -> None:
  bin_ = home / ".bin"
  bin_.mkdir(parents=True)
  programs = {
    "hostname": f"echo t1v-n-0a1b2c3d-w-{number}",
    # Installs a Python that is the test's program.
    "uv": 'echo "uv $*" >> ~/uv_calls\n'
    'if [ "$1" = venv ]; then env="${@: -1}"; mkdir -p "$env/bin"; '
    'printf \'#!/bin/bash\\nexec bash "$STAND_IN/program.sh" "$@"\\n\' '
    '> "$env/bin/python"; chmod +x "$env/bin/python"; fi\n'
    '[ ! -e "$STAND_IN/uv_fails" ]',
  }
  for name, text in programs.items():
    (bin_ / name).write_text(f"#!/bin/bash\n{text}\n")
    (bin_ / name).chmod(0o755)


def _state(name: str, pod: dict[str, Any]) -> tuple[str, str]:
  """The request's and the node's state, without looking."""
  if pod["states"]:
    return pod["states"][0], ""
  if pod["looks_left"] is None or pod["looks_left"] >= 0:
    return "ACTIVE", "READY"
  if pod["looks_left"] >= -pod["lag"]:
    return "ACTIVE", "PREEMPTED"
  is_going = pod["looks_left"] == -pod["lag"] - 1
  return ("SUSPENDING" if is_going else "SUSPENDED"), ""


def _describe(where: str, flags, words) -> int:
  name = words[0]
  pod = _load(name)
  if pod is None:
    return _missing(where, flags, "queuedResources", name)
  if not pod["states"] and pod["looks_left"] is not None:
    pod["looks_left"] -= 1
  state, node = _state(name, pod)
  if node != "READY":
    _end_machines(name)
  if pod["states"] and state != "FAILED":
    pod["states"].pop(0)
    if not pod["states"]:
      for number in range(_plan("workers", 2)):
        _make_home(_folder(name) / f"home-{number}", number)
  _save(name, pod)
  place = f"projects/{_PROJECT}/locations/{flags['--zone']}"
  details = {"state": state}
  if state == "FAILED":
    details["failedData"] = {
      "error": {"code": 8, "message": "no capacity in time"}
    }
  node = {
    "acceleratorType": pod["flags"]["--accelerator-type"],
    "runtimeVersion": pod["flags"]["--runtime-version"],
    "schedulingConfig": {"spot": True},
  }
  spec = {"node": node, "nodeId": pod["flags"]["--node-id"], "parent": place}
  answer = {
    "createTime": "2026-01-01T00:00:00Z",
    "name": f"{place}/queuedResources/{name}",
    "spot": {},
    "state": details,
    "tpu": {"nodeSpec": [spec]},
  }
  return _print(flags, answer)


def _print(flags, answer: dict[str, Any]) -> int:
  if flags.get("--format") != "json":
    print("name:", answer["name"])
    return 0
  print(json.dumps(answer, indent=2))
  return 0


def _describe_node(where: str, flags, words) -> int:
  name = words[0]
  pod = _load(name)
  node = _state(name, pod)[1] if pod else ""
  if not node:
    return _missing(where, flags, "nodes", name)
  addresses = range(_plan("workers", 2))
  answer = {
    "health": "HEALTHY",
    "name": f"projects/{_PROJECT}/locations/{flags['--zone']}/nodes/{name}",
    "networkEndpoints": [{"ipAddress": f"10.0.0.{n}"} for n in addresses],
    "state": node,
  }
  return _print(flags, answer)


def _delete(where: str, flags, words) -> int:
  name = words[0]
  pod = _load(name)
  if pod is None:
    return _missing(where, flags, "queuedResources", name)
  if _state(name, pod)[0] == "ACTIVE" and "--force" not in flags:
    return _error(where, "FAILED_PRECONDITION: it has nodes; use --force")
  _end_machines(name)
  shutil.rmtree(_folder(name))
  print(f"Deleted queued resource [{name}].", file=sys.stderr)
  return 0


def _end_machines(name: str) -> None:
  """Kills what runs in the homes, and only that, and empties them."""
  for home in _folder(name).glob("home-*"):
    mark = f"HOME={home}".encode()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
      try:
        if mark in (process / "environ").read_bytes().split(b"\0"):
          os.kill(int(process.name), signal.SIGKILL)
      except OSError:
        continue
    shutil.rmtree(home)


def _homes(where: str, flags, name: str) -> list[tuple[int, pathlib.Path]]:
  pod = _load(name)
  node = _state(name, pod)[1] if pod else ""
  if not node:
    sys.exit(_missing(where, flags, "nodes", name))
  if node != "READY":
    sys.exit(
      _error(
        where,
        f"This TPU has state {node}, so it cannot be used. Please delete it "
        "and create a new one",
      )
    )
  found = range(_plan("workers", 2))
  chosen = flags.get("--worker", "0")
  numbers = found if chosen == "all" else [int(chosen)]
  return [(number, _folder(name) / f"home-{number}") for number in numbers]


def _ssh(where: str, flags, words) -> int:
  homes = _homes(where, flags, words[0])
  print(
    "Using ssh batch size of 1. Attempting to SSH into 1 nodes with a total "
    f"of {len(homes)} workers.",
    file=sys.stderr,
  )
  codes = []
  for number, home in homes:
    print(
      f"SSH: Attempting to connect to worker {number}...",
      file=sys.stderr,
      flush=True,
    )
    path = f"{home / '.bin'}:{os.environ['PATH']}"
    done = subprocess.run(
      ["bash", "-c", flags["--command"]],
      cwd=home,
      env={
        "HOME": str(home),
        "PATH": path,
        "STAND_IN": str(_CLOUD),
        "JAX_PLATFORMS": "cpu",
      },
      stdin=subprocess.DEVNULL,
    )
    codes.append(done.returncode)
    if done.returncode and len(homes) > 1:
      print(
        f"##### Command execution on worker {number} failed with exit status "
        f"{done.returncode}. Continuing.",
        file=sys.stderr,
      )
  return next((code for code in codes if code), 0)


def _scp(where: str, flags, words) -> int:
  source, target = words
  name, _, _ = target.partition(":")
  for _, home in _homes(where, flags, name):
    shutil.copy(source, home)
  return 0


def _rsync(where: str, flags, words) -> int:
  source, target = words
  folder = _CLOUD / "buckets" / source.removeprefix("gs://")
  if not folder.is_dir():
    return _error(where, f"Did not find existing container at: {source}")
  if not pathlib.Path(target).is_dir():
    return _error(where, f"Did not find existing container at: {target}")
  shutil.copytree(folder, target, dirs_exist_ok=True)
  return 0


_COMMANDS = {
  "compute tpus queued-resources create": _create,
  "compute tpus queued-resources describe": _describe,
  "compute tpus queued-resources delete": _delete,
  "compute tpus tpu-vm describe": _describe_node,
  "compute tpus tpu-vm ssh": _ssh,
  "compute tpus tpu-vm scp": _scp,
  "storage rsync": _rsync,
}

if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
