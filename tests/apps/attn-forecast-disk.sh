#!/usr/bin/env bash
# A full disk and a read-only one: a sentence with the system's reason, nothing half-written.
if [ "${3:-}" != inside ]; then
  for how in -m -rm; do # as root; else as root of a namespace of one's own
    unshare $how true 2>/dev/null && exec unshare $how bash "$0" "$1" "$2" inside
  done
  echo "skipped: this system lets a plain user make no mount namespace" >&2
  exit 77
fi
source "$(dirname "$0")/attn-forecast-support.sh"
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
  grep -Eqi "$pattern" "$W/err" || complain "no '$pattern' in the errors of: $*"
  left=$(find "$disk" -name '.*.tmp')
  [ -z "$left" ] || complain "half-written: $left"
}

no_space='No space left'
train=("$F" train --data "$DATA/series.csv" "${SMALL[@]}")
full 40
starved "$no_space" "${train[@]}" --out "$disk/run"
absent "$disk/run/model.safetensors"
full 8
starved "$no_space" "$F" simulate --out "$disk/series.csv" --rows 2000
absent "$disk/series.csv"
full 4
starved "$no_space" "$F" forecast --run "$DATA/run" --data "$DATA/panel.csv" --out "$disk/future.csv"
absent "$disk/future.csv"
full 8
starved "$no_space" "$F" plot --data "$DATA/panel.csv" --out "$disk/a.html"
absent "$disk/a.html"
starved "$no_space" "$F" backtest --run "$DATA/run" --data "$DATA/series.csv" --windows 2 --refit 0 --no-dlinear --report "$disk/b.html"
starved "$no_space" "$F" patch --run "$DATA/run" --data "$DATA/series.csv" --plot "$disk/p.html"
absent "$disk/b.html" "$disk/p.html"

# A folder's files: what was finished when the disk filled up stays.
mkdir "$W/folder"
for i in 1 2 3 4 5 6 7 8; do cp "$DATA/panel.csv" "$W/folder/$i.csv"; done
full 40
starved "$no_space" "$F" forecast --run "$DATA/run" --data "$W/folder" --out "$disk/futures"
exists "$disk/futures/1.csv"
"$F" forecast --run "$DATA/run" --data "$W/folder/1.csv" --out "$W/one.csv" --quiet >/dev/null
same "$disk/futures/1.csv" "$W/one.csv" "half a forecast stands"

full 1000
mount -o remount,ro "$disk" || exit 1
read_only='Read-only file system'
starved "$read_only" "${train[@]}" --out "$disk/run"
starved "$read_only" "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --out "$disk/f.csv"
starved "$read_only" "$F" simulate --out "$disk/s.csv"
starved "$read_only" "$F" backtest --run "$DATA/run" --data "$DATA/series.csv" --out "$disk/b"
starved "$read_only" "$F" plot --data "$DATA/series.csv" --out "$disk/p.svg"
umount "$disk"
finish
