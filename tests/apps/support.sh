# Sourced by the tests that run the real programs. Each test works in a folder of its own, $W, that is gone afterwards.
# Arguments of every test: the program, the folder of shared simulated data.
set -u -o pipefail
export LC_ALL=C
MIL=$1
DATA=${2:-}
W=$(mktemp -d "${TMPDIR:-/tmp}/attn-mil-test-XXXXXX")
trap 'rm -rf "$W"' EXIT
failures=0
TILES=(--mpp 1.0 --tile 64)                 # small tiles for small slides
TRAIN=(--epochs 5 --hidden 16 --attention 16 --bootstrap 20 --threads 1)

complain() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*" >&2
  printf '  stdout: %s\n  stderr: %s\n' "$(head -c 600 "$W/out" 2>/dev/null)" "$(head -c 600 "$W/err" 2>/dev/null)" >&2
}

# run COMMAND...: stdout to $W/out, stderr to $W/err, exit code to $code.
run() {
  code=0
  "$@" >"$W/out" 2>"$W/err" || code=$?
}

# ok COMMAND...: must end with 0.
ok() {
  run "$@"
  [ $code = 0 ] || complain "exit $code instead of 0: $*"
}

# refused CODE PATTERN COMMAND...: must end with CODE, with one `error: ` line that matches PATTERN, and an empty stdout.
refused() {
  local want=$1 pattern=$2
  shift 2
  run "$@"
  [ $code = "$want" ] || complain "exit $code instead of $want: $*"
  [ "$(grep -c '^error: ' "$W/err")" = 1 ] || complain "not one error line: $*"
  grep -Eq "^error: .*($pattern)" "$W/err" || complain "no '$pattern' in the error of: $*"
  [ ! -s "$W/out" ] || complain "something on stdout: $*"
  grep -q $'\x1b' "$W/err" && complain "colour off a terminal: $*"
}

has() { # has FILE PATTERN
  grep -Eq -- "$2" "$1" || complain "no '$2' in $1"
}
exists() {
  for file in "$@"; do [ -s "$file" ] || complain "$file is missing or empty"; done
}
absent() {
  for file in "$@"; do [ ! -e "$file" ] || complain "$file should not be there"; done
}
same() { # same FILE FILE [what]
  cmp -s "$1" "$2" || complain "${3:-$1 and $2 differ}"
}
# json EXPRESSION: $W/out is one JSON document for which the Python expression on `d` holds.
json() {
  python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' "$W/out" "$1" ||
    complain "JSON: $1"
}
no_leftovers() { # no temporary or lock files in a folder
  local found
  found=$(find "$1" -name '.*.tmp' -o -name '.*.lock' | head -3)
  [ -z "$found" ] || complain "left behind: $found"
}
# wait_for FILE PID: until FILE appears; fails when the process ends before.
wait_for() {
  for _ in $(seq 1 12000); do
    compgen -G "$1" >/dev/null && return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.005
  done
  compgen -G "$1" >/dev/null || { complain "$1 never came"; return 1; }
}
finish() {
  if [ $failures = 0 ]; then echo "all passed"; else echo "$failures failed" >&2; exit 1; fi
}
