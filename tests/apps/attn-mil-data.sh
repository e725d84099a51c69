#!/usr/bin/env bash
# Simulated slides, tiles and features that the other tests start from: PROGRAM FOLDER.
set -euo pipefail
mil=$1 data=$2
mkdir -p "$data"
"$mil" simulate --out "$data" --slides 10 --seed 3 --width 1024 --height 1024 --foci 1 --focus-diameter 120 --quiet
"$mil" tile "$data/slides" --out "$data/tiles" --mpp 1.0 --tile 64 --quiet
"$mil" features "$data/tiles" --out "$data/features" --quiet
