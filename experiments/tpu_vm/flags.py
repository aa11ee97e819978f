# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line of launch.py: every word is checked here, first."""

import argparse
import pathlib
from collections.abc import Sequence

import names
import watch
from gcloud import LaunchError, Pod, Request

# What the launcher itself gives to gd_jax.main.
_OWN = ("workdir", "distributed", "coordinator", "num_processes", "process_id")


def parse(argv: Sequence[str]) -> argparse.Namespace:
  """The launcher's flags; `passed` is what stands behind `--`.

  Raises:
    LaunchError: says in one line what is wrong.
  """
  place = list(argv).index("--") if "--" in argv else len(argv)
  args = _parser().parse_args(argv[:place])
  args.passed = list(argv[place + 1 :])
  if args.command in ("run", "watch"):
    _require_arguments(args.passed)
  elif args.passed:
    raise LaunchError(f"{args.command} passes nothing on: {args.passed[0]!r}?")
  return args


def pod(args: argparse.Namespace) -> Pod:
  """Which pod is meant."""
  return Pod(args.name, args.zone, args.project)


def request(args: argparse.Namespace) -> Request:
  """What is to be asked for."""
  return Request(
    args.accelerator_type,
    args.runtime_version or names.runtime_version(args.accelerator_type),
    spot=args.spot,
    service_account=args.service_account,
    network=args.network,
    subnetwork=args.subnetwork,
    valid_until_duration=args.valid_until_duration,
  )


def arguments(args: argparse.Namespace) -> list[str]:
  """What gd_jax.main is called with on every worker."""
  return [*args.passed, f"--workdir={args.workdir}", "--distributed"]


def patience(args: argparse.Namespace) -> watch.Patience:
  """How often and how long things are tried."""
  return watch.Patience(args.attempts, args.poll_seconds, args.backoff_seconds)


def _require_arguments(passed: Sequence[str]) -> None:
  given = [argument.lstrip("-").partition("=")[0] for argument in passed]
  if "config" not in given:
    raise LaunchError(
      "what shall run is missing: ... -- --config=configs/trec.py"
    )
  for name in _OWN:
    if name in given:
      raise LaunchError(
        f"--{name} stands behind the --: the launcher passes it on by itself"
      )


class _Parser(argparse.ArgumentParser):
  """Says what is wrong in one line, like gd_jax.main."""

  def error(self, message: str):
    raise LaunchError(f"{message} (see --help)")


def _parser() -> argparse.ArgumentParser:
  parser = _Parser(prog="launch.py", allow_abbrev=False)
  kinds = parser.add_subparsers(dest="command", required=True)
  for name, (help_, parts) in _HELP.items():
    kind = kinds.add_parser(name, help=help_, allow_abbrev=False)
    kind.add_argument(
      "--dry_run", action="store_true", help="print the lines, call nothing"
    )
    for part in parts:
      _FLAGS[part](kind)
  return parser


def _pod_flags(kind: argparse.ArgumentParser) -> None:
  kind.add_argument("--name", type=names.pod, required=True)
  kind.add_argument("--zone", type=names.zone, required=True)
  kind.add_argument(
    "--project", type=names.project, help="gcloud's own by default"
  )


def _request_flags(kind: argparse.ArgumentParser) -> None:
  kind.add_argument(
    "--accelerator_type",
    type=names.accelerator_type,
    required=True,
    help="such as v5e-16",
  )
  kind.add_argument("--runtime_version", help="the type's own by default")
  kind.add_argument(
    "--spot",
    action=argparse.BooleanOptionalAction,
    default=True,
    help="much cheaper, may be taken away at any time",
  )
  kind.add_argument("--service_account", help="who the workers are")
  kind.add_argument("--network")
  kind.add_argument("--subnetwork")
  kind.add_argument(
    "--valid_until_duration", help="leave the queue after, such as 6h"
  )


def _workdir_flag(kind: argparse.ArgumentParser) -> None:
  kind.add_argument(
    "--workdir",
    type=names.bucket_folder,
    required=True,
    help="a folder in a bucket: gs://BUCKET/runs/trec",
  )


def _patience_flags(kind: argparse.ArgumentParser) -> None:
  usual = watch.Patience()
  kind.add_argument("--attempts", type=names.count, default=usual.attempts)
  for name in ("poll_seconds", "backoff_seconds"):
    kind.add_argument(
      f"--{name}", type=names.positive, default=getattr(usual, name)
    )
  kind.add_argument(
    "--delete_when_done", action="store_true", help="end the bill, too"
  )


def _log_flags(kind: argparse.ArgumentParser) -> None:
  kind.add_argument("--worker", type=names.count, default=0)
  kind.add_argument("--lines", type=names.count, default=50)
  kind.add_argument(
    "--follow", action=argparse.BooleanOptionalAction, default=True
  )


def _to_flag(kind: argparse.ArgumentParser) -> None:
  kind.add_argument("--to", type=pathlib.Path, required=True)


_FLAGS = {
  "pod": _pod_flags,
  "request": _request_flags,
  "workdir": _workdir_flag,
  "patience": _patience_flags,
  "log": _log_flags,
  "to": _to_flag,
}
_HELP = {
  "create": ("ask for a pod", ("pod", "request")),
  "setup": ("install gd_jax on all workers", ("pod",)),
  "run": ("start gd_jax on all workers", ("pod", "workdir")),
  "watch": (
    "create, setup and run, again after each pre-emption, until it is done",
    ("pod", "request", "workdir", "patience"),
  ),
  "logs": ("show a worker's log as it grows", ("pod", "log")),
  "status": ("what the pod and the job do", ("pod",)),
  "stop": ("have the job save and end", ("pod",)),
  "fetch": ("copy the workdir here", ("workdir", "to")),
  "delete": ("give the pod back", ("pod",)),
}
