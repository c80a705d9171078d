#!/usr/bin/env bash
# One rank of infra/torchrun.sh, started by torchrun in the place of Python: runs Python and writes down how it ended,
# in the file of its local rank: "<process group>", then "<process group> <exit code>".
set -euo pipefail

# torchrun signals the whole process group. Python decides what a signal means; this shell has only to outlive it.
stopped=
trap 'stopped=yes' TERM
trap : USR1 INT HUP QUIT

note=$WORKER_NOTES/$LOCAL_RANK
echo "$$" >"$note"
code=0
"$WORKER_PYTHON" "$@" || code=$?
echo "$$ $code" >"$note"

# What the user got wrong stays wrong: torchrun is stopped before it sees the exit and starts the ranks again.
if ((code == 2)); then
  kill -USR2 "$LAUNCHER"
  for _ in {1..100}; do
    [[ -z $stopped ]] || break
    sleep 0.1
  done
fi
exit "$code"
