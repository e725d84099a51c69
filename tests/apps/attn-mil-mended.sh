#!/usr/bin/env bash
# What goes wrong between two calls: slides without tissue, replaced, moved or in other hands; and what is told of it.
source "$(dirname "$0")/support.sh"
mkdir "$W/slides"
cp -p "$DATA"/slides/*.tif "$W/slides"
# A slide of bare glass, with a stated resolution.
glass() {
  python3 - "$1" <<'PY'
import struct, sys
w = h = 300
data = b"\xff" * (w * h * 3)
tags = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3),
        (278, 4, 1, h), (279, 4, 1, len(data)), (282, 5, 1, 0), (283, 5, 1, 0), (296, 3, 1, 3)]
after = 8 + len(data) + 2 + 12 * len(tags) + 4
out = b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags))
for tag, kind, count, value in tags:
    if tag == 258: value = after
    if kind == 5: value = after + 6
    out += struct.pack("<HHII", tag, kind, count, value)
open(sys.argv[1], "wb").write(out + struct.pack("<I", 0) + struct.pack("<HHH", 8, 8, 8) + struct.pack("<II", 10000, 1))
PY
}
glass "$W/slides/zglass.tif"
cp "$DATA/labels.csv" "$W/labels.csv"
chain=("$MIL" run "$W/slides" --labels "$W/labels.csv" "${TILES[@]}" --out "$W/chain" --folds 3 --epochs 2 --hidden 8 --attention 8 --heatmaps 2 --truth "$DATA/truth")

# A slide without tissue does not end the chain after the training; it is listed.
run "${chain[@]}" --json
[ $code = 1 ] || complain "a slide without tissue must be told by exit 1, not $code"
json '[f["item"] for f in d["failures"]] == ["zglass"] and len(d["localisation"]) == 2'
has "$W/chain/failures.csv" '^zglass,.*no tiles'
has "$W/chain/report.html" 'zglass'
exists "$W/chain/predictions.csv" "$W/chain/report.html"
rm "$W/slides/zglass.tif"
mv "$W/chain" "$W/chain-1"

# Heat maps that failed are tried again, and not forgotten.
mkdir -p "$W/chain/heatmaps/sim-0001.png" # a folder where a picture belongs
chain=("${chain[@]}" --attention-report "$W/attention.html")
for call in first second; do
  run "${chain[@]}"
  [ $code = 1 ] || complain "$call call with a picture that cannot be written: exit $code"
  has "$W/chain/failures.csv" '^sim-0001,'
done
rmdir "$W/chain/heatmaps/sim-0001.png"
ok "${chain[@]}"
absent "$W/chain/failures.csv"
rm "$W/attention.html"
ok "${chain[@]}"
has "$W/err" 'is finished'
exists "$W/attention.html"

# A slide that another process holds is not left out in silence.
exec 9>"$W/chain/features/.sim-0002.h5.lock"
flock 9
refused 1 'in work by another process' "${chain[@]}"
run "$MIL" features "$W/chain/tiles" --out "$W/chain/features" --json
[ $code = 1 ] || complain "a busy slide must end features with 1, not $code"
json 'd["busy"] == 1'
exec 9>&-

# Moved slides.
mv "$W/slides" "$W/moved"
rm "$W/chain/features/sim-0003.h5"
ok "$MIL" run "$W/moved" "${chain[@]:3}"

# A slide replaced by a broken file: what was made of the old one goes no further.
echo broken >"$W/moved/sim-0004.tif"
run "$MIL" tile "$W/moved" --out "$W/chain/tiles" "${TILES[@]}"
[ $code = 1 ] || complain "a broken slide must end tile with 1"
absent "$W/chain/tiles/patches/sim-0004.h5"
exists "$W/chain/tiles/patches/sim-0004.h5.stale"
run "$MIL" features "$W/chain/tiles" --out "$W/chain/features" --slides "$W/moved"
absent "$W/chain/features/sim-0004.h5"
mkdir "$W/bad"
for slide in x y z w; do echo broken >"$W/bad/$slide.svs"; done
printf 'slide_id,label\nx,a\ny,a\nz,b\nw,b\n' >"$W/x.csv"
refused 1 "$W/none/failures.csv" "$MIL" run "$W/bad" --labels "$W/x.csv" --out "$W/none" --folds 2 --validation 0
has "$W/none/failures.csv" '^x,'

# Predictions: nobody else's failures.csv; a file for each shard.
model=$W/chain/model
mkdir "$W/p"
printf 'machine,date\nscanner,today\n' >"$W/p/failures.csv"
cp "$W/p/failures.csv" "$W/list"
run "$MIL" predict --run "$model" "$W/moved" --out "$W/p/pred.csv"
[ $code = 1 ] || complain "the broken slide is still broken"
same "$W/p/failures.csv" "$W/list" "a file of somebody else's was overwritten"
has "$W/p/pred.failures.csv" '^sim-0004,'
for part in 1 2; do ok "$MIL" predict --run "$model" "$DATA/features" --out "$W/p/s.csv" --shard $part/2; done
[ "$(cat "$W"/p/s.[12]-of-2.csv | grep -c '^sim-')" = 10 ] || complain "each shard's predictions in a file of its own"

# Heat maps: folder made first, PNG only, truth, report of what was drawn before.
ok "$MIL" heatmap --run "$model" --slide "$W/moved/sim-0001.tif" --out "$W/new/heat.PNG" --truth "$DATA/truth/sim-0001.geojson"
[ -f "$W/new/heat.PNG" ] || complain "one picture in a folder that was not there, and not a folder of the picture's name"
ok "$MIL" heatmap --run "$model" --slide "$W/moved/sim-0001.tif" --out "$W/newer/heat.png"
[ -f "$W/newer/heat.png" ] || complain "the folder of a picture is to be made"
refused 2 'PNG' "$MIL" heatmap --run "$model" --slide "$W/moved/sim-0001.tif" --out "$W/heat.jpg"
absent "$W/heat.jpg"
refused 2 'give a folder' "$MIL" heatmap --run "$model" --slide "$DATA/slides" --out "$W/heat" --truth "$DATA/truth/sim-0001.geojson"
positive=$(awk -F, '$3 == "tumor" {print $2; exit}' "$DATA/labels.csv")
for call in first second; do
  ok "$MIL" heatmap --run "$model" --slide "$DATA/slides/$positive.tif" --out "$W/heat" --truth "$DATA/truth" --json --attention-report "$W/$call.html"
  json 'list(d["localisation"].values())[0]["tumor"]["positive_tiles"] > 0 and 0 <= list(d["localisation"].values())[0]["tumor"]["auc"] <= 1'
  has "$W/$call.html" "$positive"
done

# Tissue needs no resolution; a given area is taken at its word; names with brackets and dashes.
ok "$MIL" tissue "$DATA/slides/sim-0001.tif" --slide-mpp 1.0 --out "$W/tissue"
for area in 0.01 3; do
  ok "$MIL" tissue "$DATA/slides/sim-0001.tif" --tissue-preset default --min-area $area --out "$W/tissue-$area"
done
python3 - "$W" <<'PY' || complain "--min-area 0.01 and 3 must differ on a small slide"
import json, sys
of = [json.load(open(f"{sys.argv[1]}/tissue-{a}/tissue/sim-0001.json")) for a in ("0.01", "3")]
sys.exit(of[0]["pieces"] <= of[1]["pieces"])
PY
mkdir "$W/[odd]" && cp "$DATA/slides/sim-0001.tif" "$W/[odd]"
cd "$W" || exit 1
ok "$MIL" tile "[odd]" --out "$W/odd" "${TILES[@]}"
cp "$DATA/slides/sim-0001.tif" ./-dash.tif
ok "$MIL" tile --out "$W/dash" "${TILES[@]}" -- -dash.tif
exists "$W/dash/patches/-dash.h5"
ok "$MIL" tile "[odd]" --out "$W/odd" "${TILES[@]}" --overwrite --threads 64
grep -q TBB "$W/err" && complain "a library talks of threads"
finish
