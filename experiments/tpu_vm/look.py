# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One look at a pod: the request's, the node's and the workers' state.

The request's states are those of
https://cloud.google.com/tpu/docs/queued-resources, the node's those of
https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.nodes.
"""

import dataclasses

import gcloud
import workers
from gcloud import LaunchError, Pod, Shell
from workers import Worker

# "": while the request still says ACTIVE, its node can be gone already.
NODE_GONE = ("", "PREEMPTED", "TERMINATED")


@dataclasses.dataclass(frozen=True)
class Seen:
  """What one look found.

  Attributes:
    state: of the queued resource; "": there is none.
    why: what it says about a failure.
    node: state of the node; "": there is none.
    num_workers: how many it has.
    workers: their answers; None: they were not asked, or not all answered.
  """

  state: str
  why: str = ""
  node: str = ""
  num_workers: int = 0
  workers: tuple[Worker, ...] | None = None


def look(shell: Shell, pod: Pod) -> Seen:
  """Asks for the request's, the node's and the workers' state.

  Raises:
    LaunchError: gcloud does not answer.
  """
  request = _described(shell, gcloud.describe(pod))
  state = request.get("state", {})
  name = state.get("state", "")
  error = state.get("failedData", {}).get("error", {}).get("message", "")
  if name != "ACTIVE":
    return Seen(name, why=error)
  node = _described(shell, gcloud.describe_node(pod))
  seen = Seen(name, "", node.get("state", ""), workers.count_of(node))
  if seen.node in NODE_GONE:
    return seen
  try:
    found = tuple(workers.status(shell, pod))
  except LaunchError as error:
    return dataclasses.replace(seen, why=str(error))
  is_whole = len(found) == seen.num_workers > 0
  return dataclasses.replace(seen, workers=found if is_whole else None)


def _described(shell: Shell, command: list[str]) -> dict:
  try:
    return shell.json(command)
  except LaunchError as error:
    if error.word == "NOT_FOUND":
      return {}
    raise


def plan(shell: Shell, pod: Pod) -> None:
  """In a dry run: the lines that `look` may come to call."""
  shell.run(gcloud.describe(pod))
  shell.run(gcloud.describe_node(pod))
  workers.status(shell, pod)


def tell(seen: Seen) -> str:
  """What was seen, in one line."""
  if not seen.state:
    return "there is no such queued resource"
  parts = [seen.state]
  if seen.state == "ACTIVE":
    parts.append(f"node {seen.node or 'missing'}")
  if seen.why:
    parts.append(seen.why)
  for worker in seen.workers or ():
    # A running job's last line changes all the time.
    is_over = worker.state in ("ended", "lost", "setup_failed")
    shown = worker if is_over else dataclasses.replace(worker, last_line="")
    parts.append(workers.describe(shown))
  return "; ".join(parts)
