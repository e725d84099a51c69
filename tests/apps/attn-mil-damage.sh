#!/usr/bin/env bash
# Damaged, cut, zero-filled and wrong files: one sentence each, nothing half-written, the others go on.
source "$(dirname "$0")/support.sh"
mkdir "$W/bad"
good=$DATA/slides/sim-0001.tif
size=$(stat -c %s "$good")
cp "$good" "$W/bad/good.tif"
head -c $((size / 2)) "$good" >"$W/bad/cut-half.tif"
head -c 100 "$good" >"$W/bad/cut-head.tif"
: >"$W/bad/empty.svs"
echo 'not a slide' >"$W/bad/text.svs"
cp "$good" "$W/bad/zeros.tif"
dd if=/dev/zero of="$W/bad/zeros.tif" bs=1 seek=$((size / 4)) count=$((size / 2)) conv=notrunc status=none
head -c "$size" /dev/zero >"$W/bad/all-zero.tif"
run "$MIL" tile "$W/bad" --out "$W/tiles" "${TILES[@]}"
[ $code = 1 ] || complain "bad slides must end with 1, not $code"
exists "$W/tiles/patches/good.h5" "$W/tiles/failures.csv"
for name in cut-head empty text all-zero; do has "$W/tiles/failures.csv" "^$name,"; done
grep -c . "$W/tiles/failures.csv" >/dev/null
no_leftovers "$W/tiles"
for file in cut-head.tif empty.svs text.svs all-zero.tif; do refused 1 "$file" "$MIL" info "$W/bad/$file"; done
# A slide without a stated resolution is refused by name of the option, and taken with it.
python3 - "$W/no-mpp.png" <<'PY'
import struct, sys, zlib
w = h = 300
raw = b"".join(b"\0" + bytes((200, 80, 160)) * w for _ in range(h))
def chunk(t, d): return struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
PY
run "$MIL" tile "$W/no-mpp.png" --out "$W/tiles2" "${TILES[@]}"
[ $code = 1 ] || complain "no resolution, no tiles"
has "$W/tiles2/failures.csv" '--slide-mpp'
ok "$MIL" tile "$W/no-mpp.png" --out "$W/tiles2" "${TILES[@]}" --slide-mpp 1.0
absent "$W/tiles2/failures.csv"

# Tile and feature files.
mkdir -p "$W/t/patches"
cp "$DATA"/tiles/patches/sim-000[1-5].h5 "$W/t/patches"
head -c 900 "$DATA/tiles/patches/sim-0002.h5" >"$W/t/patches/sim-0002.h5"
head -c 5000 /dev/zero >"$W/t/patches/sim-0003.h5"
echo text >"$W/t/patches/sim-0004.h5"
sed -i 's/"format_version":1/"format_version":9/g' "$W/t/patches/sim-0005.h5"
run "$MIL" features "$W/t" --out "$W/f"
[ $code = 1 ] || complain "bad tile files must end with 1, not $code"
exists "$W/f/sim-0001.h5"
for name in sim-0002 sim-0003 sim-0004 sim-0005; do
  has "$W/f/failures.csv" "^$name,"
  absent "$W/f/$name.h5"
done
has "$W/f/failures.csv" '^sim-0005,.*damaged'
cp -r "$DATA/features" "$W/features"
train=("$MIL" train --labels "$DATA/labels.csv" "${TRAIN[@]}")
head -c 2000 "$DATA/features/sim-0002.h5" >"$W/features/sim-0002.h5"
refused 1 'sim-0002.h5' "${train[@]}" --bags "$W/features" --out "$W/r1"
cp "$DATA/features/sim-0002.h5" "$W/features/sim-0002.h5"
sed -i 's/"format_version":1/"format_version":9/g' "$W/features/sim-0002.h5"
refused 1 'sim-0002.h5.*damaged' "${train[@]}" --bags "$W/features" --out "$W/r1"

# Tables.
printf 'bag,label,f0,f1\na,0,1,2\nb,1,x,2\n' >"$W/word.csv"
printf 'bag,label,f0,f1\na,0,1,2\nb,1,nan,2\n' >"$W/nan.csv"
printf 'bag,label,f0,f1\na,0,1,2\na,1,3,2\n' >"$W/two-labels.csv"
printf 'bag,label,f0,f1\na,0,1\n' >"$W/ragged.csv"
printf 'bag,label,f0,f0\na,0,1,2\n' >"$W/twice.csv"
printf 'bug,label,f0\na,0,1\n' >"$W/column.csv"
: >"$W/empty.csv"
head -c 300 /dev/zero >"$W/zeros.csv"
for name in word nan two-labels ragged twice column empty zeros; do
  refused 1 "$name.csv" "$MIL" cv --bags "$W/$name.csv" --folds 2
done
printf 'slide_id,lable\nsim-0001,x\n' >"$W/labels.csv"
refused 1 "labels.csv.*label" "${train[@]}" --bags "$DATA/features" --labels "$W/labels.csv" --out "$W/r2"

# Model files.
ok "${train[@]}" --bags "$DATA/features" --out "$W/run"
model=$W/run/model.safetensors
cp "$model" "$W/model"
head -c 200 "$W/model" >"$model"
refused 1 'model.safetensors' "$MIL" evaluate --run "$W/run"
head -c "$(stat -c %s "$W/model")" /dev/zero >"$model"
refused 1 'model.safetensors' "$MIL" evaluate --run "$W/run"
sed 's/\\"format_version\\":1/\\"format_version\\":9/' "$W/model" >"$model"
cmp -s "$W/model" "$model" && complain "the test could not change the model's version"
refused 1 'model.safetensors.*(version|newer)' "$MIL" evaluate --run "$W/run"
refused 1 'model.safetensors.*(version|newer)' "$MIL" predict --run "$model" "$good" --out "$W/p.csv"
absent "$W/p.csv"
cp "$DATA/features/sim-0001.h5" "$model"
refused 1 'model.safetensors' "$MIL" heatmap --run "$W/run" --slide "$good" --out "$W/h.png"
absent "$W/h.png"
refused 1 'run.json|model.safetensors' "$MIL" evaluate --run "$DATA/features"
finish
