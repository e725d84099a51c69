#!/usr/bin/env bash
# A full disk and a read-only one: a sentence with the system's reason, nothing half-written.
if [ "${3:-}" != inside ]; then
  for how in -m -rm; do # as root; else as root of a namespace of one's own
    unshare $how true 2>/dev/null && exec unshare $how bash "$0" "$1" "$2" inside
  done
  echo "skipped: this system lets a plain user make no mount namespace" >&2
  exit 77
fi
source "$(dirname "$0")/attn-rank-support.sh"
disk=$W/disk
mkdir "$disk"

# full KIBIBYTES: an empty disk of that size at $disk.
full() {
  umount "$disk" 2>/dev/null
  mount -t tmpfs -o "size=${1}k" tmpfs "$disk" || exit 1
}
# starved PATTERN COMMAND...: must end with 1 and tell the reason in one sentence.
starved() {
  local pattern=$1 left
  shift
  run "$@"
  [ $code = 1 ] || complain "exit $code instead of 1: $*"
  [ "$(grep -c '^error: ' "$W/err")" = 1 ] || complain "not one error line: $*"
  grep -Eqi "$pattern" "$W/err" || complain "no '$pattern' in the errors of: $*"
  left=$(find "$disk" -name '.*.tmp')
  [ -z "$left" ] || complain "half-written: $left"
}

no_space='No space left'
train=("$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}")
later=(--data "$DATA/later.csv")
full 40
starved "$no_space" "${train[@]}" --out "$disk/run"
absent "$disk/run/model.safetensors"
full 200 # the model has room, its page has not
starved "$no_space" "${train[@]}" --out "$disk/run"
absent "$disk/run/report.html"
has "$disk/run/run.json" '"status": "failed"'
full 8
for name in market.csv market.csv.gz market.parquet; do
  starved "$no_space" "$R" simulate --lists 40 --out "$disk/$name"
  absent "$disk/$name"
done
full 4
starved "$no_space" "$R" score --run "$DATA/run" --data "$DATA/market.csv" --out "$disk/scores.csv"
absent "$disk/scores.csv"
full 8
starved "$no_space" "$R" report --run "$DATA/run" "${later[@]}" --resamples 10 --out "$disk/r.html"
starved "$no_space" "$R" compare "$DATA/scores.csv" "$DATA/later.csv:WinRate20" "${later[@]}" "${COLUMNS[@]}" --resamples 10 --out "$disk/c.html"
starved "$no_space" "$R" evaluate --run "$DATA/run" "${later[@]}" --resamples 10 --attention-report "$disk/a.html"
absent "$disk/r.html" "$disk/c.html" "$disk/a.html"

full 1000
mount -o remount,ro "$disk" || exit 1
read_only='Read-only file system'
starved "$read_only" "${train[@]}" --out "$disk/run"
starved "$read_only" "$R" score --run "$DATA/run" "${later[@]}" --out "$disk/s.csv"
starved "$read_only" "$R" simulate --out "$disk/s.csv"
starved "$read_only" "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" --out "$disk/cv"
starved "$read_only" "$R" report --run "$DATA/run" "${later[@]}" --out "$disk/r.html"
starved "$read_only" "$R" compare "$DATA/scores.csv" "${later[@]}" "${COLUMNS[@]}" --out "$disk/c.html"
umount "$disk"
finish
