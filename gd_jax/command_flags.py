# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The flags of `main` together: what they are, and which would do nothing."""

from collections.abc import Sequence

from absl import flags

from gd_jax import __version__
from gd_jax.errors import UserError

# Flags that are of no use to a work other than running the pipeline.
_IDLE = {
  "verify": ("redo", "reuse", "profile"),
  "dry_run": ("phases", "redo", "reuse", "profile"),
  "sweep": (),
}
_HELP = frozenset({"--help", "-help", "-h", "--helpfull"})


def answer(values: flags.FlagValues, arguments: Sequence[str]) -> str | None:
  """What --help or --version asks for; None if neither is there."""
  if "--version" in arguments:
    return __version__
  return None if _HELP.isdisjoint(arguments) else _usage(values)


def _usage(values: flags.FlagValues) -> str:
  # By one of them: absl has its own name for a module that is run by `-m`.
  module = str(values.find_module_defining_flag("workdir"))
  lines = [
    f"  --{flag.name}: {' '.join(flag.help.split())}"
    for flag in values.flags_by_module_dict()[module]
  ]
  return "\n".join(
    [
      "gd-jax --config=FILE.py --workdir=FOLDER [--config.FIELD=VALUE ...]",
      "",
      *sorted(lines),
      "",
      "The fields of a config are in docs/configs.md.",
    ]
  )


def refuse_idle(values: flags.FlagValues) -> None:
  """A flag that would do nothing was given for a reason.

  Raises:
    UserError: There is one.
  """
  works = [name for name in _IDLE if values[name].value]
  if len(works) > 1:
    raise UserError(
      f"--{works[0]} and --{works[1]} are two kinds of work: give one of them"
    )
  for name in _IDLE[works[0]] if works else ():
    if values[name].value:
      raise UserError(f"--{works[0]} has no use for --{name}: leave it out")
  if values["devices"].present and not values["dry_run"].value:
    raise UserError("--devices does nothing without --dry_run: add it")
