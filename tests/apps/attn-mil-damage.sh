#!/usr/bin/env bash
# Damaged, cut, zero-filled and wrong files: one sentence each, nothing half-written, the others go on.
source "$(dirname "$0")/support.sh"
newer_version=$3 # makes a tile, feature or model file one of a newer format version
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
for name in cut-half cut-head empty text all-zero; do has "$W/tiles/failures.csv" "^$name,"; done
[ "$(grep -c . "$W/tiles/failures.csv")" = 6 ] || complain "five bad slides and the header, and no more"
# Half of level 0 is zeros: level 1, which these tiles are of, is as good as the original's; tiles of level 0 are not.
same <(sed -n 's/^good,//p' "$W/tiles/tiles.csv") <(sed -n 's/^zeros,//p' "$W/tiles/tiles.csv") "the same level gives the same tiles"
ok "$MIL" tile "$W/bad/zeros.tif" --out "$W/level-0" --mpp 0.5 --tile 64
run "$MIL" features "$W/level-0" --out "$W/level-0-features"
[ "$code" = 1 ] || complain "tiles of zeros must end features with 1, not $code"
has "$W/level-0-features/failures.csv" '^zeros,.*cannot be decoded'
absent "$W/level-0-features/zeros.h5"
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
cp "$DATA"/tiles/patches/sim-000[1-6].h5 "$W/t/patches"
head -c 900 "$DATA/tiles/patches/sim-0002.h5" >"$W/t/patches/sim-0002.h5"
head -c 5000 /dev/zero >"$W/t/patches/sim-0003.h5"
echo text >"$W/t/patches/sim-0004.h5"
sed -i 's/"format_version":1/"format_version":9/g' "$W/t/patches/sim-0005.h5" # breaks the file's checksum
ok "$newer_version" "$W/t/patches/sim-0006.h5"
run "$MIL" features "$W/t" --out "$W/f"
[ $code = 1 ] || complain "bad tile files must end with 1, not $code"
exists "$W/f/sim-0001.h5"
for name in sim-0002 sim-0003 sim-0004 sim-0005 sim-0006; do
  has "$W/f/failures.csv" "^$name,"
  absent "$W/f/$name.h5"
done
has "$W/f/failures.csv" '^sim-0005,.*damaged'
has "$W/f/failures.csv" '^sim-0006,.*format version 99.*newer program'
refused 1 'format version 99' "$MIL" info "$W/t/patches/sim-0006.h5"
cp -r "$DATA/features" "$W/features"
train=("$MIL" train --labels "$DATA/labels.csv" "${TRAIN[@]}")
head -c 2000 "$DATA/features/sim-0002.h5" >"$W/features/sim-0002.h5"
refused 1 'sim-0002.h5' "${train[@]}" --bags "$W/features" --out "$W/r1"
cp "$DATA/features/sim-0002.h5" "$W/features/sim-0002.h5"
sed -i 's/"format_version":1/"format_version":9/g' "$W/features/sim-0002.h5"
refused 1 'sim-0002.h5.*damaged' "${train[@]}" --bags "$W/features" --out "$W/r1"
cp "$DATA/features/sim-0002.h5" "$W/features/sim-0002.h5"
ok "$newer_version" "$W/features/sim-0002.h5"
refused 1 'sim-0002.h5.*format version 99.*newer program' "${train[@]}" --bags "$W/features" --out "$W/r1"

# What a newer program made is neither made again nor set aside.
mkdir "$W/two"
cp -p "$DATA"/slides/sim-000[12].tif "$W/two"
ok "$MIL" tile "$W/two" --out "$W/newer" "${TILES[@]}"
ok "$newer_version" "$W/newer/patches/sim-0001.h5"
cp "$W/newer/patches/sim-0001.h5" "$W/newer.h5"
for mpp in 1.0 2.0; do # with the same parameters and with others
  run "$MIL" tile "$W/two" --out "$W/newer" "${TILES[@]}" --mpp $mpp
  [ "$code" = 1 ] || complain "tiles of a newer program must end tile with 1, not $code"
  has "$W/newer/failures.csv" '^sim-0001,.*format version 99'
  same "$W/newer/patches/sim-0001.h5" "$W/newer.h5" "a newer program's tiles were replaced"
done

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
cp "$W/model" "$model"
cp "$W/run/run.json" "$W/run.json"
sed -i 's/"format_version": 1/"format_version": 99/' "$W/run/run.json"
cp "$W/run/run.json" "$W/newer.json"
refused 1 'run.json has format version 99' "$MIL" info "$W/run"
refused 1 'run.json has format version 99' "$MIL" evaluate --run "$W/run"
refused 1 'run.json has format version 99' "${train[@]}" --bags "$DATA/features" --out "$W/run"
refused 1 'run.json has format version 99' "${train[@]}" --bags "$DATA/features" --out "$W/run" --no-resume
same "$W/run/run.json" "$W/newer.json" "a newer program's run.json was replaced"
cp "$W/run.json" "$W/run/run.json"
ok "$newer_version" "$model"
refused 1 'model.safetensors.*format version 99.*newer' "$MIL" evaluate --run "$W/run"
refused 1 'model.safetensors.*format version 99.*newer' "$MIL" predict --run "$model" "$good" --out "$W/p.csv"
absent "$W/p.csv"
cp "$DATA/features/sim-0001.h5" "$model"
refused 1 'model.safetensors' "$MIL" heatmap --run "$W/run" --slide "$good" --out "$W/h.png"
absent "$W/h.png"
refused 1 'run.json|model.safetensors' "$MIL" evaluate --run "$DATA/features"
finish
