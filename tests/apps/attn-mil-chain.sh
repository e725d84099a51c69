#!/usr/bin/env bash
# Every verb on small simulated slides, one after the other as the README shows them.
source "$(dirname "$0")/support.sh"
slide=$DATA/slides/sim-0001.tif
exists "$slide" "$DATA/labels.csv" "$DATA/truth/sim-0001.geojson"

ok "$MIL" simulate --out "$DATA" --slides 10 --seed 3 --width 1024 --height 1024 --foci 1 --focus-diameter 120 --json
json 'd["drawn"] == 0 and d["skipped"] == 10'

ok "$MIL" tissue "$DATA/slides" --out "$W/tissue"
exists "$W/tissue/previews/sim-0001.jpg" "$W/tissue/outlines/sim-0001.geojson" "$W/tissue/tissue/sim-0001.json"

# Tiles: skip what is finished, redo what was made otherwise, shards, dry run.
ok "$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}"
exists "$W/tiles/patches/sim-0001.h5" "$W/tiles/previews/sim-0001.jpg" "$W/tiles/tiles.csv"
absent "$W/tiles/failures.csv"
[ "$(wc -l <"$W/tiles/tiles.csv")" = 11 ] || complain "tiles.csv must have a row for each slide"
ok "$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}" --json
json 'd["done"] == 0 and d["skipped"] == 10'
ok "$MIL" tile "$DATA/slides" --out "$W/tiles" --mpp 1.0 --tile 128 --dry-run
[ "$(grep -c '^run' "$W/out")" = 10 ] || complain "other tiles: all must run again"
rm "$W/tiles/patches/sim-0002.h5"
head -c 1000 "$W/tiles/patches/sim-0003.h5" >"$W/cut" && cp "$W/cut" "$W/tiles/patches/sim-0003.h5"
ok "$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}" --json
json 'd["done"] == 2 and d["skipped"] == 8'
mv "$W/tiles" "$W/whole" # the files name their place (CLAM's save_path): compare at the same place
for part in 1 2 3; do ok "$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}" --shard $part/3; done
for file in "$W"/whole/patches/*.h5; do same "$file" "$W/tiles/patches/$(basename "$file")"; done
exists "$W/tiles/tiles.csv"

ok "$MIL" features "$W/tiles" --out "$W/features"
exists "$W/features/sim-0001.h5"
for file in "$W"/features/*.h5; do same "$file" "$DATA/features/$(basename "$file")" "the same slides must give the same features"; done
ok "$MIL" features "$W/tiles" --out "$W/features-1" --threads 1
same "$W/features-1/sim-0001.h5" "$W/features/sim-0001.h5" "features must not depend on the threads"
ok "$MIL" features "$W/tiles" --out "$W/features" --json
json 'd["skipped"] == 10'
no_leftovers "$W"

# Train, evaluate, predict.
train=("$MIL" train --bags "$W/features" --labels "$DATA/labels.csv" --model abmil --aem 0.1 --seed 1 "${TRAIN[@]}")
ok "${train[@]}" --out "$W/run" --attention-report "$W/attention.html"
exists "$W/run/run.json" "$W/run/metrics.csv" "$W/run/splits.csv" "$W/run/predictions.csv" "$W/run/model.safetensors" "$W/run/report.html" "$W/attention.html"
has "$W/run/predictions.csv" 'attention_entropy'
ok "${train[@]}" --out "$W/again"
same "$W/run/model.safetensors" "$W/again/model.safetensors" "same seed, same model, with and without --attention-report"
same "$W/run/metrics.csv" "$W/again/metrics.csv"
same "$W/run/predictions.csv" "$W/again/predictions.csv"
for layer in training validation prediction; do has "$W/attention.html" "$layer[.]attention, head 0, epoch [1-5]: normalised entropy [01][.]"; done
has "$W/attention.html" '<h2>Over the epochs</h2>'
has "$W/attention.html" '<h2>Every bag</h2>'
has "$W/attention.html" 'sim-0001'
ok "${train[@]}" --out "$W/run" --attention-report "$W/finished.html"
has "$W/finished.html" 'all was finished before'
has "$W/finished.html" 'sim-0001'
ok "${train[@]}" --out "$W/run"
has "$W/err" 'is finished'
for model in mean max abmil-plain; do
  ok "$MIL" train --bags "$W/features" --labels "$DATA/labels.csv" --model $model --aem-schedule cosine "${TRAIN[@]}" --out "$W/run-$model"
done
refused 2 '--labels' "$MIL" train --bags "$W/features" "${TRAIN[@]}" --out "$W/no-labels"
ok "$MIL" evaluate --run "$W/run" --json --attention-report "$W/evaluated.html"
has "$W/evaluated.html" 'prediction[.]attention, head 0'
json '0 <= d["auc"] <= 1 and d["n"] > 0 and "intervals" in d'
ok "$MIL" evaluate --run "$W/run" --bags "$W/features" --labels "$DATA/labels.csv" --json
has "$W/err" 'are left out, since .* was trained on them'
json '0 < d["n"] < 10'
ok "$MIL" predict --run "$W/run" "$slide" "$DATA/slides/sim-0002.tif" --out "$W/p.csv"
[ "$(wc -l <"$W/p.csv")" = 3 ] || complain "two slides, two predictions"
ok "$MIL" predict --run "$W/run/model.safetensors" "$W/features" --out "$W/q.csv" --attention-report "$W/predicted.html"
has "$W/predicted.html" 'prediction[.]attention, head 0, step 0: .* 10 rows, 10 calls'
[ "$(wc -l <"$W/q.csv")" = 11 ] || complain "ten bags, ten predictions"
same <(grep '^sim-0001,' "$W/p.csv") <(grep '^sim-0001,' "$W/q.csv") "slide and features must be predicted alike"

# Heat maps.
ok "$MIL" heatmap --run "$W/run" --slide "$slide" --out "$W/heat.png" --attention-report "$W/drawn.html"
has "$W/drawn.html" 'prediction[.]attention, head 0, step 0: .* 1 rows, 1 calls'
exists "$W/heat.png" "$W/heat-top-tiles.png" "$W/heat.geojson"
ok "$MIL" heatmap --run "$W/run" --slide "$DATA/slides" --out "$W/heat" --max-side 300 --json
json 'd["done"] == 10'
ok "$MIL" heatmap --run "$W/run" --slide "$DATA/slides" --out "$W/heat" --max-side 300 --json
json 'd["skipped"] == 10'
refused 2 'give a folder' "$MIL" heatmap --run "$W/run" --slide "$DATA/slides" --out "$W/many.png"

# What is it?
for pair in "$slide:slide" "$W/tiles/patches/sim-0001.h5:tiles" "$W/features/sim-0001.h5:features" \
  "$W/run/model.safetensors:model" "$W/run:run" "$DATA/labels.csv:labels"; do
  ok "$MIL" info "${pair%:*}" --json
  json "d['kind'] == '${pair##*:}'"
  ok "$MIL" info "${pair%:*}"
done

# Cross-validation on CSV bags.
python3 - "$W/bags.csv" <<'PY'
import random, sys
random.seed(1)
with open(sys.argv[1], "w") as f:
    f.write("bag,label," + ",".join(f"f{i}" for i in range(4)) + "\n")
    for b in range(24):
        for _ in range(3 + b % 4):
            f.write(f"b{b},{b % 2}," + ",".join(f"{random.gauss(b % 2, 1):.4f}" for _ in range(4)) + "\n")
PY
ok "$MIL" cv --bags "$W/bags.csv" --model abmil --aem 0.1 --folds 4 --repeats 2 --seed 1 --epochs 10 --json
json 'all(0 <= d[k]["mean"] <= 1 and "sd" in d[k] for k in ("accuracy", "auc", "entropy"))'
cp "$W/out" "$W/first.json"
ok "$MIL" cv --bags "$W/bags.csv" --model abmil --aem 0.1 --folds 4 --repeats 2 --seed 1 --epochs 10 --json --threads 1 --out "$W/cv" --attention-report "$W/cv.html"
json 'd["auc"] == __import__("json").load(open("'"$W/first.json"'"))["auc"]'
exists "$W/cv/predictions.csv" "$W/cv/run.json"
has "$W/cv.html" 'prediction[.]attention, head 0, epoch 10: .* 48 rows, 48 calls' # 24 bags, each tested in 2 repeats
ok "$MIL" cv --bags "$W/bags.csv" --model abmil --aem 0.1 --folds 4 --repeats 2 --seed 1 --epochs 10 --json --threads 2 --attention-report "$W/cv-2.html"
json 'd["auc"] == __import__("json").load(open("'"$W/first.json"'"))["auc"]'
has "$W/cv-2.html" 'training[.]attention, head 0, epoch 10: .* 144 rows, 144 calls' # of 18 bags in each of 4 folds, 2 repeats
ok "$MIL" info "$W/bags.csv" --json
json 'd["kind"] == "bags" and d["bags"] == 24'

# The whole chain, with a bad slide among the good ones; then again.
mkdir "$W/slides"
cp "$DATA"/slides/*.tif "$W/slides"
head -c 3000 "$W/slides/sim-0010.tif" >"$W/cut" && mv "$W/cut" "$W/slides/sim-0010.tif"
chain=("$MIL" run "$W/slides" --labels "$DATA/labels.csv" "${TILES[@]}" --out "$W/chain" --folds 3 --epochs 5 --hidden 16 --attention 16 --compare-aem --heatmaps 2)
run "${chain[@]}" --attention-report "$W/chain.html"
[ $code = 1 ] || complain "a bad slide must end the chain with 1, not $code"
[ "$(tail -1 "$W/out")" = "$W/chain/report.html" ] || complain "the report's path is the last line"
has "$W/chain/failures.csv" '^sim-0010,'
exists "$W/chain/report.html" "$W/chain/predictions.csv" "$W/chain/model/model.safetensors" "$W/chain/heatmaps/sim-0001.png"
grep -q 'patient-[0-9]' "$W/chain/report.html" && complain "a patient is named in the report"
for weight in 0.1 0; do has "$W/chain.html" "cross-validation, AEM $weight[.]training[.]attention, head 0"; done
has "$W/chain.html" 'final model[.]training[.]attention, head 0'
has "$W/chain.html" 'heat maps[.]prediction[.]attention, head 0'
for page in "$W/chain/report.html" "$W/chain/model/report.html" "$W/attention.html" "$W/cv.html" "$W/chain.html"; do
  grep -Eq '<svg|src="data:' "$page" || complain "nothing to see in $page"
  outside=$(grep -Eo "(src|href)=[\"']?[^\"' >]{0,80}|url\([^)]{0,80}|@import.{0,80}" "$page" | grep -Ev "=[\"']?(data:|#)")
  [ -z "$outside" ] || complain "$page fetches $outside"
  grep -Eq '<(script|link|iframe|object)' "$page" && complain "$page does not stand alone"
done
cp "$W/out" "$W/first"
run "${chain[@]}"
[ $code = 1 ] || complain "the bad slide is still bad"
has "$W/err" 'is finished'
same "$W/out" "$W/first"
finish
