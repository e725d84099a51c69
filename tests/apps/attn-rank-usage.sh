#!/usr/bin/env bash
# The command line: help, version, configuration, unknown things, stdout and stderr.
source "$(dirname "$0")/attn-rank-support.sh"

verbs=(simulate train cv score evaluate compare report info)
ok "$R" --help
for verb in "${verbs[@]}"; do has "$W/out" "^  $verb "; done
for verb in "${verbs[@]}"; do
  ok "$R" "$verb" --help
  has "$W/out" "^Example: attn-rank $verb "
  for option in --config --dump-config --seed --threads --device --json --quiet --verbose; do
    has "$W/out" "$option"
  done
  case $verb in # who runs an attention model
    train | cv | score | evaluate) has "$W/out" '--attention-report' ;;
    *) grep -q -- '--attention-report' "$W/out" && complain "$verb --help offers --attention-report, and $verb refuses it" ;;
  esac
  example=$(sed -n "s/^Example: attn-rank $verb //p" "$W/out")
  for option in $(grep -Eo -- '--[a-z-]+' <<<"$example"); do has "$W/out" "$option"; done
done
ok "$R" --version --json
json 'd["program"] == "attn-rank" and d["libraries"]["LibTorch"].startswith("2.")'

run "$R"
[ $code = 2 ] || complain "no verb must end with 2, not $code"
refused 2 "unknown verb 'scor'; did you mean 'score'" "$R" scor
refused 2 "unknown option --lable; did you mean '--label'" "$R" train --train x --out y --lable risky
refused 2 '--train is missing' "$R" train --out y
refused 2 '--out is missing' "$R" train --train x
for verb in evaluate cv compare; do refused 2 'is missing' "$R" $verb; done
refused 2 '--run is missing' "$R" score --data x --out y.csv
refused 2 'SCORES is missing' "$R" compare --data x
refused 2 'FILE is missing' "$R" info
refused 2 'CPU only' "$R" score --run x --data y --out z.csv --device cuda
refused 2 'runs no attention model' "$R" compare s.csv --data x --attention-report a.html

train=("$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" --out "$W/r")
refused 2 "'pa_bce' is not one of .*did you mean 'pa-bce'" "${train[@]}" --loss pa_bce
refused 2 'is not one of' "${train[@]}" --model transformer
refused 2 'no multiple of 4 heads across traders' "${train[@]}" --width 30
refused 2 'no multiple of 8 heads among features' "${train[@]}" --width 12 --model self
refused 2 "expected profit@K, ndcg@K, auc or loss" "${train[@]}" --select profit
refused 2 'need validation lists' "${train[@]}" --validation 0 --select auc
refused 2 'need validation lists' "${train[@]}" --validation 0 --patience 3
refused 2 '--max-epochs: 0 is out of range' "${train[@]}" --max-epochs 0
refused 2 '--dropout: 1 is out of range' "${train[@]}" --dropout 1
refused 2 '--pretrain is for models with attention among features' "${train[@]}" --pretrain 2
refused 2 '--top has no effect on the loss bce' "${train[@]}" --loss bce --top 5
refused 2 '--truncation has no effect on the loss pa-bce' "${train[@]}" --truncation 5
refused 2 '--heads has no effect on the model mlp' "${train[@]}" --model mlp --heads 2
refused 2 '--self-heads has no effect on the model cross' "${train[@]}" --self-heads 2
refused 2 '--width has no effect on the model linear' "${train[@]}" --model linear --width 8
refused 2 'exclude each other' "${train[@]}" --list-size 10 --lengths x
refused 2 'which rows make a list is not told.*--list-size' "$R" train --train "$DATA/market.csv" --label risky --profit pnl --out "$W/r"
refused 2 "column 'pnl' is named as" "${train[@]}" --ignore pnl
refused 2 'name all four or none' "$R" train --train "$DATA/market.csv" --list qid --label risky --cost-fp a --out "$W/r"
refused 2 '--valid-with has no place without --valid' "${train[@]}" --valid-with x.csv
refused 2 '--valid-lengths has no place without --valid' "${train[@]}" --valid-lengths x
refused 2 'they go in pairs' "${train[@]}" --valid "$DATA/later.csv" --with "$DATA/scores.csv"
absent "$W/r"

