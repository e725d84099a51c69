#!/usr/bin/env bash
# Simulated series and a small model that the other tests start from: PROGRAM FOLDER.
set -euo pipefail
forecast=$1 data=$2
mkdir -p "$data"
rm -rf "$data/run"  # not the model of a program before this one
"$forecast" simulate --out "$data/series.csv" --rows 600 --seed 3 --quiet >/dev/null
"$forecast" simulate --out "$data/panel.csv" --series 5 --rows 300 --seed 4 --quiet >/dev/null
"$forecast" simulate --out "$data/covariates.csv" --series 3 --rows 300 --seed 5 --covariates --ahead 24 --quiet >/dev/null
"$forecast" train --data "$data/series.csv" --out "$data/run" --horizon 12 --lookback 48 --max-epochs 2 --entropy-epochs 2 \
  --vocabulary 64 --width 8 --threads 1 --quiet >/dev/null
