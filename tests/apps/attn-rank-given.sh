#!/usr/bin/env bash
# Given lists: LightGBM's example, credit-card rows drawn into lists, customers with costs of their own.
source "$(dirname "$0")/attn-rank-support.sh"
needs_shared lightgbm_rank/rank.train lightgbm_rank/rank.train.query creditcard_sample/creditcard_sample.csv \
  costcla/churn_tv_subscriptions.csv.gz
cd "$W" || exit 1

# LIBSVM rows with a file of list lengths; the same as svmrank.
light=$SHARED/lightgbm_rank
ok "$R" info "$light/rank.train" --lengths "$light/rank.train.query" --json
json 'd["lists"] == 201 and d["rows"] == 3005 and d["longest"] == 27'
train=("$R" train --loss lambdarank --model mlp --max-epochs 1 --threads 1)
ok "${train[@]}" --train "$light/rank.train" --lengths "$light/rank.train.query" --out light --json
json 'd["metrics"]["validation"]["ndcg@10"] > 0.4 and "profit@5" not in d["metrics"]["validation"]'
ok "$R" score --run light --data "$light/rank.train" --lengths "$light/rank.train.query" --out light.csv
csv light.csv 'len(r) == 3005 and len({x["list"] for x in r}) == 201'
ok "$R" evaluate --run light --data "$light/rank.train" --lengths "$light/rank.train.query" --ndcg-gain exponential --empty-is-one --resamples 0 --json
json '0.5 < d["ndcg@10"] < 0.9 and d["lists"] == 201'
# Train and validate from files of their own, whose highest ids differ.
python3 - "$light" <<'PY'
import sys
rows = open(sys.argv[1] + "/rank.train").read().splitlines()
lengths = [int(x) for x in open(sys.argv[1] + "/rank.train.query")]
ids = [q for q, n in enumerate(lengths) for _ in range(n)]
first = sum(lengths[:150])
def svm(name, part, cut=None):
    out = []
    for q, row in part:
        label, *features = row.split()
        out.append(" ".join([label, f"qid:{q + 1}"] + [f for f in features if cut is None or int(f.split(":")[0]) < cut]))
    open(name, "w").write("\n".join(out) + "\n")
both = list(zip(ids, rows))
svm("a.svm", both[:first])
svm("b.svm", both[first:], 250)
svm("all.svm", both)
for name, rows_of, of in (("a", rows[:first], lengths[:150]), ("b", rows[first:], lengths[150:])):
    open(name + ".train", "w").write("\n".join(rows_of) + "\n")
    open(name + ".query", "w").write("\n".join(map(str, of)) + "\n")
PY
for format in auto svmrank; do ok "${train[@]}" --train a.svm --valid b.svm --format $format --out svm-$format; done
same svm-auto/model.safetensors svm-svmrank/model.safetensors "a format that is told must read as one that is found"
ok "${train[@]}" --train a.train --lengths a.query --valid b.train --valid-lengths b.query --out two-lengths
has "$W/err" 'b.train: 51 lists'
refused 2 'go in pairs' "${train[@]}" --train a.train --lengths a.query --valid b.train --out r
ok "$R" score --run svm-auto --data all.svm --out svm.csv
csv svm.csv 'len(r) == 3005'
refused 1 'rank.train.query: its 201 lengths of lists add up to 3005 rows, but b.train holds [0-9]+' "$R" score --run light --data b.train --lengths "$light/rank.train.query" --out s.csv
refused 1 "a.train.*qid" "$R" info a.train --format svmrank

# Rows without lists are drawn into some; the published benchmark takes the amount as the money.
card=(--label Class --profit Amount --list-size 50)
ok "$R" info "$SHARED/creditcard_sample/creditcard_sample.csv" "${card[@]}" --json
json 'd["rows"] == 1722 and d["lists"] == 35 and d["positives"] == 492'
ok "$R" train --train "$SHARED/creditcard_sample/creditcard_sample.csv" "${card[@]}" --loss bce --max-epochs 30 --threads 1 --out card --json
json 'd["metrics"]["validation"]["auc"] > 0.8'
ok "$R" score --run card --data "$SHARED/creditcard_sample/creditcard_sample.csv" --list-size 50 --out card.csv
csv card.csv 'sorted(int(x["row"]) for x in r) == list(range(1, 1723)) and len({x["list"] for x in r}) == 35'
ok "$R" evaluate --scores card.csv --data "$SHARED/creditcard_sample/creditcard_sample.csv" "${card[@]}" --resamples 0 --json
json 'd["auc"] > 0.8'

# Costs of each customer make the money.
costs=(--label target --cost-fp C_FP --cost-fn C_FN --cost-tp C_TP --cost-tn C_TN --list-size 100)
ok "$R" info "$SHARED/costcla/churn_tv_subscriptions.csv.gz" "${costs[@]}" --json
json 'd["profit"]["gains"] > 0 and d["profit"]["losses"] > 0 and not {"C_FP", "C_FN", "C_TP", "C_TN"} & set(d["features"])'
ok "$R" train --train "$SHARED/costcla/churn_tv_subscriptions.csv.gz" "${costs[@]}" --max-epochs 1 --threads 1 --out churn
ok "$R" evaluate --run churn --data "$SHARED/costcla/churn_tv_subscriptions.csv.gz" --list-size 100 --resamples 0 --json
json 'd["hedge"]["positives"] > 0 and d["profit@5"] is not None'
refused 2 'name all four or none' "$R" info "$SHARED/costcla/churn_tv_subscriptions.csv.gz" "${costs[@]:0:8}" --list-size 100
refused 2 'name one of the two' "$R" info "$SHARED/costcla/churn_tv_subscriptions.csv.gz" "${costs[@]}" --profit C_FN
finish
