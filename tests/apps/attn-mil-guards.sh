#!/usr/bin/env bash
# What must not pass in silence: damage, changed patients and splits, inputs as outputs, options without effect.
source "$(dirname "$0")/support.sh"
train=("$MIL" train --bags "$DATA/features" "${TRAIN[@]}")

# A slide of which a quarter cannot be decoded fails, with its reason, each time; allowed, its share stands in every
# table. Of sim-0001 a quarter is gone from all levels, of sim-0004 from the one that tiles of 1.0 um per px come from.
mkdir "$W/slides"
cp -p "$DATA"/slides/sim-000[1-6].tif "$W/slides"
python3 - "$W/slides/sim-0001.tif" "$W/slides/sim-0004.tif" <<'PY'
import struct, sys
def levels(b):  # offsets and sizes of each level's tiles, of a little-endian classic TIFF
    at, = struct.unpack_from("<I", b, 4)
    while at:
        n, = struct.unpack_from("<H", b, at)
        tags = {}
        for i in range(n):
            tag, kind, count, value = struct.unpack_from("<HHII", b, at + 2 + 12 * i)
            size = {3: "H", 4: "I"}.get(kind)
            if tag in (324, 325):
                place = value if count * struct.calcsize(size) > 4 else at + 2 + 12 * i + 8
                tags[tag] = struct.unpack_from(f"<{count}{size}", b, place)
        yield list(zip(tags[324], tags[325]))
        at, = struct.unpack_from("<I", b, at + 2 + 12 * n)
for name, gone in zip(sys.argv[1:], ({0: (5, 6, 9, 10), 1: (0, 3)}, {1: (0, 3)})):
    b = bytearray(open(name, "rb").read())
    for level, tiles in enumerate(levels(bytes(b))):
        for i in gone.get(level, ()):
            offset, size = tiles[i]
            b[offset:offset + size] = bytes(size)
    open(name, "wb").write(b)
PY
tile=("$MIL" tile "$W/slides" --out "$W/tiles" "${TILES[@]}")
for call in first second; do
  run "${tile[@]}"
  [ $code = 1 ] || complain "$call call: a slide beyond --max-unreadable has failed, not $code"
  has "$W/tiles/failures.csv" '^sim-0001,.*cannot be decoded.*--max-unreadable'
  [ "$(wc -l <"$W/tiles/failures.csv")" = 2 ] || complain "the finer level stands in where tissue is sought"
  absent "$W/tiles/patches/sim-0001.h5"
done
for call in first second; do
  run "$MIL" features "$W/tiles" --out "$W/features"
  [ $code = 1 ] || complain "$call call: features of a slide beyond the limit must fail"
  has "$W/features/failures.csv" '^sim-0004,.*--max-unreadable'
done
ok "${tile[@]}" --max-unreadable 0.9
has "$W/tiles/tiles.csv" 'slide_mpp_source,unreadable,note'
has "$W/tiles/tiles.csv" '^sim-0001,.*,0\.[0-9]+,$'
has "$W/tiles/tiles.csv" '^sim-0004,.*,0,$'
ok "$MIL" features "$W/tiles" --out "$W/features" --max-unreadable 0.9
run "${tile[@]}" # the strict limit again: judged again
[ $code = 1 ] || complain "a tile file beyond the limit is not finished"
ok "$MIL" run "$W/slides" --labels "$DATA/labels.csv" --out "$W/chain" "${TILES[@]}" --folds 2 --validation 0 --epochs 2 --hidden 8 --attention 8 --heatmaps 6 --max-unreadable 0.9
has "$W/chain/predictions.csv" ',unreadable$'
has "$W/chain/predictions.csv" '^sim-0001,.*,0\.[0-9]+$'
has "$W/chain/report.html" '% unreadable'

# tiles.csv is of the folder, not of the call.
ok "$MIL" tile "$DATA/slides/sim-0003.tif" --out "$W/one" "${TILES[@]}"
ok "$MIL" tile "$DATA/slides/sim-0004.tif" --out "$W/one" "${TILES[@]}"
[ "$(grep -c '^sim-' "$W/one/tiles.csv")" = 2 ] || complain "tiles.csv has lost a slide of an earlier call"

# --slide-mpp is for slides that state none; a manifest replaces.
ok "$MIL" tile "$W/slides/sim-0003.tif" --out "$W/stated" "${TILES[@]}" --slide-mpp 0.25
has "$W/err" 'warning: .*states 0.5 um per pixel.*which stands'
same <(tail -1 "$W/stated/tiles.csv") <(grep '^sim-0003' "$W/one/tiles.csv") "a stated resolution must stand"
printf 'slide,mpp\n%s,0.25\n' "$W/slides/sim-0003.tif" >"$W/manifest.csv"
ok "$MIL" tile "$W/manifest.csv" --out "$W/stated" "${TILES[@]}"
has "$W/stated/tiles.csv" '^sim-0003,.*,0.25,override,'

