#!/usr/bin/env bash
# torchrun that can be preempted and says how its ranks ended.
#
#   infra/torchrun.sh [torchrun's options] train_arc_tiny_corrupt.py experiment=arc1_dis
#
# torchrun returns 1 for every end but success, so that a scheduler cannot tell a saved run from a broken one. This returns
#   0 done   2 user error, do not retry   75 saved, start me again   70 a rank hung   130 interrupted
# or whatever else a rank of this node ended with. On SIGTERM and SIGUSR1 the ranks are asked to save and leave.
# Restarts in place (--max-restarts) remain torchrun's, save after a user error, which no restart mends.
#
# SAVE_SECONDS (240): time the ranks have to save and leave before they are killed; torchrun by itself gives 30.
# PYTHON (python): the interpreter of torchrun and of the ranks.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
save_seconds=${SAVE_SECONDS:-240}
WORKER_PYTHON=${PYTHON:-python}
WORKER_NOTES=$(mktemp -d)
LAUNCHER=$$
export WORKER_PYTHON WORKER_NOTES LAUNCHER
export PYTHON_EXEC=$here/worker.sh
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=$save_seconds
# torchrun dies of a SIGUSR1 that it does not handle; Slurm may send one to every process of a job step.
export PET_SIGNALS_TO_HANDLE=${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}
trap 'rm -rf "$WORKER_NOTES"' EXIT

torchrun=
asked=     # the signal that torchrun was sent
preempted= # the scheduler wants the machine back
deadline=

# At most once: further signals break into torchrun's waiting, and at the third it leaves its ranks behind.
# shellcheck disable=SC2329  # the traps call it
ask() {
  [[ -z $asked ]] || return 0
  asked=$1
  deadline=$((SECONDS + save_seconds))
  [[ -z $torchrun ]] || kill -"$asked" "$torchrun" 2>/dev/null || true
}
trap 'preempted=yes; ask TERM' TERM USR1
trap 'ask INT' INT
trap 'ask TERM' USR2

echo "infra/torchrun.sh: starting the ranks; torch is loaded twice, by the launcher and then by each rank" >&2
"$WORKER_PYTHON" "$here/elastic.py" "$@" &
torchrun=$!
[[ -z $asked ]] || kill -"$asked" "$torchrun"
while kill -0 "$torchrun" 2>/dev/null; do
  wait "$torchrun" || true # a signal that is trapped ends `wait` early
done
torchrun_code=0
wait "$torchrun" || torchrun_code=$?

# Each rank leads a process group, so it outlives a torchrun that was killed or signalled too often.
groups_left() {
  local note group
  for note in "$WORKER_NOTES"/*; do
    [[ -f $note ]] || continue
    read -r group _ <"$note" || continue
    if kill -0 -- "-$group" 2>/dev/null; then echo "$group"; fi
  done
}
tell() {
  local group
  for group in $(groups_left); do
    kill -"$1" -- "-$group" 2>/dev/null || true
  done
}
: "${deadline:=$((SECONDS + save_seconds))}"
[[ $asked == INT ]] || tell TERM
while [[ -n $(groups_left) ]] && ((SECONDS < deadline)); do
  sleep 0.2
done
tell KILL

((torchrun_code != 0)) || exit 0

# Of several ends, the one that decides. Ranks are stopped by torchrun (143) or lose their peers (1) because another left:
# after a preemption a rank that saved outweighs them, otherwise the rank that left by itself does.
weight() {
  case $1 in
    2) echo 9 ;;
    75) if [[ -n $preempted ]]; then echo 8; else echo 4; fi ;;
    0) echo 1 ;;
    143) echo 2 ;;
    137 | 138) echo 3 ;;
    *) echo 5 ;;
  esac
}
code=
heaviest=0
for note in "$WORKER_NOTES"/*; do
  [[ -f $note ]] || continue
  ended=
  read -r _ ended <"$note" || true
  ended=${ended:-137} # no code: killed together with its worker.sh
  if (($(weight "$ended") > heaviest)); then
    code=$ended
    heaviest=$(weight "$ended")
  fi
done
if [[ -n $preempted ]] && ((heaviest <= 3)) && [[ $code != 0 ]]; then
  code=75 # before there was anything to save, or too slow: the run goes on from its last checkpoint
fi
if [[ $code == 2 ]]; then
  echo "infra/torchrun.sh: not tried again, since the same command fails again; the lines above that begin with" \
    "'error' say what is wrong and what to do" >&2
fi
exit "${code:-$torchrun_code}"
