#!/usr/bin/env bash
# The whole chain on slides it makes itself: simulate, tile, features, cross-validation with attention entropy
# maximisation (AEM) and without, final model, heat maps, report. Last line on stdout: the report's path.
#   apps/attn-mil/demo.sh [FOLDER]      FOLDER: where everything goes, ./demo unless given; a second call skips
#                                       what is finished
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mil=${ATTN_MIL:-$root/build/bin/attn-mil}
out=${1:-$root/demo}
slides=${ATTN_DEMO_SLIDES:-40}

say() { printf '%s\n' "$*" >&2; }
mkdir -p "$out"
say "simulating $slides slides into $out/data"
"$mil" simulate --out "$out/data" --slides "$slides" --seed 7 --width 3072 --height 3072 \
  --foci 2 --focus-diameter 250 >&2
"$mil" run "$out/data/slides" --labels "$out/data/labels.csv" --out "$out/chain" \
  --truth "$out/data/truth" --remove-pen --mpp 1.0 --tile 128 --aem 0.1 --compare-aem --folds 5 --repeats 2 --epochs 50 --heatmaps 6 --seed 1
