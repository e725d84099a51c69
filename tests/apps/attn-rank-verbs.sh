#!/usr/bin/env bash
# Every verb on small simulated markets, one after the other as a person would.
source "$(dirname "$0")/attn-rank-support.sh"
cd "$W" || exit 1
exists "$DATA/market.csv" "$DATA/later.csv" "$DATA/run/model.safetensors" "$DATA/scores.csv"
sha256sum "$DATA"/*.csv >"$W/sums"

# simulate: the same for the same seed; lists of one market are those of a longer one; Parquet and gzip.
ok "$R" simulate --out m.csv --lists 40 --traders 20 --seed 3
same m.csv "$DATA/market.csv" "the same seed must give the same market"
ok "$R" simulate --out n.csv --lists 40 --traders 20 --seed 4
cmp -s m.csv n.csv && complain "another seed must give another market"
ok "$R" simulate --out longer.csv --lists 50 --traders 20 --seed 3
head -801 longer.csv | cmp -s - m.csv || complain "more lists must not change those before"
ok "$R" simulate --out m.parquet --lists 40 --traders 20 --seed 3 --json
json 'd["lists"] == 40 and d["rows"] == 800 and d["list"] == "qid" and d["stake"] == "stake"'
ok "$R" simulate --out m.csv.gz --lists 40 --traders 20 --seed 3
gzip -dc m.csv.gz | cmp -s - m.csv || complain "gzip holds another market"
csv "$DATA/later.csv" 'len({x["qid"] for x in r}) == 10 and 100 <= len(r) < 200'

# info: what is where.
ok "$R" info "$DATA/market.csv" "${COLUMNS[@]}" --ignore stake --json
json 'd["kind"] == "lists" and d["lists"] == 40 and d["rows"] == 800 and len(d["features"]) == 18 and 0 < d["positives"] < 800'
json 'd["unused"] == [] and d["profit"]["gains"] + d["profit"]["losses"] == 800 and d["shortest"] == d["longest"] == 20'
ok "$R" info "$DATA/run" --json
json 'd["kind"] == "run directory" and d["run"]["status"] == "finished" and d["model"]["network"]["model"] == "cross"'
ok "$R" info "$DATA/run/model.safetensors"
has "$W/out" '^kind +model'

# train: files, the same again, left alone when finished, replaced with a warning.
train=("$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}")
ok "${train[@]}" --out run --attention-report attention.html
exists run/run.json run/metrics.csv run/model.safetensors
has "$W/err" '32 lists train, 8 lists validate'
has "$W/out" '^profit@5 '
same run/model.safetensors "$DATA/run/model.safetensors" "same seed, same model, with and without --attention-report"
page run/report.html 'validation lists, by which the epoch' 'Settings|risky|profit@5'
page attention.html 'cross 1' 'cross 2' 'training' 'validation'
csv run/metrics.csv 'len(r) == 2 and "validation_profit@5" in r[0] and r[0]["epoch"] == "1"'
no_leftovers run
[ "$(ls run | tr '\n' ' ')" = 'metrics.csv model.safetensors report.html run.json ' ] || complain "a run directory of $(ls run)"
before=$(stat -c %y run/model.safetensors)
ok "${train[@]}" --out run --json
has "$W/err" 'is finished; --no-resume trains anew'
json '"profit@5" in d["metrics"]["validation"]'
[ "$(stat -c %y run/model.safetensors)" = "$before" ] || complain "a finished run must be left alone"
ok "${train[@]}" --out run --seed 2
has "$W/err" '^warning: .*finished run of other options \(--seed 1, now 2\)'
cmp -s run/model.safetensors "$DATA/run/model.safetensors" && complain "another seed must give another model"
cp "$DATA/run/model.safetensors" run/model.safetensors # not what run.json tells of
ok "${train[@]}" --out run --seed 2
grep -q 'is finished' "$W/err" && complain "another model's file is no finished run"
ok "${train[@]}" --out run --seed 2 --no-resume
grep -q 'is finished' "$W/err" && complain "--no-resume must train anew"
ok "${train[@]}" --threads 2 --out two
same two/model.safetensors "$DATA/run/model.safetensors" "two threads must give the model of one"
for model in linear mlp self self-cross rankformer; do
  ok "${train[@]}" --model $model --out $model
  ok "$R" score --run $model --data "$DATA/later.csv" --out $model.csv
done
ok "${train[@]}" --model self-cross --pretrain 1 --members 2 --out members
exists members/metrics.2.csv members/pretrain-metrics.csv members/pretrain-metrics.2.csv
ok "$R" info members --json
json 'd["model"]["members"] == 2'
ok "${train[@]}" --top 6 --out cut
has "$W/err" '^warning: --top 6 trains on the 6 most profitable traders of a list alone, and 32 of 32 lists are longer'
ok "${train[@]}" --loss bce --out labels --json
json '"auc" in d["metrics"]["validation"]'
ok "$R" train --train "$DATA/market.csv" --list qid --profit pnl "${SMALL[@]}" --validation 0 --out money
page money/report.html 'no measure of its *worth|no measure of its'
ok "${train[@]}" --valid "$DATA/later.csv" --out valid
ok "$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" --time stake "${SMALL[@]:2}" --out by-time
has "$W/err" '32 lists train, 8 lists validate'

# score: in the file's order, ranks from 1 within a list, ties by row; from stdin, gzip and Parquet alike.
score=("$R" score --run "$DATA/run")
ok "${score[@]}" --data "$DATA/later.csv" --out scores.csv
same scores.csv "$DATA/scores.csv" "the same scores each time"
csv scores.csv '[int(x["row"]) for x in r] == list(range(1, len(r) + 1)) and list(r[0]) == ["list", "row", "score", "rank"]'
csv scores.csv 'all(sorted(int(x["rank"]) for x in r if x["list"] == l) == list(range(1, 1 + sum(x["list"] == l for x in r))) for l in {x["list"] for x in r})'
csv scores.csv 'all(float(a["score"]) >= float(b["score"]) for a in r for b in r if a["list"] == b["list"] and int(a["rank"]) < int(b["rank"]))'
ok bash -c 'cat "$1" | "$0" score --run "$2" --data - --out stdin.csv' "$R" "$DATA/later.csv" "$DATA/run"
same stdin.csv scores.csv "standard input must give what the file gives"
gzip -c "$DATA/later.csv" >later.csv.gz
ok "${score[@]}" --data later.csv.gz --out gzip.csv
same gzip.csv scores.csv "a packed file must give what the file gives"
ok "$R" simulate --out later.parquet --lists 10 --traders 20 --ragged --seed 4
ok "${score[@]}" --data later.parquet --out parquet.csv
same parquet.csv scores.csv "Parquet must give what CSV gives"
ok "${score[@]}" --data "$DATA/later.csv" --threads 2 --out threads.csv --json
json 'd["lists"] == 10 and d["rows"] > 100'
same threads.csv scores.csv "two threads must give what one gives"
# What is not known yet of lists to be scored is not asked for; columns may stand in any order.
python3 - "$DATA/later.csv" <<'PY'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
def write(name, columns, change):
    w = csv.DictWriter(open(name, "w"), columns, lineterminator="\n", extrasaction="ignore")
    w.writeheader()
    w.writerows({**x, **change} for x in rows)
names = list(rows[0])
write("unknown.csv", names, {"risky": "", "pnl": "", "stake": ""})
write("turned.csv", [n for n in reversed(names) if n not in ("risky", "pnl", "stake")] + ["desk"], {"desk": "fx"})
PY
for file in unknown turned; do
  ok "${score[@]}" --data $file.csv --out $file-scores.csv
  same $file-scores.csv scores.csv "$file.csv must be scored the same"
done
has "$W/err" 'turned.csv: columns not used: desk'
ok "${score[@]}" --data "$DATA/later.csv" --attention-report looks.html --out looks.csv
same looks.csv scores.csv
page looks.html 'cross 1'

# evaluate: of a model and of its scores alike; money; decisions.
evaluate=("$R" evaluate --data "$DATA/later.csv" --resamples 50)
ok "${evaluate[@]}" --run "$DATA/run" --json
cp "$W/out" by-run.json
json 'all(k in d for k in ("profit@5", "ndcg@5", "ndcg@10", "mrr", "auc", "macro_f1", "pnl_of_mistakes")) and d["profit@5_ci"][0] <= d["profit@5"] <= d["profit@5_ci"][1]'
ok "${evaluate[@]}" --scores scores.csv "${COLUMNS[@]}" --json
python3 - by-run.json "$W/out" <<'PY' || complain "a model and the file of its scores must be worth the same"
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
sys.exit(any(a[k] != b[k] for k in ("profit@5", "profit@5_ci", "ndcg@10", "mrr", "auc")))
PY
ok "${evaluate[@]}" --run "$DATA/run" --stake stake --kappa 0.02 --hedge-top 3 --at 2,4
for part in 'ndcg@2 ' 'profit@4 ' 'hedged: the first 3 of each list' 'cost [1-9]'; do has "$W/out" "$part"; done
ok "${evaluate[@]}" --run "$DATA/run" --threshold money --hedge-top 0
has "$W/out" 'most money on the validation lists'
has "$W/out" 'every score from the threshold on'
for rule in tuned prior prior:0.1 0.25; do ok "${evaluate[@]}" --run "$DATA/run" --threshold $rule; done
ok "${evaluate[@]}" --scores "$DATA/later.csv:WinRate20" "${COLUMNS[@]}" # any column of numbers
ok "${evaluate[@]}" --run "$DATA/run" --attention-report judged.html
page judged.html 'cross 1'

# compare, report, cv.
ok "$R" compare scores.csv linear.csv "$DATA/later.csv:WinRate20" --data "$DATA/later.csv" "${COLUMNS[@]}" --resamples 50 --out compare.html --json
json 'len(d["scores"]) == 3 and {x["to"] for x in d["differences"]} == {"linear.csv", "'"$DATA"'/later.csv:WinRate20"}'
page compare.html 'linear.csv'
ok "$R" compare scores.csv linear.csv mlp.csv --each --data "$DATA/later.csv" "${COLUMNS[@]}" --resamples 50
[ "$(grep -c '^profit@5 .*csv' "$W/out")" = 3 ] || complain "three pairs of three scorings"
ok "$R" report --run "$DATA/run" --data "$DATA/later.csv" --resamples 50 --out report.html
has "$W/out" '^report.html$'
page report.html '<svg' 'profit@5'
ok "$R" report --scores linear.csv "${COLUMNS[@]}" --data "$DATA/later.csv" --resamples 50 --out scores.html
page scores.html
ok "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}" --folds 3 --resamples 20 --out cv --json
json 'len(d["folds"]) == 3 and "profit@5" in d["mean"] and d["mean"]["auc"]["sd"] >= 0 and "profit@5_ci" in d["pooled"]'
cp "$W/out" cv.json
exists cv/run.json
[ "$(head -n 1 cv/scores.csv)" = list,row,score,rank,fold ] || complain "cv/scores.csv has other columns"
[ "$(wc -l <cv/scores.csv)" = "$(wc -l <"$DATA/market.csv")" ] || complain "cv/scores.csv is not a line a row"
ok "$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}" --with cv/scores.csv --out stacked
ok "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}" --folds 3 --resamples 20 --json --attention-report folds.html
same cv.json "$W/out" "the same folds each time"
page folds.html 'cross 1'

# Scores of another model as a feature, through all verbs.
ok "$R" score --run linear --data "$DATA/market.csv" --out trees.csv
mkdir later && ok "$R" score --run linear --data "$DATA/later.csv" --out later/trees.csv
ok "${train[@]}" --with trees.csv --out stacked
ok "$R" info stacked --json
json 'd["model"]["with"] == ["with.trees"] and d["model"]["features"][-1] == "with.trees"'
ok "${train[@]}" --with trees.csv --valid "$DATA/later.csv" --valid-with later/trees.csv --out stacked-valid
ok "$R" score --run stacked --data "$DATA/later.csv" --with later/trees.csv --out stacked.csv
cmp -s stacked.csv scores.csv && complain "scores that are a feature must count"
ok "${evaluate[@]}" --run stacked --with later/trees.csv
ok "$R" report --run stacked --data "$DATA/later.csv" --with later/trees.csv --resamples 20 --out stacked.html
ok "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}" --with trees.csv --folds 2 --resamples 0
refused 2 'was trained with the scores of another model, trees; give --with' "$R" score --run stacked --data "$DATA/later.csv" --out x.csv
refused 2 'was trained with the scores of another model, trees; give --with' "${evaluate[@]}" --run stacked
absent x.csv

sha256sum -c --quiet "$W/sums" >&2 || complain "an original file was touched"
finish