# The manifest's patients beside a table of labels that has none.
{
  echo slide,case_id
  for i in 3 4 5 6 7 8 9; do echo "$DATA/slides/sim-000$i.tif,p$((i / 2))"; done
} >"$W/manifest.csv"
printf 'slide_id,label\nsim-0003,a\nsim-0004,a\nsim-0005,b\nsim-0006,b\n' >"$W/plain.csv"
sed '$a sim-0007,b\nsim-0008,a\nsim-0009,a' "$W/plain.csv" >"$W/seven.csv"
ok "$MIL" run "$W/manifest.csv" --labels "$W/seven.csv" --out "$W/patients" "${TILES[@]}" --folds 2 --validation 0 --epochs 1 --heatmaps 0
has "$W/patients/model/labels.csv" '^sim-0004,a,p2$'

# A finished run is one of the same patients and the same split.
cp "$DATA/labels.csv" "$W/labels.csv"
ok "${train[@]}" --labels "$W/labels.csv" --out "$W/run"
ok "${train[@]}" --labels "$W/labels.csv" --out "$W/run"
has "$W/err" 'is finished'
sed -E 's/^patient-000[1-4],/patient-0001,/' "$DATA/labels.csv" >"$W/labels.csv"
ok "${train[@]}" --labels "$W/labels.csv" --out "$W/run"
grep -q 'is finished' "$W/err" && complain "corrected patients must train anew"
given=("${train[@]}" --labels "$DATA/labels.csv" --splits "$W/given.csv" --out "$W/given")
awk -F, 'NR == 1 {print "bag,part"} NR > 1 {n = substr($1, 12) + 0; print $2 "," (n % 3 == 0 ? "test" : "train")}' "$DATA/labels.csv" >"$W/given.csv"
ok "${given[@]}"
ok "${given[@]}"
has "$W/err" 'is finished'
sed -i 's/,train$/,x/; s/,test$/,train/; s/,x$/,test/' "$W/given.csv"
run "${given[@]}"
grep -q 'is finished' "$W/err" && complain "another split must train anew"
refused 1 'not among the bags|lacks bag' "${train[@]}" --labels "$DATA/labels.csv" --splits <(printf 'bag,part\nx,train\n') --out "$W/given"

# evaluate: bags that were trained on are no test; labels alone have no effect; a run without a test part says so.
ok "$MIL" evaluate --run "$W/run" --bags "$DATA/features" --labels "$DATA/labels.csv" --json
json '0 < d["n"] < 10'
has "$W/err" 'warning: .*left out.*was trained on them'
refused 2 'without bags' "$MIL" evaluate --run "$W/run" --labels nosuch.csv
ok "${train[@]}" --labels "$DATA/labels.csv" --test 0 --out "$W/untested"
ok "$MIL" evaluate --run "$W/untested" --json
json 'd["part"] == "validation" and "auc" in d'

