#!/usr/bin/env bash
# Killed at any moment and called again: the same files as undisturbed. Interrupted: 130.
source "$(dirname "$0")/support.sh"

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

tile=("$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}" --threads 1)
ok "${tile[@]}"
mv "$W/tiles" "$W/undisturbed"
stopped KILL "$W/tiles" patches/sim-0003.h5 "${tile[@]}"
ok "${tile[@]}" --json
json 'd["skipped"] >= 3 and d["skipped"] < 10'
for file in "$W"/undisturbed/patches/*.h5; do same "$file" "$W/tiles/patches/$(basename "$file")"; done
no_leftovers "$W/tiles"

features=("$MIL" features "$W/tiles" --out "$W/features" --threads 1)
stopped KILL "$W/features" sim-0002.h5 "${features[@]}"
ok "${features[@]}"
for file in "$DATA"/features/*.h5; do same "$file" "$W/features/$(basename "$file")"; done
no_leftovers "$W/features"

train=("$MIL" train --bags "$DATA/features" --labels "$DATA/labels.csv" --aem 0.1 --seed 4 --epochs 400 --patience 0 --hidden 64 --threads 1 --bootstrap 20 --checkpoint-every 0)
ok "${train[@]}" --out "$W/whole"
stopped KILL "$W/run" checkpoint.safetensors "${train[@]}" --out "$W/run"
absent "$W/run/model.safetensors"
ok "${train[@]}" --out "$W/run" --resume
for file in model.safetensors metrics.csv splits.csv predictions.csv; do
  same "$W/whole/$file" "$W/run/$file" "$file differs after kill and resume"
done

# SIGINT leaves a checkpoint and says so; the same call goes on to the same result.
stopped INT "$W/int" checkpoint.safetensors "${train[@]}" --out "$W/int"
[ $code = 130 ] || complain "SIGINT must end with 130, not $code"
has "$W/err" '^error: interrupted; what was finished is kept'
run_json() { # run_json EXPRESSION: on `d`, the run.json of $W/int
  cp "$W/int/run.json" "$W/out"
  json "$1"
}
run_json 'd["status"] == "interrupted" and d["seconds"] > 0'
started=$(grep '"started"' "$W/int/run.json")
for signal in TERM HUP; do
  stopped $signal "$W/$signal" checkpoint.safetensors "${train[@]}" --out "$W/$signal"
  [ $code = 130 ] || complain "SIG$signal must end with 130, not $code"
  has "$W/$signal/run.json" '"status": "interrupted"'
done
ok "${train[@]}" --out "$W/int"
run_json 'd["status"] == "finished"'
[ "$started" = "$(grep '"started"' "$W/int/run.json")" ] || complain "a resumed run began when it was first called"
same "$W/whole/model.safetensors" "$W/int/model.safetensors" "the model differs after SIGINT and resume"

# The whole chain.
chain=("$MIL" run "$DATA/slides" --labels "$DATA/labels.csv" "${TILES[@]}" --folds 3 --epochs 40 --patience 0 --threads 1 --heatmaps 1)
ok "${chain[@]}" --out "$W/chain"
mv "$W/chain" "$W/whole-chain" # a model says where its bags were: compare at the same place
for mark in 'tiles/patches/sim-0004.h5' 'features/sim-0004.h5' 'cv/aem-0.1/folds/*'; do
  stopped KILL "$W/chain" "$mark" "${chain[@]}" --out "$W/chain"
done
ok "${chain[@]}" --out "$W/chain"
drawn=$(cd "$W/whole-chain" && echo heatmaps/*.png)
for file in predictions.csv model/model.safetensors cv/aem-0.1/predictions.csv $drawn; do
  same "$W/whole-chain/$file" "$W/chain/$file" "$file differs after the chain was killed and called again"
done
no_leftovers "$W/chain"

# Two calls at once: the second is told.
"${train[@]}" --out "$W/busy" --quiet >/dev/null 2>&1 &
pid=$!
wait_for "$W/busy/.lock" $pid
kill -STOP $pid
refused 1 "in use by process $pid" "${train[@]}" --out "$W/busy"
kill -9 $pid
wait $pid 2>/dev/null
finish
