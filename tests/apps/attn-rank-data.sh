#!/usr/bin/env bash
# Simulated markets and a small model that the other tests start from: PROGRAM FOLDER.
set -euo pipefail
rank=$1 data=$2
mkdir -p "$data"
rm -rf "$data/run" # not the model of a program before this one
"$rank" simulate --out "$data/market.csv" --lists 40 --traders 20 --seed 3 --quiet >/dev/null
"$rank" simulate --out "$data/later.csv" --lists 10 --traders 20 --ragged --seed 4 --quiet >/dev/null
"$rank" train --train "$data/market.csv" --list qid --label risky --profit pnl --ignore stake --max-epochs 2 --threads 1 \
  --out "$data/run" --quiet >/dev/null
"$rank" score --run "$data/run" --data "$data/later.csv" --out "$data/scores.csv" --threads 1 --quiet >/dev/null