# What is read is not written over, and what cannot be written is told before the work.
cp "$DATA/truth/sim-0003.geojson" "$W/sim-0003.geojson"
refused 2 'written over' "$MIL" heatmap --run "$W/run" --slide "$W/slides/sim-0003.tif" --truth "$W/sim-0003.geojson" --out "$W/sim-0003.png"
same "$W/sim-0003.geojson" "$DATA/truth/sim-0003.geojson" "the truth was written over"
refused 2 'written over' "$MIL" heatmap --run "$W/run" --slide "$DATA/slides" --truth "$DATA/truth" --out "$DATA/truth"
refused 2 'written over' "$MIL" features "$W/one" --out "$W/one/patches"
cp "$W/run/model.safetensors" "$W/kept"
refused 2 'written over' "$MIL" evaluate --run "$W/run" --out "$W/run/model.safetensors"
same "$W/run/model.safetensors" "$W/kept" "the model was written over"
refused 2 'written over' "$MIL" evaluate --run "$W/run" --out "$W/labels.csv"
refused 2 'written over' "$MIL" predict --run "$W/run" "$W/slides" --out "$W/slides/sim-0003.tif"
refused 2 'written over' "$MIL" predict --run "$W/run" "$W/features" --out "$W/features/sim-0003.h5"
refused 2 'written over' "$MIL" cv --bags "$DATA/features" --labels "$W/labels.csv" --attention-report "$W/labels.csv" --folds 2 --epochs 1
mkdir "$W/listed"
cp "$W/manifest.csv" "$W/listed/tiles.csv"
refused 2 'written over' "$MIL" tile "$W/listed/tiles.csv" --out "$W/listed" "${TILES[@]}"
same "$W/listed/tiles.csv" "$W/manifest.csv" "the manifest was written over"
ok "$MIL" predict --run "$W/run" "$DATA/slides/sim-0003.tif" --features "$W/store" --out "$W/p3.csv"
refused 2 'written over' "$MIL" predict --run "$W/run" "$DATA/slides/sim-0003.tif" --features "$W/store" --out "$W/store/sim-0003.h5"
refused 2 'two things' "$MIL" predict --run "$W/run" "$DATA/features" --out "$W/p4.csv" --attention-report "$W/p4.csv"
cp "$W/given/splits.csv" "$W/splits.csv"
refused 2 'written over' "${train[@]}" --labels "$DATA/labels.csv" --splits "$W/given/splits.csv" --out "$W/given"
same "$W/given/splits.csv" "$W/splits.csv" "the given split was written over"
refused 2 'two things' "${train[@]}" --labels "$DATA/labels.csv" --out "$W/n" --attention-report "$W/n/report.html"
ok "$MIL" cv --bags "$DATA/features" --labels "$DATA/labels.csv" --out "$W/cv" --attention-report "$W/cv/report.html" --folds 2 --epochs 1 --hidden 8 --attention 8 --threads 1
exists "$W/cv/report.html" "$W/cv/predictions.csv"
refused 2 'written over' "$MIL" run "$DATA/slides" --labels "$DATA/labels.csv" --truth "$DATA/truth" --out "$W/n" "${TILES[@]}" --attention-report "$DATA/truth/sim-0003.geojson"
# What a finished run has lost is made again.
rm "$W/run/splits.csv" "$W/run/source.json"
ok "${train[@]}" --labels "$W/labels.csv" --out "$W/run"
exists "$W/run/splits.csv" "$W/run/source.json"
# Tile files of one slide under two names; of ours the file's name counts.
mkdir "$W/twice"
cp "$W/one/patches/sim-0003.h5" "$W/twice/case-a.h5"
ok "$MIL" features "$W/twice" --out "$W/renamed"
exists "$W/renamed/case-a.h5"
# A picture beside feature files is a preview, not a slide.
mkdir "$W/beside"
cp "$DATA/features/sim-0003.h5" "$W/beside"
cp "$W/one/previews/sim-0003.jpg" "$W/beside"
ok "$MIL" predict --run "$W/run" "$W/beside" --out "$W/p5.csv"
ok "$MIL" info "$W/beside" --json
json 'd["kind"] == "folder of features"'
cp "$DATA/slides/sim-0003.tif" "$W/beside"
refused 2 'side by side' "$MIL" predict --run "$W/run" "$W/beside" --out "$W/p5.csv"
ok "$MIL" predict --run "$W/run" "$DATA/features" --out "$W/not-made/p.csv" --dry-run
absent "$W/not-made"
ok "$MIL" heatmap --run "$W/run" --slide "$DATA/slides/sim-0003.tif" --out "$W/one.png" --json
json 'd["done"] == 1 and d["total"] == 1'
# The user's own table of labels lies where the chain writes.
mkdir -p "$W/own/slides"
cp -p "$DATA"/slides/sim-000[3-6].tif "$W/own/slides"
{ echo slide_id,label,note; cat <(tail -n +2 "$W/plain.csv" | sed 's/$/,mine/'); echo sim-0009,a,mine; } >"$W/own/labels.csv"
cp "$W/own/labels.csv" "$W/own-labels.csv"
own=("$MIL" run "$W/own/slides" --labels "$W/own/labels.csv" --out "$W/own" "${TILES[@]}" --folds 2 --validation 0 --epochs 1 --hidden 8 --attention 8 --heatmaps 1)
ok "${own[@]}"
same "$W/own/labels.csv" "$W/own-labels.csv" "the user's labels were written over"
has "$W/err" 'warning: 1 labelled slide of .*sim-0009'
ok "${own[@]}"
has "$W/err" 'is finished'
for gone in predictions.csv "heatmaps/sim-0003.png" model/model.safetensors; do # what is missing is made again
  rm "$W/own/$gone"
  ok "${own[@]}"
  exists "$W/own/$gone"
done
for gone in model/splits.csv cv/aem-0.1/predictions.csv; do
  rm "$W/own/$gone"
  ok "${own[@]}"
  exists "$W/own/$gone"
