# Sourced by the tests of attn-forecast: PROGRAM FOLDER, the latter as attn-forecast-data.sh makes it.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
F=$MIL
SHARED=${ATTN_SHARED_SERIES:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../../shared/data/timeseries} # given series, where they are
# A model small enough to train in a second.
SMALL=(--horizon 12 --lookback 48 --max-epochs 2 --entropy-epochs 2 --vocabulary 64 --width 8 --threads 1)

# needs_shared FILE...: ends the test as skipped where a given series is not there; under CI as failed.
needs_shared() {
  for file in "$@"; do
    [ -e "$SHARED/$file" ] && continue
    if [ "${CI:-}" = true ]; then echo "FAILED: $SHARED/$file is not there" >&2; exit 1; fi
    echo "skipped: $SHARED/$file is not there" >&2
    exit 77
  done
}
# csv FILE EXPRESSION: the Python expression on `r`, the rows of the CSV as dictionaries, holds.
csv() {
  python3 -c 'import csv,sys; r=list(csv.DictReader(open(sys.argv[1]))); sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$2" ||
    complain "$1: $2"
}
# xml FILE: well-formed.
xml() {
  python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1" || complain "$1 is not XML"
}
