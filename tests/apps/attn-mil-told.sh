#!/usr/bin/env bash
# What a person is told in time: labels that no training can use before hours of slides, results that are replaced, one
# mistake once, what ended a run, what colours mean.
source "$(dirname "$0")/support.sh"
chain=("$MIL" run "$DATA/slides" "${TILES[@]}" --folds 3 --epochs 2 --hidden 8 --attention 8 --heatmaps 2)

# Labels: the wrong column, too many folds, one class. No slide is looked at.
sed '1s/$/,age/; 2,$s/$/,7/' "$DATA/labels.csv" | awk -F, -v OFS=, 'NR > 1 {$4 = NR} {print}' >"$W/ages.csv"
refused 1 '10 classes.*--label-column' "${chain[@]}" --labels "$W/ages.csv" --label-column age --out "$W/wrong"
has "$W/err" '^10 bags of [0-9]+ patients: '
has "$W/err" '^warning: .*single patient.*--label-column'
refused 1 'too few patients for 300 folds: .*; ask for fewer by --folds' "${chain[@]}" --labels "$DATA/labels.csv" --folds 300 --out "$W/wrong"
awk -F, -v OFS=, 'NR > 1 {$3 = "tumor"} {print}' "$DATA/labels.csv" >"$W/one.csv"
refused 1 'at least two classes' "${chain[@]}" --labels "$W/one.csv" --out "$W/wrong"
absent "$W/wrong"
# Who is in which fold without --stratified depends on the slides that come through: nothing is refused beforehand.
mkdir "$W/six" && cp -p "$DATA"/slides/sim-000[1-5].tif "$W/six" && echo broken >"$W/six/sim-0006.tif"
for seed in 4 9; do
  run "$MIL" run "$W/six" --labels "$DATA/labels.csv" "${TILES[@]}" --folds 2 --epochs 1 --hidden 8 --attention 8 --heatmaps 0 \
    --validation 0 --no-stratified --seed $seed --out "$W/six-$seed"
  has "$W/six-$seed/failures.csv" '^sim-0006,'
done

# The page says what it shows: simulated slides, parts, relative colours.
ok "${chain[@]}" --labels "$DATA/labels.csv" --out "$W/chain"
for text in 'slides are simulated' 'Attention entropy maximisation' 'Of the (train|validation) part' 'not that there is disease' 'For research'; do
  has "$W/chain/report.html" "$text"
done
has "$W/chain/model/report.html" 'For research'
has "$(ls "$W"/chain/heatmaps/*.geojson | head -1)" 'Attention percentile 90-100'

# A finished run of other options is not replaced in silence; the same call does nothing.
train=("$MIL" train --bags "$DATA/features" --labels "$DATA/labels.csv" "${TRAIN[@]}")
ok "${train[@]}" --out "$W/run"
ok "${train[@]}" --out "$W/./run"
has "$W/err" 'is finished; --no-resume trains anew'
ok "${train[@]}" --out "$W/run" --aem 0.2
has "$W/err" '^warning: .*finished run of other options \(--aem 0.0, now 0.2\)'
ok "${train[@]}" --out "$W/run" --aem 0.3 --no-resume
grep -q 'other options' "$W/err" && complain "--no-resume asks for it"
run "${chain[@]}" --labels "$DATA/labels.csv" --out "$W/chain" --tile 96
grep -m 1 -n 'warning: .*finished run of other options (--tile 64, now 96)' "$W/err" | grep -q '^[12]:' || complain "told before the work"
[ "$(grep -c 'finished run of' "$W/err")" = 1 ] || complain "told once"
small=(--out "$W/sim" --slides 2 --width 512 --height 512 --foci 1 --focus-diameter 40)
ok "$MIL" simulate "${small[@]}" --seed 7
ok "$MIL" simulate "${small[@]}" --seed 8
has "$W/err" '^warning: .*2 slides are replaced'

# What ended a run is in its record, and info tells it.
refused 1 'too few' "${train[@]}" --out "$W/failed" --validation 0.45 --test 0.45 --label-column slide_id
ok "$MIL" info "$W/failed" --json
json 'd["status"] == "failed" and "too few" in d["error"]'
mkdir "$W/chain-2" && cp -r "$W/chain/tiles" "$W/chain/features" "$W/chain-2" && mkdir -p "$W/chain-2/model/metrics.csv"
run "${chain[@]}" --labels "$DATA/labels.csv" --out "$W/chain-2" --tile 96
[ $code = 1 ] || complain "a model that cannot be trained must end run with 1, not $code"
for folder in "$W/chain-2" "$W/chain-2/model"; do
  ok "$MIL" info "$folder" --json
  json 'd["status"] == "failed" and "metrics.csv" in d["error"]'
done

# One mistake is warned of three times at most, and listed for every slide.
mkdir "$W/bad"
for n in 1 2 3 4 5 6; do echo broken >"$W/bad/s$n.svs"; done
run "$MIL" tile "$W/bad" --out "$W/bad-tiles" "${TILES[@]}"
[ $code = 1 ] || complain "broken slides must end tile with 1, not $code"
[ "$(grep -c '^warning: ' "$W/err")" = 4 ] || complain "three warnings and a last one: $(grep -c '^warning: ' "$W/err")"
[ "$(wc -l <"$W/bad-tiles/failures.csv")" = 7 ] || complain "every failure is listed"

# Options are named as they are typed; folders of another kind get a hint; pictures beside features are told.
run "$MIL" tile "$DATA/slides/sim-0001.tif" --out "$W/fine" --mpp 0.1
has "$W/err" '--max-upsampling'
refused 1 'the verb features' "$MIL" predict --run "$W/run" "$DATA/tiles" --out "$W/p.csv"
refused 1 'its subfolder slides' "$MIL" tile "$DATA" --out "$W/t"
cp -r "$DATA/features" "$W/beside"
cp "$(ls "$DATA"/tiles/previews/*.jpg | head -1)" "$W/beside"
ok "$MIL" predict --run "$W/run" "$W/beside" --out "$W/p.csv"
has "$W/err" '^warning: .*the pictures beside them, 1, are not'
ok "$MIL" cv --bags "$DATA/features" --labels "$DATA/labels.csv" --folds 3 --repeats 1 --epochs 1 --hidden 8 --attention 8 --json
json 'd["config"]["model"]["input"] == 136'
finish
