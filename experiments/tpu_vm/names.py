# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What may be said on the command line, checked before anything is called.

Each function returns its argument as gcloud wants it, or raises an
`argparse.ArgumentTypeError` that says what is wrong with it.
"""

import argparse
import re

# https://cloud.google.com/tpu/docs/runtimes: each has Ubuntu and a driver;
# Python and JAX are brought along.
_RUNTIMES = {
  "v5litepod": "v2-alpha-tpuv5-lite",
  "v5p": "v2-alpha-tpuv5",
  "v6e": "v2-alpha-tpuv6e",
}
_OLD_RUNTIME = "tpu-ubuntu2204-base"


def pod(text: str) -> str:
  """A name of a queued resource and of its node."""
  if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", text):
    raise argparse.ArgumentTypeError(
      f"{text!r} is no name: lower-case letters, digits and hyphens, at most "
      "63, a letter first and no hyphen last"
    )
  return text


def zone(text: str) -> str:
  """A zone such as europe-west4-b."""
  if not re.fullmatch(r"[a-z]+-[a-z]+\d+-[a-z]", text):
    raise argparse.ArgumentTypeError(
      f"{text!r} is no zone: try one like us-central2-b or europe-west4-b"
    )
  return text


def project(text: str) -> str:
  """A project's id, perhaps with a domain before it."""
  if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", text):
    raise argparse.ArgumentTypeError(
      f"{text!r} is no project id: `gcloud projects list` shows yours"
    )
  return text


def accelerator_type(text: str) -> str:
  """A TPU version and its number of cores or chips; v5e is gcloud's v5litepod.

  Example:
    v4-32, v5e-16, v5p-8, v6e-64
  """
  found = re.fullmatch(r"(v\d+[a-z]*)-([1-9]\d*)", text.lower())
  if not found:
    raise argparse.ArgumentTypeError(
      f"{text!r} is no accelerator type: try one like v5e-16, v4-32 or v6e-8"
    )
  version, size = found.groups()
  return f"{'v5litepod' if version == 'v5e' else version}-{size}"


def runtime_version(accelerator: str) -> str:
  """The software version that fits an accelerator type."""
  return _RUNTIMES.get(accelerator.partition("-")[0], _OLD_RUNTIME)


def bucket_folder(text: str) -> str:
  """A folder in a bucket: gs://BUCKET/FOLDER."""
  if not re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]+[a-z0-9]/[^/\s].*", text):
    raise argparse.ArgumentTypeError(
      f"{text!r} is no folder in a bucket: try gs://BUCKET/runs/trec, which "
      "all workers see and which outlives them"
    )
  return text.rstrip("/")


def positive(text: str) -> float:
  """A number above zero."""
  try:
    number = float(text)
  except ValueError:
    number = 0.0
  if not 0 < number < float("inf"):
    raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
  return number


def count(text: str) -> int:
  """A whole number, zero or above."""
  if not text.isdecimal():
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
  return int(text)
