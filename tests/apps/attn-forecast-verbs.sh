#!/usr/bin/env bash
# Every verb on small simulated series, one after the other as a person would.
source "$(dirname "$0")/attn-forecast-support.sh"
cd "$W" || exit 1
exists "$DATA/series.csv" "$DATA/panel.csv" "$DATA/run/model.safetensors"
sha256sum "$DATA"/*.csv >"$W/sums"

# simulate: the same for the same seed, wide or long, Parquet.
ok "$F" simulate --out s.csv --rows 600 --seed 3
same s.csv "$DATA/series.csv" "the same seed must give the same series"
ok "$F" simulate --out t.csv --rows 600 --seed 8
cmp -s s.csv t.csv && complain "another seed must give another series"
ok "$F" simulate --out p.parquet --series 5 --rows 300 --seed 4 --json
json 'd["series"] == 5 and d["rows"] == 300'
ok "$F" simulate --out wide.csv --series 5 --rows 300 --seed 4 --layout wide
[ "$(head -1 wide.csv)" = date,S1,S2,S3,S4,S5 ] || complain "wide: $(head -1 wide.csv)"
ok "$F" info wide.csv --json
json 'd["kind"] == "series" and d["layout"] == "wide" and d["channels"] == ["S1", "S2", "S3", "S4", "S5"] and d["rows"] == 300'
refused 2 'no room; use long' "$F" simulate --out x.csv --series 2 --layout wide --covariates
refused 2 'out of range' "$F" simulate --out x.csv --rows 0
refused 2 'frequency' "$F" simulate --out x.csv --freq index

# train: files, the same again, left alone when finished, replaced with a warning.
train=("$F" train --data "$DATA/series.csv" "${SMALL[@]}")
ok "${train[@]}" --out run --attention-report attention.html
exists run/run.json run/metrics.csv run/model.safetensors run/report.html attention.html
has "$W/err" 'training and [0-9]+ validation windows, at most [0-9]+ steps.*of memory'
has "$W/out" '^validation '
same run/model.safetensors "$DATA/run/model.safetensors" "same seed, same model, with and without --attention-report"
for part in '<h2>Training</h2>' '<h2>Forecasts and what came</h2>' '<h2>Error by horizon</h2>' '<h2>Patches</h2>' 'Settings and versions'; do
  has run/report.html "$part"
done
has attention.html 'epoch'
for layer in training.encoder.0 training.encoder.0.cross validation.global.0; do has attention.html "$layer"; done
grep -Eq 'src="?http|<script' run/report.html && complain "the page must fetch and run nothing"
no_leftovers run
ok "${train[@]}" --out run --json
has "$W/err" 'is finished; --no-resume trains anew'
json 'd["metrics"]["validation"]["windows"] > 0'
ok "${train[@]}" --out run --seed 2
has "$W/err" '^warning: .*finished run of other options \(--seed 1, now 2\)'
cmp -s run/model.safetensors "$DATA/run/model.safetensors" && complain "another seed must give another model"
cp "$DATA/run/model.safetensors" run/model.safetensors # not what run.json tells of
ok "${train[@]}" --out run --seed 2
grep -q 'is finished' "$W/err" && complain "another model's file is no finished run"
ok "${train[@]}" --threads 2 --out run-2
same run-2/model.safetensors "$DATA/run/model.safetensors" "two threads must give the model of one"
for network in dlinear patchtst seasonal-naive; do
  ok "$F" train --data "$DATA/series.csv" --network $network --horizon 12 --lookback 48 --max-epochs 1 --threads 1 --out $network
  ok "$F" forecast --run $network --data "$DATA/series.csv" --out $network.csv
  csv $network.csv 'len(r) == 12 and all(float(x["lower-80"]) < float(x["forecast"]) < float(x["upper-80"]) for x in r)'
done
ok "$F" train --data "$DATA/series.csv" "${SMALL[@]}" --validation 0 --test 0.2 --out no-validation
has "$W/err" '^warning: .*no intervals'
ok "$F" forecast --run no-validation --data "$DATA/series.csv" --out no-validation.csv
[ "$(head -1 no-validation.csv)" = channel,date,forecast ] || complain "no intervals: $(head -1 no-validation.csv)"
refused 2 'interval' "$F" forecast --run no-validation --data "$DATA/series.csv" --levels 80
echo '{"entrope": {"width": 4}, "patching": {"boundaries": {"rule": "fixed", "length": 6}}}' >settings.json
ok "$F" train --data "$DATA/series.csv" --settings settings.json --horizon 12 --lookback 48 --max-epochs 1 --out set
ok "$F" info set --json
json 'd["kind"] == "run directory" and d["model"]["options"]["entrope"]["width"] == 4 and d["model"]["options"]["patching"]["boundaries"]["rule"] == "fixed"'

# forecast: future stamps and original units, nested intervals, CSV, Parquet, JSON and stdout alike; pictures.
forecast=("$F" forecast --run "$DATA/run" --data "$DATA/series.csv")
ok "${forecast[@]}" --levels 80,95 --out future.csv --plot future.svg
has "$W/out" '^channel +date +forecast +lower-80'
has "$W/out" '^future.csv$'
last=$(tail -1 "$DATA/series.csv" | cut -d, -f1)
csv future.csv "len(r) == 12 and r[0]['date'] > '$last' and r[0]['channel'] == 'value'"
csv future.csv 'all(float(x["lower-95"]) <= float(x["lower-80"]) < float(x["upper-80"]) <= float(x["upper-95"]) for x in r)'
csv future.csv 'all(5 < float(x["forecast"]) < 45 for x in r)' # the level is 20
has future.svg '<svg '
xml future.svg
ok "${forecast[@]}"
same "$W/out" future.csv "stdout and --out must be alike"
ok "${forecast[@]}" --out future.json
ok "${forecast[@]}" --out future.parquet
ok "${forecast[@]}" --horizon 5 --levels none --out five.csv --plot page.html
csv five.csv 'len(r) == 5 and list(r[0]) == ["channel", "date", "forecast"]'
exists page.html
refused 2 'horizon' "${forecast[@]}" --horizon 13
refused 2 'level' "${forecast[@]}" --levels 80,120
refused 2 'level' "${forecast[@]}" --levels high
ok bash -c 'cat "$1" | "$0" forecast --run "$2" --data - --out stdin.csv' "$F" "$DATA/series.csv" "$DATA/run"
same stdin.csv future.csv "standard input must give what the file gives"
gzip -c "$DATA/series.csv" >series.csv.gz
ok "$F" forecast --run "$DATA/run" --data series.csv.gz --out gzip.csv
same gzip.csv future.csv "a packed file must give what the file gives"
ok "${forecast[@]}" --threads 2 --out two.csv
same two.csv future.csv "two threads must give what one gives"

# plot: from files alone.
ok "$F" plot --data "$DATA/series.csv" --forecast future.csv --last 100 --out a.svg
ok "$F" plot --data "$DATA/series.csv" --forecast future.json --last 100 --out b.svg
ok "$F" plot --data "$DATA/series.csv" --forecast future.parquet --last 100 --out c.svg
same a.svg b.svg "CSV and JSON must give one picture"
same a.svg c.svg "CSV and Parquet must give one picture"
ok "$F" plot --data "$DATA/series.csv" --out d.svg
ok "$F" plot --forecast future.csv --out e.html --json
json 'd["pictures"] == 1'
ok "$F" plot --data "$DATA/panel.csv" --out f.html --json
json 'd["pictures"] == 5'
ok "$F" plot --data "$DATA/panel.csv" --series S3 --out g.svg
refused 1 "did you mean 'S3'|those there are S1" "$F" plot --data "$DATA/panel.csv" --series s3 --out h.svg
refused 1 'is no forecast' "$F" plot --forecast "$DATA/series.csv" --out h.svg
refused 1 'holds nothing of' "$F" plot --data "$DATA/panel.csv" --forecast future.csv --out h.svg
absent h.svg
for picture in a.svg d.svg g.svg; do xml $picture; done

# patch: boundaries cover the look-back; picture; JSON.
patch=("$F" patch --run "$DATA/run" --data "$DATA/series.csv")
ok "${patch[@]}" --plot patches.svg
cp "$W/out" patches.csv
csv patches.csv 'sum(int(x["length"]) for x in r) == 48 and r[-1]["last"] == "'"$last"'"'
xml patches.svg
ok "${patch[@]}" --windows 3 --out three.csv --plot patches.html
csv three.csv 'sum(int(x["length"]) for x in r) == 144 and {x["window"] for x in r} == {"1", "2", "3"}'
ok "${patch[@]}" --json
json 'sum(p["length"] for p in d["windows"][0]["patches"]) == 48 and d["thresholds"]'
refused 1 'cuts no patches' "$F" patch --run dlinear --data "$DATA/series.csv"

# backtest: all methods, all windows, report, forecasts beside what came; a refit.
backtest=("$F" backtest --run "$DATA/run" --data "$DATA/series.csv" --threads 1)
ok "${backtest[@]}" --windows 4 --refit 0 --report backtest.html --forecasts backtest.csv
for method in 'EntroPE|entrope' 'DLinear|dlinear' 'naive'; do has "$W/out" "$method"; done
exists backtest.html
csv backtest.csv 'len(r) == 48'
ok "${backtest[@]}" --windows 4 --refit 0 --report backtest.svg --json
json 'd["windows"] == 4 and d["horizon"] == 12 and len(d["methods"]) == 4 and all(m["mae"] > 0 for m in d["methods"].values())'
xml backtest.svg
ok "${backtest[@]}" --windows 3 --stride 5 --refit 2 --no-dlinear --out again --json
json 'd["refits"] == 2 and d["stride"] == 5 and len(d["methods"]) == 3'
exists again/report.html again/run.json again/forecasts.csv

# evaluate: a protocol, several seeds, baselines; kept models are not trained again.
evaluate=("$F" evaluate --data "$DATA/series.csv" --protocol 70-10-20 --horizon 12 --lookback 48 --max-epochs 1 --entropy-epochs 1 --vocabulary 64 --width 8 --threads 1)
ok "${evaluate[@]}" --seeds 2 --baselines dlinear --out evaluation --json
cp "$W/out" first.json
json 'd["mse"]["mean"] > 0 and d["mae"]["sd"] >= 0 and len(d["methods"]) == 4'
ok "${evaluate[@]}" --seeds 2 --baselines dlinear --out evaluation --json
python3 - first.json "$W/out" <<'PY' || complain "an evaluation that is called again must say the same"
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
sys.exit(a["mse"] != b["mse"] or a["mae"] != b["mae"])
PY
ok "${evaluate[@]}" --baselines none --no-naive
[ "$(grep -c . "$W/out")" = 3 ] || complain "one line a method, and no more"

# A panel, covariates, a folder of files.
ok "$F" train --data "$DATA/panel.csv" "${SMALL[@]}" --out panel
ok "$F" forecast --run panel --data "$DATA/panel.csv" --out panel.csv --plot panel.html
csv panel.csv 'len(r) == 60 and [x["id"] for x in r[::12]] == ["S1", "S2", "S3", "S4", "S5"]'
ok "$F" forecast --run panel --data "$DATA/panel.csv" --series S4 --plot s4.svg
has s4.svg 'S4'
roles=(--target value --past weather --future promotion --static size)
ok "$F" train --data "$DATA/covariates.csv" "${roles[@]}" "${SMALL[@]}" --out covariates
ok "$F" forecast --run covariates --data "$DATA/covariates.csv" --out covariates.csv
csv covariates.csv 'len(r) == 36'
mkdir folder
cp "$DATA/series.csv" folder/one.csv
cp series.csv.gz folder/two.csv.gz
echo 'date,value' >folder/bad.csv
run "$F" forecast --run "$DATA/run" --data folder --out futures --json
[ $code = 1 ] || complain "a bad file must end a folder with 1, not $code"
json 'd["done"] == 2 and [f["item"] for f in d["failed"]] == ["bad.csv"]'
same futures/one.csv future.csv
same futures/two.csv future.csv
has futures/failures.csv '^bad.csv,'
rm folder/bad.csv
ok "$F" forecast --run "$DATA/run" --data folder --out futures --json
json 'd["skipped"] == 2 and d["done"] == 0'
absent futures/failures.csv
ok "$F" forecast --run "$DATA/run" --data folder --out futures --levels 50 --dry-run
[ "$(grep -c '^run' "$W/out")" = 2 ] || complain "other levels: both are to be made again"
echo more >>futures/one.csv
ok "$F" forecast --run "$DATA/run" --data folder --out futures --json
json 'd["skipped"] == 1 and d["done"] == 1'
same futures/one.csv future.csv "a changed forecast must be made again"

# info on all of it.
for what in "$DATA/series.csv" future.csv "$DATA/run" "$DATA/run/model.safetensors" panel; do ok "$F" info "$what"; done
ok "$F" info "$DATA/panel.csv" --json
json 'd["layout"] == "long" and d["series"] == 5 and d["shortest"] == d["longest"] == 300'

sha256sum -c --quiet "$W/sums" >&2 || complain "an original file was touched"
finish
