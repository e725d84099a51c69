# Sourced by the tests of attn-rank: PROGRAM FOLDER, the latter as attn-rank-data.sh makes it.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
R=$MIL
SHARED=${ATTN_SHARED_FINANCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../../shared/data/finance} # given lists, where they are
COLUMNS=(--list qid --label risky --profit pnl)
SMALL=(--ignore stake --max-epochs 2 --threads 1) # a training of less than a second

# needs_shared FILE...: ends the test as skipped where a given file is not there; under CI as failed.
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
# page FILE PART...: a page that fetches and runs nothing, with these parts.
page() {
  local file=$1
  shift
  exists "$file"
  grep -Eqi '(src|href) *= *"?(https?:)?//|<script|@import|url\( *"?http' "$file" && complain "$file must fetch and run nothing"
  for part in "$@"; do has "$file" "$part"; done
}
