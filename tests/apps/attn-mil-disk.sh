#!/usr/bin/env bash
# A full disk and a read-only one: a sentence with the system's reason, nothing half-written.
if [ "${3:-}" != inside ]; then
  for how in -m -rm; do # as root; else as root of a namespace of one's own
    unshare $how true 2>/dev/null && exec unshare $how bash "$0" "$1" "$2" inside
  done
  echo "skipped: this system lets a plain user make no mount namespace" >&2
  exit 77
fi
source "$(dirname "$0")/support.sh"
disk=$W/disk
mkdir "$disk"

# full KIBIBYTES: an empty disk of that size at $disk.
full() {
  umount "$disk" 2>/dev/null
  mount -t tmpfs -o "size=${1}k" tmpfs "$disk" || exit 1
}
# starved PATTERN COMMAND...: must end with 1 and tell the reason, on stderr or in failures.csv on stderr's word.
starved() {
  local pattern=$1
  shift
  run "$@"
  [ $code = 1 ] || complain "exit $code instead of 1: $*"
  grep -Eqi "$pattern" "$W/err" || complain "no '$pattern' in the errors of: $*"
  local left
  left=$(find "$disk" -name '.*.tmp')
  [ -z "$left" ] || complain "half-written: $left"
}

no_space='No space left'
full 16
starved "$no_space" "$MIL" tile "$DATA/slides" --out "$disk/tiles" "${TILES[@]}"
full 16
starved "$no_space" "$MIL" features "$DATA/tiles" --out "$disk/features"
for file in "$disk"/features/*.h5; do
  [ -e "$file" ] && same "$file" "$DATA/features/$(basename "$file")" "half a feature file stands"
done

# What was finished when the disk filled up stays, however often the command is called again.
full 4000
"$MIL" tile "$DATA/slides" --out "$disk/tiles" "${TILES[@]}" --quiet || complain "4000 KiB must hold the tiles"
rm "$disk"/tiles/patches/sim-00{08,09,10}.h5
head -c 8000000 /dev/zero >"$disk/ballast" 2>/dev/null
(cd "$disk/tiles/patches" && sha256sum ./*.h5) >"$W/finished"
for options in '' '' --overwrite "--mpp 2"; do
  # shellcheck disable=SC2086
  starved "$no_space" "$MIL" tile "$DATA/slides" --out "$disk/tiles" "${TILES[@]}" $options
  (cd "$disk/tiles/patches" && sha256sum ./*.h5) | cmp -s - "$W/finished" || complain "finished tiles went with '$options'"
  [ -z "$(find "$disk" -name '*.stale')" ] || complain "set aside on a full disk with '$options'"
done

full 40
starved "$no_space" "$MIL" train --bags "$DATA/features" --labels "$DATA/labels.csv" "${TRAIN[@]}" --hidden 256 --out "$disk/run"
absent "$disk/run/model.safetensors"
full 100
starved "$no_space" "$MIL" simulate --out "$disk/data" --slides 1 --width 1024 --height 1024 --foci 1 --focus-diameter 120
ok "$MIL" train --bags "$DATA/features" --labels "$DATA/labels.csv" "${TRAIN[@]}" --out "$W/run"
full 40
starved "$no_space" "$MIL" heatmap --run "$W/run" --slide "$DATA/slides/sim-0001.tif" --out "$disk/heat.png"
absent "$disk/heat.png"

full 1000
mount -o remount,ro "$disk" || exit 1
read_only='Read-only file system'
starved "$read_only" "$MIL" tile "$DATA/slides" --out "$disk/tiles" "${TILES[@]}"
starved "$read_only" "$MIL" train --bags "$DATA/features" --labels "$DATA/labels.csv" "${TRAIN[@]}" --out "$disk/run"
starved "$read_only" "$MIL" predict --run "$W/run" "$DATA/features" --out "$disk/p.csv"
starved "$read_only" "$MIL" simulate --out "$disk/data" --slides 1
starved "$read_only" "$MIL" run "$DATA/slides" --labels "$DATA/labels.csv" "${TILES[@]}" --out "$disk/chain"
umount "$disk"
finish