evaluate=("$R" evaluate --data "$DATA/later.csv")
refused 2 'give --run, or --scores' "${evaluate[@]}"
refused 2 'one of the two' "${evaluate[@]}" --run "$DATA/run" --scores "$DATA/scores.csv"
refused 2 'whole numbers from 1 on' "${evaluate[@]}" --run "$DATA/run" --at 0
refused 2 "'high': expected auto, tuned" "${evaluate[@]}" --run "$DATA/run" --threshold high
refused 2 'at most 1' "${evaluate[@]}" --run "$DATA/run" --threshold prior:2
refused 2 'give --stake' "${evaluate[@]}" --run "$DATA/run" --kappa 1
refused 2 'come with no threshold of the kind' "${evaluate[@]}" --scores "$DATA/scores.csv" "${COLUMNS[@]}" --threshold tuned
refused 2 'neither labels nor profits.*--label' "${evaluate[@]}" --scores "$DATA/scores.csv" --list qid
refused 2 'no place with --scores' "${evaluate[@]}" --scores "$DATA/scores.csv" "${COLUMNS[@]}" --with x.csv
refused 2 'not trained with the scores scores' "${evaluate[@]}" --run "$DATA/run" --with "$DATA/scores.csv"
refused 2 'are written as .csv' "$R" score --run "$DATA/run" --data "$DATA/later.csv" --out "$W/s.txt"
refused 2 'names a folder' "$R" score --run "$DATA/run" --data "$DATA/later.csv" --out "$W/s.csv/"
refused 2 'written as .html' "$R" report --run "$DATA/run" --data "$DATA/later.csv" --out "$W/r.txt"
refused 2 'written as .html' "$R" compare "$DATA/scores.csv" --data "$DATA/later.csv" "${COLUMNS[@]}" --out "$W/r.txt"
refused 2 'two scorings are named' "$R" compare "$DATA/scores.csv" "$DATA/scores.csv" --data "$DATA/later.csv" "${COLUMNS[@]}"
refused 2 'too few lists for 41 folds' "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" --folds 41
refused 2 '--folds: 1 is out of range' "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" --folds 1
refused 2 '.csv, .csv.gz or .parquet' "$R" simulate --out "$W/x.xlsx"
refused 2 '--lists: 0 is out of range' "$R" simulate --out "$W/x.csv" --lists 0
refused 2 'degrees of freedom' "$R" simulate --out "$W/x.csv" --degrees 2
for verb in score evaluate report; do
  refused 1 'nowhere' "$R" $verb --run "$W/nowhere" --data "$DATA/later.csv" $([ $verb = evaluate ] || echo --out "$W/x.$([ $verb = score ] && echo csv || echo html)")
done
refused 1 'nowhere' "$R" info "$W/nowhere"
absent "$W/r" "$W/s.txt" "$W/s.csv" "$W/r.txt" "$W/x.csv" "$W/x.html"

# Configuration: what is dumped reads back, a flag wins over the environment, that over the file.
ok "$R" train --train x --out y --list 'a b' --ignore c,d e --bounded --dump-config
cp "$W/out" "$W/train.toml"
ok "$R" train --config "$W/train.toml" --dump-config
same "$W/out" "$W/train.toml" "a dumped configuration must read back the same"
run env ATTN_WIDTH=16 "$R" train --config "$W/train.toml" --dump-config
has "$W/out" '^width = 16'
run env ATTN_WIDTH=16 "$R" train --config "$W/train.toml" --width 24 --dump-config
has "$W/out" '^width = 24'

# A result goes to stdout, everything else to stderr; --quiet keeps stderr empty.
ok "${evaluate[@]}" --run "$DATA/run" --resamples 10 --json
json 'd["lists"] == 10 and "profit@5" in d and len(d["profit@5_ci"]) == 2'
[ -s "$W/err" ] || complain "the log belongs on stderr"
ok "${evaluate[@]}" --run "$DATA/run" --resamples 10 --quiet
[ ! -s "$W/err" ] || complain "--quiet must be quiet"
run bash -c '"$0" info "$1" --list qid >/dev/full' "$R" "$DATA/later.csv"
[ $code = 1 ] || complain "a full stdout must end with 1, not $code"

# Completion in bash.
ok "$R" __complete
for verb in "${verbs[@]}"; do has "$W/out" "^$verb$"; done
ok "$R" __complete train --loss
has "$W/out" '^pa-bce$'
finish
