# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The checkout as one file, to be copied to the workers."""

import pathlib

import gcloud

ROOT = pathlib.Path(__file__).parents[2]


def pack(shell: gcloud.Shell, folder: pathlib.Path) -> pathlib.Path:
  """Writes what is committed into `folder`; says so if there is more.

  Raises:
    LaunchError: this is not a checkout of git's.
  """
  archive = folder / "gd_jax.tar.gz"
  if not shell.dry_run:
    _warn_of_changes(shell)
  shell.run(
    [
      *("git", "-C", str(ROOT), "archive", "--format=tar.gz"),
      *(f"--output={archive}", "HEAD"),
    ]
  )
  return archive


def _warn_of_changes(shell: gcloud.Shell) -> None:
  look = ["git", "-C", str(ROOT), "status", "--porcelain"]
  changed = [line[3:] for line in shell.run(look).splitlines()]
  if changed:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    print(
      f"NOT sent, because not committed: {changed[0]}{more}. Workers get what "
      "is committed",
      flush=True,
    )
