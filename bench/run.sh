#!/usr/bin/env bash
# Runs every benchmark that was built; `./dev bench` calls it after the build. Arguments go to each benchmark; stdout is theirs alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for program in build/bin/bench-*; do
  echo "== ${program##*/} $*" >&2
  "$program" "$@"
done
