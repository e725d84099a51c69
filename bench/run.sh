#!/usr/bin/env bash
# Runs every benchmark that was built; `./dev bench` calls it after the build. Arguments go to each benchmark.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for program in build/bin/bench-*; do
  echo "== ${program##*/} $*"
  "$program" "$@"
done
