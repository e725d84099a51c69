#!/usr/bin/env bash
# Killed at any moment and called again: the same files as undisturbed. Interrupted: 130.
source "$(dirname "$0")/attn-rank-support.sh"

# stopped SIGNAL OUT MARK COMMAND...: starts the command, which writes to OUT, and sends it the signal once OUT/MARK (a
# glob) is there; its exit code to $code. A machine so fast that the command has ended by then is given another try, from
# nothing.
stopped() {
  local signal=$1 out=$2 mark=$3 pid
  shift 3
  for _ in 1 2 3 4 5; do
    "$@" >"$W/out" 2>"$W/err" &
    pid=$!
    wait_for "$out/$mark" $pid
    kill -"$signal" $pid 2>/dev/null
    code=0
    wait $pid 2>/dev/null || code=$?
    [ $code = 0 ] || return
    rm -rf "$out"
  done
  complain "finished five times before it could be stopped: $*"
}

train=("$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" --ignore stake --model self-cross --pretrain 4 --members 2
  --max-epochs 12 --batch 4 --threads 1 --seed 4 --checkpoint-every 0)
ok "${train[@]}" --out "$W/whole"
# In the first stage, in the network's training, in the second member's: once after the other.
for mark in pretrain-checkpoint.safetensors checkpoint.safetensors checkpoint.2.safetensors; do
  stopped KILL "$W/run" $mark "${train[@]}" --out "$W/run"
  absent "$W/run/model.safetensors"
done
ok "${train[@]}" --out "$W/run" --resume
for file in model.safetensors metrics.csv metrics.2.csv pretrain-metrics.csv; do
  same "$W/whole/$file" "$W/run/$file" "$file differs after kill and resume"
done
absent "$W"/run/*checkpoint*
no_leftovers "$W/run"

# A signal leaves a checkpoint and says so; the same call goes on to the same result.
for signal in INT TERM; do
  stopped $signal "$W/$signal" checkpoint.safetensors "${train[@]}" --out "$W/$signal"
  [ $code = 130 ] || complain "SIG$signal must end with 130, not $code"
  has "$W/err" '^error: interrupted; what was finished is kept'
  has "$W/$signal/run.json" '"status": "interrupted"'
done
ok "${train[@]}" --out "$W/INT"
has "$W/INT/run.json" '"status": "finished"'
same "$W/whole/model.safetensors" "$W/INT/model.safetensors" "the model differs after SIGINT and resume"
refused 1 'this folder holds no model.safetensors; name the run directory of a finished training' "$R" score --run "$W/TERM" --data "$DATA/later.csv" --out "$W/s.csv"
# Other options do not go on from it: refused, or anew where that is asked for.
refused 1 'belongs to a run with other settings or other data' "${train[@]}" --max-epochs 3 --out "$W/TERM"
ok "${train[@]}" --max-epochs 3 --out "$W/TERM" --no-resume
[ "$(wc -l <"$W/TERM/metrics.csv")" = 4 ] || complain "a checkpoint of other options was gone on from"

# Scores are there whole or not at all.
"$R" simulate --out "$W/long.csv" --lists 600 --seed 5 --quiet >/dev/null
score=("$R" score --run "$DATA/run" --data "$W/long.csv" --threads 1)
ok "${score[@]}" --out "$W/whole.csv"
mkdir "$W/scores"
"${score[@]}" --out "$W/scores/s.csv" >/dev/null 2>&1 &
pid=$!
sleep 0.3
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ ! -e "$W/scores/s.csv" ] || same "$W/scores/s.csv" "$W/whole.csv" "half a file of scores stands"

# Two calls at once: the second is told.
"${train[@]}" --out "$W/busy" --quiet >/dev/null 2>&1 &
pid=$!
wait_for "$W/busy/.lock" $pid
kill -STOP $pid
refused 1 "in use by process $pid" "${train[@]}" --out "$W/busy"
kill -9 $pid
wait $pid 2>/dev/null
finish
