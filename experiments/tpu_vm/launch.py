# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs gd_jax on Cloud TPUs: one command on all workers of a pod.

Run: python experiments/tpu_vm/launch.py watch --name=trec --zone=us-west4-a \
  --accelerator_type=v5e-16 --workdir=gs://BUCKET/runs/trec \
  -- --config=configs/trec.py --config.data.allow_download
Needs nothing but Python and gcloud. README.md says more; --dry_run prints the
lines instead of calling them.
"""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import flags
import gcloud
import look
import source
import watch
import workers
from gcloud import LaunchError, Shell


def main(argv: Sequence[str]) -> int:
  """Runs the command line and returns the exit code.

  0: done. 2: bad input or gcloud failed, said in one line. 130: Ctrl-C.
  """
  try:
    args = flags.parse(argv)
    return _COMMANDS[args.command](args, Shell(args.dry_run))
  except LaunchError as error:
    print(f"launch: {error}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("launch: interrupted; a running job goes on", file=sys.stderr)
    return 130


def _say(shell: Shell, line: str) -> None:
  # In a dry run nothing has happened, and its output is to be pasted.
  if not shell.dry_run:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


@contextlib.contextmanager
def _packed(shell: Shell) -> Iterator[pathlib.Path]:
  """The checkout as a file, for as long as it is needed."""
  if shell.dry_run:
    yield source.pack(shell, pathlib.Path.cwd())
    return
  with tempfile.TemporaryDirectory(prefix="gd_jax_") as folder:
    yield source.pack(shell, pathlib.Path(folder))


def _create(args: argparse.Namespace, shell: Shell) -> int:
  shell.run(gcloud.create(flags.pod(args), flags.request(args)))
  _say(shell, f"asked for {args.name}; `launch.py status` tells when it is")
  return 0


def _setup(args: argparse.Namespace, shell: Shell) -> int:
  with _packed(shell) as archive:
    workers.setup(shell, flags.pod(args), archive)
  _say(shell, f"gd_jax is installed on all workers of {args.name}")
  return 0


def _run(args: argparse.Namespace, shell: Shell) -> int:
  workers.start(shell, flags.pod(args), flags.arguments(args))
  _say(
    shell,
    f"it runs on all workers of {args.name}, whether or not this machine "
    "does; `launch.py logs` follows it",
  )
  return 0


def _watch(args: argparse.Namespace, shell: Shell) -> int:
  pod, request = flags.pod(args), flags.request(args)
  with _packed(shell) as archive:
    what = {"archive": archive, "arguments": flags.arguments(args)}
    if shell.dry_run:
      watch.plan(shell, pod, request, **what)
    else:
      watch.watch(
        shell,
        pod,
        request,
        **what,
        patience=flags.patience(args),
        say=lambda line: _say(shell, line),
      )
  if args.delete_when_done:
    shell.run(gcloud.delete(pod))
    _say(shell, f"{args.name} is deleted; `launch.py fetch` copies the results")
  else:
    _say(
      shell,
      "done; `launch.py fetch` copies the results, and `launch.py delete` "
      "ends the bill",
    )
  return 0


def _logs(args: argparse.Namespace, shell: Shell) -> int:
  line = workers.logs(
    flags.pod(args),
    worker=str(args.worker),
    lines=args.lines,
    follow=args.follow,
  )
  return shell.show(line)


def _status(args: argparse.Namespace, shell: Shell) -> int:
  pod = flags.pod(args)
  if shell.dry_run:
    look.plan(shell, pod)
    return 0
  seen = look.look(shell, pod)
  if not seen.state:
    raise LaunchError(
      f"there is no {args.name} in {args.zone}: `launch.py create` asks for it"
    )
  print(f"queued resource: {seen.state} {seen.why}".rstrip())
  if seen.state == "ACTIVE":
    print(f"node: {seen.node or 'missing'}, {seen.num_workers} workers")
  for worker in seen.workers or ():
    print(workers.describe(worker))
  return 0


def _stop(args: argparse.Namespace, shell: Shell) -> int:
  for worker in workers.stop(shell, flags.pod(args)):
    print(workers.describe(worker))
  return 0


def _fetch(args: argparse.Namespace, shell: Shell) -> int:
  # gcloud wants the target to exist.
  if shell.dry_run:
    shell.run(["mkdir", "-p", str(args.to)])
  else:
    try:
      args.to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise LaunchError(
        f"--to={args.to} can't be made ({error.strerror}): name another folder"
      ) from error
  shell.run(gcloud.rsync(args.workdir, str(args.to)), echo=True)
  _say(shell, f"{args.workdir} is copied to {args.to}")
  return 0


def _delete(args: argparse.Namespace, shell: Shell) -> int:
  shell.run(gcloud.delete(flags.pod(args)))
  _say(shell, f"{args.name} is deleted; what is in the bucket stays")
  return 0


_COMMANDS = {
  "create": _create,
  "setup": _setup,
  "run": _run,
  "watch": _watch,
  "logs": _logs,
  "status": _status,
  "stop": _stop,
  "fetch": _fetch,
  "delete": _delete,
}


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
