#!/usr/bin/env bash
# Bad input: one sentence each that names file, row and column, and no original file touched.
source "$(dirname "$0")/attn-forecast-support.sh"
cd "$W" || exit 1
forecast() { refused "$1" "$2" "$F" forecast --run "$DATA/run" --data "$3"; }
train() { refused "$1" "$2" "$F" train --data "$3" "${SMALL[@]}" --out r "${@:4}"; }

# edit FILE PYTHON: the simulated series with its rows `r` (lists, header apart) changed.
edit() {
  python3 - "$DATA/series.csv" "$1" "$2" <<'PY'
import csv, sys
header, *r = list(csv.reader(open(sys.argv[1])))
exec(sys.argv[3])
csv.writer(open(sys.argv[2], "w"), lineterminator="\n").writerows([header] + r)
PY
}
edit text.csv 'r[40][1] = "high"'
edit unsorted.csv 'r[40], r[41] = r[41], r[40]'
edit twice.csv 'r[41][0] = r[40][0]'
edit gap.csv 'del r[40:43]'
edit stamp.csv 'r[40][0] = "yesterday"'
edit nan.csv 'for x in r[-48:]: x[1] = ""'
edit nothing.csv 'for x in r: x[1] = ""'
edit constant.csv 'for x in r: x[1] = "7"'
edit short.csv 'del r[10:]'
edit hole.csv 'for x in r[-30:-20]: x[1] = ""'
edit renamed.csv 'header[1] = "load"'
edit ragged.csv 'r[40].append("1")'
edit infinite.csv 'r[40][1] = "inf"'
edit header.csv 'r.clear()'
edit daily.csv 'r[:] = [["2020-01-%02d" % (i + 1), x[1]] for i, x in enumerate(r[:31])] + [["2020-02-%02d" % (i + 1), x[1]] for i, x in enumerate(r[:29])]'
: >empty.csv
head -c 400 /dev/zero >zeros.csv
head -c 4000 /dev/urandom >noise.csv
sha256sum ./*.csv "$DATA"/*.csv >sums

for use in train forecast; do # rows as an editor counts them
  $use 1 "text.csv: row 42, column value.*'high'" text.csv
  $use 1 'unsorted.csv: row 4[23]' unsorted.csv
  $use 1 'twice.csv: row 43' twice.csv
  $use 1 'gap.csv: row 42.*--fill' gap.csv
  $use 1 "stamp.csv: row 42.*'yesterday'" stamp.csv
  $use 1 'ragged.csv: row 42' ragged.csv
  $use 1 'infinite.csv: row 42' infinite.csv
  $use 1 'header.csv' header.csv
  $use 1 'empty.csv' empty.csv
  $use 1 'zeros.csv' zeros.csv
  $use 1 'noise.csv' noise.csv
done
# Gaps are filled where that is asked for, and told.
for fill in missing linear forward; do
  ok "$F" forecast --run "$DATA/run" --data gap.csv --fill $fill --out filled.csv
  has "$W/err" 'gap.csv: 3 absent rows were filled in 1 gap'
done
ok "$F" info gap.csv
has "$W/out" '^absent_rows +3'

# A look-back without a value; longer than the file; a hole within is carried on.
forecast 1 "nan.csv: the last 48 values of channel 'value' are all missing" nan.csv
refused 1 "nan.csv: the last 48 values of channel 'value' are all missing" "$F" patch --run "$DATA/run" --data nan.csv
refused 1 'nan.csv: no value that is to be forecast is known' "$F" backtest --run "$DATA/run" --data nan.csv --windows 2
refused 1 'nothing.csv: no window .* has a known value' "$F" train --data nothing.csv "${SMALL[@]}" --out r
forecast 1 'short.csv: has 10 rows, and a look-back of 48 needs 12 at least' short.csv
for verb in backtest patch; do refused 1 'short.csv: .*10' "$F" $verb --run "$DATA/run" --data short.csv; done
train 1 'short.csv: its [0-9]+ rows.*shorten --lookback or --horizon' short.csv
train 1 'rows to train on are fewer than a look-back of 5000' "$DATA/series.csv" --lookback 5000
train 1 'a horizon of 900' "$DATA/series.csv" --horizon 900
ok "$F" forecast --run "$DATA/run" --data hole.csv --out hole-future.csv
csv hole-future.csv 'len(r) == 12 and all(x["forecast"] for x in r)'
train 2 '--horizon: 0 is out of range' "$DATA/series.csv" --horizon 0
refused 2 '--horizon: 0 is out of range' "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --horizon 0

# A constant series is told, and forecast as what it is.
ok "$F" train --data constant.csv "${SMALL[@]}" --out constant
[ "$(grep -c "^warning: constant.csv: channel 'value' is constant in the training rows (7)" "$W/err")" = 1 ] || complain "one warning about a constant series"
has "$W/err" '^warning: constant.csv: the model has no intervals'
ok "$F" forecast --run constant --data constant.csv --out constant-future.csv
csv constant-future.csv 'len(r) == 12 and all(abs(float(x["forecast"]) - 7) < 0.01 for x in r)'
refused 2 'no intervals.*--levels none' "$F" forecast --run constant --data constant.csv --levels 80
ok "$F" backtest --run constant --data constant.csv --windows 2 --no-dlinear
ok "$F" evaluate --data constant.csv --protocol 70-10-20 "${SMALL[@]}" --baselines none

# Validation rows without a known value: the training stands, and is told what it lacks.
edit ends.csv 'for x in r[len(r) * 8 // 10:]: x[1] = ""'
ok "$F" train --data ends.csv "${SMALL[@]}" --out ends
has "$W/err" '^warning: ends.csv: no window validates with a known value'
has ends/report.html 'This part cannot be shown'

# Options without effect, and files that are no forecasts.
refused 2 '--test has no place in the protocol 70-10-20' "$F" evaluate --data "$DATA/series.csv" --test "$DATA/series.csv" --protocol 70-10-20
refused 1 'series.csv: begins at' "$F" evaluate --data "$DATA/series.csv" --test "$DATA/series.csv" --protocol m4-hourly
refused 2 '--plot draws' "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --series S1
refused 2 '--threshold and --rise have no effect' "$F" train --data "$DATA/series.csv" "${SMALL[@]}" --cut fixed --threshold 2 --out r
refused 2 'no effect on seasonal-naive' "$F" train --data "$DATA/series.csv" --network seasonal-naive --horizon 4 --width 8 --out r
echo '{"seed": 77}' >seed.json
refused 2 'seed.json: the key seed has no effect; give --seed' "$F" train --data "$DATA/series.csv" "${SMALL[@]}" --settings seed.json --out r
ok "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --levels 5.12345 --out odd-level.csv
ok "$F" plot --data "$DATA/series.csv" --forecast odd-level.csv --out odd-level.svg
head -1 odd-level.csv >no-rows.csv
refused 1 'no-rows.csv: holds no row' "$F" plot --forecast no-rows.csv --out no-rows.svg
sed '1s/lower-5.12345,upper-5.12345/lower-x,upper-x/' odd-level.csv >bad-level.csv
refused 1 'bad-level.csv: column lower-x: expected a level' "$F" plot --forecast bad-level.csv --out bad-level.svg
ok "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --out odd.json
ok "$F" info odd.json
has "$W/out" '^kind +forecast'

# Columns: unknown ones with the nearest name, a model of other columns, another frequency.
train 1 "'vale'.*value" "$DATA/series.csv" --target vale
train 1 "'dat'.*date" "$DATA/series.csv" --time dat
train 1 "'weathr'.*weather" "$DATA/covariates.csv" --target value --past weathr
for verb in forecast backtest patch; do
  refused 1 "renamed.csv: there is no column 'value'.*the model was trained on it" "$F" $verb --run "$DATA/run" --data renamed.csv
done
forecast 1 'daily.csv.*(frequency|step|apart)' daily.csv
ok "$F" forecast --run "$DATA/run" --data "$DATA/panel.csv" --out panel-future.csv # more series of the same column
# Covariates known ahead that end too soon.
roles=(--target value --past weather --future promotion --static size)
ok "$F" train --data "$DATA/covariates.csv" "${roles[@]}" "${SMALL[@]}" --out covariates
python3 - "$DATA/covariates.csv" <<'PY'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
w = csv.DictWriter(open("no-ahead.csv", "w"), rows[0].keys(), lineterminator="\n")
w.writeheader()
w.writerows(x for x in rows if x["value"] != "")
PY
refused 1 'no-ahead.csv: covariates known ahead must reach 12 steps' "$F" forecast --run covariates --data no-ahead.csv
# Of several series one that is too short fails, the others go on.
awk -F, '$1 != "S2" || ++n <= 5' "$DATA/panel.csv" >one-short.csv
run "$F" forecast --run "$DATA/run" --data one-short.csv --out some.csv
[ $code = 1 ] || complain "a series that is too short must end forecast with 1, not $code"
csv some.csv 'len(r) == 48'
has some.csv.failures.csv '^S2,'
ok "$F" forecast --run "$DATA/run" --data "$DATA/panel.csv" --out some.csv
absent some.csv.failures.csv

# Damaged models.
mkdir damaged
model=$DATA/run/model.safetensors
head -c 3000 "$model" >damaged/cut.safetensors
head -c "$(stat -c %s "$model")" /dev/zero >damaged/zero.safetensors
cp "$DATA/series.csv" damaged/text.safetensors
for file in cut zero text; do
  refused 1 "$file.safetensors" "$F" forecast --run damaged/$file.safetensors --data "$DATA/series.csv"
done
refused 1 'damaged' "$F" forecast --run damaged --data "$DATA/series.csv" # a folder without a model

# Nothing is written over what is read, under whatever name.
cp "$DATA/series.csv" mine.csv
ln -s mine.csv link.csv
refused 2 'written over' "$F" forecast --run "$DATA/run" --data mine.csv --out mine.csv
refused 2 'written over' "$F" forecast --run "$DATA/run" --data mine.csv --out link.csv
refused 2 'written over' "$F" forecast --run "$model" --data mine.csv --out future.csv --attention-report "$model"
refused 2 'two things' "$F" forecast --run "$DATA/run" --data mine.csv --plot a.html --attention-report a.html
mkdir -p own && cp mine.csv own/metrics.csv
refused 2 'written over' "$F" train --data own/metrics.csv "${SMALL[@]}" --out own
refused 2 'written over' "$F" plot --data mine.csv --out mine.csv
same mine.csv "$DATA/series.csv"
absent r
sha256sum -c --quiet sums >&2 || complain "an original file was touched"
finish
