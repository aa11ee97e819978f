#!/bin/bash
# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
#
# What each worker of a TPU VM does: setup | start ARGUMENTS | status | stop.
# It answers by one line, gd_jax-worker HOST STATE JOB EXIT_CODE LAST_LINE,
# where JOB is the start of a digest of the arguments and LAST_LINE, of the
# log, is in base64; a hyphen stands for nothing. Having answered it ends well:
# whatever else gcloud tells of is its own trouble. Files in ~/gd_jax_job:
#   lock       held by the job: when it dies, in whatever way, it lets go
#   log        what it prints, appended by every start
#   id, pid    of the last start
#   exit_code  of the last start, once it has ended
set -uo pipefail

script=$(realpath "$0")
job="$HOME/gd_jax_job"
environment="$HOME/gd_jax_env"
python="$environment/bin/python"
ready="$environment/.gd_jax_ready"
mkdir -p "$job"

answer() { # STATE [EXIT_CODE] [LAST_LINE]
  printf 'gd_jax-worker %s %s %s %s %s\n' "$(hostname)" "$1" \
    "$(cat "$job/id" 2>/dev/null || echo -)" "${2:--}" \
    "$(printf '%s' "${3:--}" | base64 -w 0)"
}

is_running() { ! flock --nonblock "$job/lock" true; }

setup() {
  rm -f "$ready"
  PATH="$HOME/.local/bin:$PATH"
  # The images' own Python is too old; uv brings one.
  { command -v uv || curl -LsSf https://astral.sh/uv/install.sh | sh; } >&2 &&
    { [ -x "$python" ] || uv venv --python 3.12 "$environment"; } >&2 &&
    uv pip install --python "$python" --editable "$HOME/gd_jax[tpu,gcs]" >&2 &&
    touch "$ready"
  local code=$?
  if [ $code -ne 0 ]; then
    answer setup_failed $code
    return 0
  fi
  answer setup_done
}

start() { # ARGUMENTS of gd_jax.main
  if [ ! -e "$ready" ]; then
    answer no_setup
    return 0
  fi
  exec 9>"$job/lock"
  # Not at once: `status` holds the lock, too, for a moment.
  if ! flock --timeout 2 9; then
    answer running
    return 0
  fi
  rm -f "$job/exit_code" "$job/pid"
  printf '%s\n' "$@" | sha256sum | cut -c 1-12 >"$job/id"
  # In a session of its own, and with nothing of the connection open, it lives
  # on when the connection ends. It inherits the lock.
  setsid nohup bash "$script" work "$@" >>"$job/log" 2>&1 </dev/null &
  answer started
}

work() {
  cd "$HOME/gd_jax" || return 1
  # Were the TPU not to be had, JAX would go on, slowly, by the CPU.
  export JAX_PLATFORMS="${JAX_PLATFORMS:-tpu,cpu}" PYTHONUNBUFFERED=1
  echo "$(date -u +%FT%TZ): $python -m gd_jax.main $*"
  "$python" -m gd_jax.main "$@" &
  local child=$! interrupted code
  echo $child >"$job/pid"
  # A machine that shuts down tells this shell; the program is to save.
  trap 'interrupted=1; kill -TERM $child 2>/dev/null' TERM INT HUP
  while :; do
    interrupted=0
    wait $child
    code=$?
    [ $interrupted -eq 1 ] || break
  done
  echo $code >"$job/exit_code.new"
  mv "$job/exit_code.new" "$job/exit_code"
}

status() {
  local last
  last=$(tail -n 1 "$job/log" 2>/dev/null | tr '\r' '\n' | tail -n 1 |
    cut -c 1-300)
  if is_running; then
    answer running - "$last"
  elif [ -e "$job/exit_code" ]; then
    answer ended "$(cat "$job/exit_code")" "$last"
  elif [ -e "$job/id" ]; then
    answer lost - "$last"
  elif [ -e "$ready" ]; then
    answer ready
  else
    answer no_setup
  fi
}

stop() {
  local tries
  for tries in {1..50}; do
    # Just started, it has not said its number yet.
    is_running && [ ! -e "$job/pid" ] || break
    sleep 0.1
  done
  if is_running; then
    kill -TERM "$(cat "$job/pid")"
    # It saves first.
    flock --timeout 300 "$job/lock" true
  fi
  status
}

"$@"