done
echo damaged >"$W/own/model/model.safetensors"
ok "${own[@]}"
absent "$W/own/report.html.stale"
ok "$MIL" info "$W/own/model/model.safetensors"
# Options that do not suit a slide set nothing aside; a slide that does not suit the model has failed.
printf 'slide,mpp\n%s,4\n' "$DATA/slides/sim-0003.tif" >"$W/coarse.csv"
refused 1 'does not suit the model' "$MIL" heatmap --run "$W/run" --slide "$W/coarse.csv" --out "$W/coarse.png"
run "$MIL" tile "$W/own/slides" --out "$W/own/tiles" --mpp 0.05 --tile 64
[ $code = 1 ] || complain "tiles of 0.05 um per px must fail"
exists "$W/own/tiles/patches/sim-0003.h5"
refused 2 'names a folder' "$MIL" predict --run "$W/run" "$DATA/features" --out "$W"
refused 2 'names a folder' "$MIL" predict --run "$W/run" "$DATA/features" --out "$W/p5/"
refused 2 'names a folder' "${train[@]}" --labels "$DATA/labels.csv" --out "$W/run" --attention-report "$W"
ok "${train[@]}" --labels "$DATA/labels.csv" --out "$W/told" --attention-report "$W/no-dir/a.html"
exists "$W/no-dir/a.html"

# predict: what is finished is skipped, what changed is done again, a name twice is refused.
ok "$MIL" predict --run "$W/run" "$DATA/features" --out "$W/p.csv" --json
json 'd["done"] == 10 and len(d["predictions"]) == 10'
cp "$W/p.csv" "$W/p-1.csv"
rm "$W/p.csv" "$W/p.parts/sim-0007.json"
ok "$MIL" predict --run "$W/run" "$DATA/features" --out "$W/p.csv" --json
json 'd["done"] == 1 and d["skipped"] == 9 and len(d["predictions"]) == 10'
same "$W/p.csv" "$W/p-1.csv"
ok "$MIL" predict --run "$W/told" "$DATA/features" --out "$W/p.csv" --json
json 'd["done"] == 10'
refused 1 'would both be written' "$MIL" predict --run "$W/run" "$DATA/features" "$DATA/slides/sim-0001.tif" --out "$W/q.csv"
printf 'bag,f0,f1\na,1,2\nb,2,1\na,3,3\nb,0,1\nc,1,1\nd,2,2\n' >"$W/unlabelled.csv"
printf 'slide,grade,pid,f0,f1\na,0,7,1,2\nb,1,8,2,1\na,0,7,3,3\nb,1,8,0,1\nc,0,9,1,1\nd,1,6,2,2\n' >"$W/columns.csv"
columns=(--id-column slide --label-column grade --patient-column pid)
ok "$MIL" train --bags "$W/columns.csv" "${columns[@]}" "${TRAIN[@]}" --validation 0 --test 0 --out "$W/csv"
ok "$MIL" predict --run "$W/csv" "$W/unlabelled.csv" --out "$W/u.csv"
[ "$(grep -c '^[abcd],' "$W/u.csv")" = 4 ] || complain "unlabelled bags are to be predicted"
refused 1 "'pdi'.*pid" "$MIL" cv --bags "$W/columns.csv" --id-column slide --label-column grade --patient-column pdi --folds 2

# A dry run tells each item, to programs, too.
ok "$MIL" tile "$DATA/slides" --out "$W/one" "${TILES[@]}" --dry-run --json
json '[p["action"] for p in d["plan"]] == ["run"] * 2 + ["skip"] * 2 + ["run"] * 6 and d["plan"][0]["item"] == "sim-0001"'

# Options without effect.
refused 2 'mean has no attention' "${train[@]}" --labels "$DATA/labels.csv" --out "$W/n" --model mean --aem 0.5
refused 2 '--momentum has no effect' "${train[@]}" --labels "$DATA/labels.csv" --out "$W/n" --momentum 0.5
refused 2 '--patience has no effect' "${train[@]}" --labels "$DATA/labels.csv" --out "$W/n" --patience 3 --validation 0
refused 2 'number of epochs' "${train[@]}" --labels "$DATA/labels.csv" --out "$W/n" --min-epochs 50
refused 2 '--compare-aem has no effect' "$MIL" run "$DATA/slides" --labels "$DATA/labels.csv" --out "$W/n" --compare-aem --aem 0
refused 2 '--shard' "$MIL" heatmap --run "$W/run" --slide "$W/slides/sim-0003.tif" --out "$W/x.png" --shard 1/2
refused 2 'no labels' "$MIL" run "$DATA/slides" --out "$W/n"
absent "$W/n"
finish
