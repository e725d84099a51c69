#!/usr/bin/env bash
# Killed at any moment and called again: the same files as undisturbed. Interrupted: 130.
source "$(dirname "$0")/attn-forecast-support.sh"

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

train=("$F" train --data "$DATA/series.csv" --horizon 12 --lookback 48 --max-epochs 12 --patience 0 --entropy-epochs 6
  --vocabulary 64 --width 8 --threads 1 --seed 4 --checkpoint-every 0)
ok "${train[@]}" --out "$W/whole"
# In the entropy model's training, in the forecaster's, once after the other.
for mark in entropy-checkpoint.safetensors checkpoint.safetensors; do
  stopped KILL "$W/run" $mark "${train[@]}" --out "$W/run"
  absent "$W/run/model.safetensors"
done
ok "${train[@]}" --out "$W/run" --resume
for file in model.safetensors metrics.csv entropy-metrics.csv; do
  same "$W/whole/$file" "$W/run/$file" "$file differs after kill and resume"
done
absent "$W/run/checkpoint.safetensors" "$W/run/entropy-checkpoint.safetensors"
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
# Other options do not go on from it.
ok "${train[@]}" --out "$W/TERM" --max-epochs 3
[ "$(wc -l <"$W/TERM/metrics.csv")" = 4 ] || complain "a checkpoint of other options was gone on from"

# A folder of files: what is finished stays.
mkdir "$W/folder"
for i in 1 2 3 4 5 6; do cp "$DATA/panel.csv" "$W/folder/$i.csv"; done
forecast=("$F" forecast --run "$DATA/run" --data "$W/folder" --threads 1)
ok "${forecast[@]}" --out "$W/futures"
mv "$W/futures" "$W/whole-futures"
stopped KILL "$W/futures" 2.csv "${forecast[@]}" --out "$W/futures"
ok "${forecast[@]}" --out "$W/futures" --json
json 'd["skipped"] >= 1 and d["done"] >= 1'
for i in 1 2 3 4 5 6; do same "$W/whole-futures/$i.csv" "$W/futures/$i.csv"; done
no_leftovers "$W/futures"
# Killed behind a forecast and before the record of what it was made of.
rm "$W/futures/.4.csv.made"
ok "${forecast[@]}" --out "$W/futures" --json
json 'd["done"] == 1 and d["skipped"] == 5 and not d["failed"]'

# Two calls at once: the second is told.
"${train[@]}" --out "$W/busy" --quiet >/dev/null 2>&1 &
pid=$!
wait_for "$W/busy/.lock" $pid
kill -STOP $pid
refused 1 "in use by process $pid" "${train[@]}" --out "$W/busy"
kill -9 $pid
wait $pid 2>/dev/null
finish
