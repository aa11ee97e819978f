# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Takes the numbers of the general model: how it learned to foretell text.

Run: python -m experiments.paper.general_model FOLDER
FOLDER is the model's own, which the generator phase names when it begins; it
lies in generator.pretrain_dir. Writes results/general/TOKENS.json, named after
how many its training was to read: numbers, no text.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from etils import epath

from gd_jax import artefacts
from gd_jax.errors import UserError
from gd_jax.training import pretraining

OUT = pathlib.Path(__file__).parent / "results/general"
_PERPLEXITY = f"{pretraining.NAME}/heldout/perplexity"


def collect(folder: pathlib.Path) -> dict[str, Any]:
  """Its settings, summary and held-out perplexities.

  Returns:
    {"settings", "summary", "seconds", "versions", "recipe": what else decided
    it, its products' type among them}, "tokens": how many its training was to
    read, and "curve": of each evaluation {"tokens": read so far, "all":
    perplexity, DOMAIN: perplexity}.

  Raises:
    UserError: There is no finished general model.
  """
  manifest = artefacts.read_manifest(epath.Path(folder))
  if manifest is None or "pretrain" not in manifest["config"]:
    raise UserError(f"{folder} holds no finished general model")
  settings = manifest["config"]["pretrain"]
  of_a_step = settings["batch_size"] * settings["row_tokens"]
  curve = []
  for line in (folder / "metrics.jsonl").read_text().splitlines():
    row = json.loads(line)
    curve.append(
      {"tokens": row["step"] * of_a_step}
      | {
        name.removeprefix(_PERPLEXITY).lstrip("_") or "all": value
        for name, value in row.items()
        if name.startswith(_PERPLEXITY)
      }
    )
  recipe = manifest["config"]
  return {
    "settings": settings,
    "recipe": {name: recipe[name] for name in recipe if name != "pretrain"},
    "tokens": settings["max_steps"] * of_a_step,
    "summary": artefacts.read_json(epath.Path(folder) / "summary.json"),
    "curve": curve,
    "seconds": manifest["seconds"],
    "versions": manifest["versions"],
  }


def main(argv: Sequence[str] | None = None, *, out: pathlib.Path = OUT) -> int:
  """Returns the exit code: 2 for bad input, said in one line."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("folder", type=pathlib.Path)
  args = parser.parse_args(argv)
  try:
    found = collect(args.folder)
  except (UserError, OSError) as error:
    print(f"Error: {error}", file=sys.stderr)
    return 2
  out.mkdir(parents=True, exist_ok=True)
  text = json.dumps(found, indent=1, sort_keys=True) + "\n"
  artefacts.write_atomic(out / f"{found['tokens']}.json", text)
  return 0


if __name__ == "__main__":
  sys.exit(main())
