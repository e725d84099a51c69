#!/usr/bin/env bash
# Bad input: one sentence each that names file, row and column, nothing written, and no original file touched.
source "$(dirname "$0")/attn-rank-support.sh"
cd "$W" || exit 1
train() { refused "$1" "$2" "$R" train --train "$3" "${COLUMNS[@]}" "${SMALL[@]}" --out r "${@:4}"; }
score() { refused "$1" "$2" "$R" score --run "$DATA/run" --data "$3" --out s.csv "${@:4}"; }
judge() { refused "$1" "$2" "$R" evaluate --data "$DATA/market.csv" --scores "$3" "${COLUMNS[@]}" --resamples 0 "${@:4}"; }

# edit FILE PYTHON: the simulated market with its header `h` and rows `r` changed; c: place of a column.
edit() {
  python3 - "$DATA/market.csv" "$1" "$2" <<'PY'
import csv, sys
h, *r = list(csv.reader(open(sys.argv[1])))
c = {name: i for i, name in enumerate(h)}
exec(sys.argv[3])
csv.writer(open(sys.argv[2], "w"), lineterminator="\n").writerows([h] + r)
PY
}
edit nan.csv 'r[40][c["WinRate20"]] = "nan"'
edit infinite.csv 'r[40][c["WinRate20"]] = "inf"'
edit split.csv 'r[40][c["qid"]] = "7"'
edit nowhere-list.csv 'r[40][c["qid"]] = ""'
edit ragged.csv 'r[40].append("1")'
edit header.csv 'r.clear()'
edit twice.csv 'h[c["WinRate20"]] = "pnl"'
edit renamed.csv 'h[c["WinRate20"]] = "WinRate"'
edit text.csv 'r[40][c["WinRate20"]] = "high"'
edit label.csv 'r[40][c["risky"]] = ""'
edit negative.csv 'r[40][c["risky"]] = "-1"'
edit profit.csv 'r[40][c["pnl"]] = ""'
edit lost.csv 'r[40][c["pnl"]] = "lost"'
edit void.csv 'for x in r: x[c["WinRate20"]] = ""'
edit plain.csv 'h[:] = [n for n in h if n != "pnl"]; r[:] = [[v for i, v in enumerate(x) if i != c["pnl"]] for x in r]'
edit nobody.csv 'for x in r: x[c["risky"]] = "0"'
: >empty.csv
head -c 4000 /dev/urandom >noise.csv
mkdir folder
seq 39 | sed 's/.*/20/' >short.query
seq 40 | sed 's/.*/20/' >whole.query
printf '20\nten\n' >word.query
cp "$DATA"/market.csv mine.csv
sha256sum ./*.csv ./*.query "$DATA"/*.csv >sums

for use in train score; do # rows as an editor counts them
  $use 1 "nan.csv: row 42, column WinRate20: expected a number, found 'nan'; leave the field empty" nan.csv
  $use 1 "infinite.csv: row 42, column WinRate20: expected a number, found 'inf'" infinite.csv
  $use 1 "split.csv: row 142: list '7' .*begin in row 42; put the rows of a list together" split.csv
  $use 1 'nowhere-list.csv: row 42, column qid: expected the id of a list' nowhere-list.csv
  $use 1 'ragged.csv: row 42: expected 22 fields' ragged.csv
  $use 1 'header.csv: expected rows, found none' header.csv
  $use 1 "twice.csv: columns 4 and 21 are both named 'pnl'" twice.csv
  $use 1 'empty.csv: expected .*found an empty file' empty.csv
  $use 1 'noise.csv' noise.csv
  $use 1 'folder.*name a file' folder
  $use 1 'cannot read absent.csv' absent.csv
done
score 1 "renamed.csv: there is no column 'WinRate20'.*did you mean 'WinRate'" renamed.csv
score 1 "text.csv: row 42, column WinRate20: expected a number, found 'high'" text.csv
train 1 "label.csv: row 42, column risky: expected a number, found ''" label.csv
train 1 'negative.csv: row 42, column risky: expected a label of 0 or more, found -1' negative.csv
train 1 "profit.csv: row 42, column pnl: expected a number, found ''" profit.csv
train 1 "lost.csv: row 42, column pnl: expected a number, found 'lost'" lost.csv
train 1 'void.csv: column WinRate20 has no value.*--ignore' void.csv
train 1 "renamed.csv: there is no column 'WinRate20'.*did you mean" "$DATA/market.csv" --valid renamed.csv
train 1 "there is no column 'quid'.*did you mean 'qid'" "$DATA/market.csv" --list quid
train 1 "there is no column 'Winrate20'.*did you mean 'WinRate20'" "$DATA/market.csv" --features Winrate20
train 1 "there is no column 'stakes'.*did you mean 'stake'" "$DATA/market.csv" --ignore stakes
train 1 'nobody.csv|do not define ndcg@10 \(no list has a positive label\)' nobody.csv --loss bce
refused 2 'the loss pa-bce needs; name their column with --profit' "$R" train --train "$DATA/market.csv" --list qid --label risky --out r
refused 2 'the loss bce needs; name their column with --label' "$R" train --train "$DATA/market.csv" --list qid --profit pnl --loss bce --out r
refused 1 "there is no column 'pnl'" "$R" evaluate --run "$DATA/run" --data plain.csv
refused 1 "there is no column 'pnl'" "$R" report --run "$DATA/run" --data plain.csv --out x.html
refused 2 'the loss bce needs; name their column with --label' "$R" cv --data "$DATA/market.csv" --list qid --profit pnl --loss bce --out r
refused 1 "label.csv: row 42, column risky" "$R" cv --data label.csv "${COLUMNS[@]}" --folds 3
absent r s.csv x.html

# Lists by their lengths.
by_lengths=("$R" train --train "$DATA/market.csv" --label risky --profit pnl --ignore qid,stake --max-epochs 2 --threads 1)
refused 1 'short.query: its 39 lengths of lists add up to 780 rows, but .*market.csv holds 800' "${by_lengths[@]}" --lengths short.query --out r
refused 1 "word.query: row 2: expected the length of a list, .*found 'ten'" "${by_lengths[@]}" --lengths word.query --out r
refused 1 'cannot read absent.query' "${by_lengths[@]}" --lengths absent.query --out r
refused 2 'exclude each other' "${by_lengths[@]}" --lengths whole.query --list qid --out r
absent r
ok "${by_lengths[@]}" --lengths whole.query --out lengths
ok "$R" score --run lengths --data "$DATA/market.csv" --lengths whole.query --out lengths.csv
refused 2 'which rows make a list is not told' "$R" score --run lengths --data "$DATA/market.csv" --out s.csv

# Scores that do not belong to the data.
python3 - <<'PY'
def write(name, header, rows):
    open(name, "w").write("\n".join([header] + rows) + "\n")
write("few.csv", "score", [str(i) for i in range(700)])
write("many.csv", "score", [str(i) for i in range(900)])
write("word.csv", "score", ["high" if i == 5 else str(i) for i in range(800)])
write("gap.csv", "name,score", ["a," if i == 5 else f"a,{i}" for i in range(800)])
write("repeated.csv", "row,score", [f"{max(i, 2)},{i}" for i in range(1, 801)])
write("zero.csv", "row,score", [f"{i},{i}" for i in range(800)])
write("far.csv", "row,score", [f"{i + 1},{i}" for i in range(900)])
write("huge.csv", "row,score", ["900000000000,1"])
write("two.csv", "a,b", [f"{i},{i}" for i in range(800)])
write("words.csv", "name", ["a"] * 800)
write("only.csv", "mine", [str(i) for i in range(800)])
PY
judge 1 'few.csv: has no score of row 701 of .*market.csv' few.csv
judge 1 'many.csv: holds scores of 900 rows, but .*market.csv has 800' many.csv
judge 1 "word.csv: .*(row 7, column score: expected a number, found 'high')" word.csv
judge 1 "gap.csv: row 7, column score: expected a number, found ''" gap.csv
judge 1 'repeated.csv: row 3, column row: row 2 has a score above already' repeated.csv
judge 1 'zero.csv: row 2, column row: rows count from 1, found 0' zero.csv
judge 1 'far.csv: holds scores of 900 rows' far.csv
judge 1 'huge.csv: column row goes up to 900000000000' huge.csv
judge 1 'two.csv: has no column score, and several of numbers \(a, b\).*two.csv:COLUMN' two.csv
judge 1 'words.csv: has no column score, and none of numbers' words.csv
judge 1 "two.csv: there is no column 'c'" two.csv:c
judge 1 'cannot read absent.csv' absent.csv
ok "$R" evaluate --data "$DATA/market.csv" --scores only.csv "${COLUMNS[@]}" --resamples 0
train 1 'many.csv: holds scores of 900 rows' "$DATA/market.csv" --with many.csv
train 2 'two scores are named only;' "$DATA/market.csv" --with only.csv,folder/../only.csv
refused 1 'many.csv: holds scores of 900' "$R" cv --data "$DATA/market.csv" "${COLUMNS[@]}" --with many.csv
refused 1 'few.csv: has no score' "$R" compare only.csv few.csv --data "$DATA/market.csv" "${COLUMNS[@]}" --out x.html
ok "$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}" --with only.csv --out stacked
mkdir other && cp many.csv other/only.csv
refused 1 'other/only.csv: holds scores of 900 rows' "$R" score --run stacked --data "$DATA/market.csv" --with other/only.csv --out s.csv
absent s.csv x.html r

# Damaged models, and files that are none.
mkdir damaged
model=$DATA/run/model.safetensors
head -c 3000 "$model" >damaged/cut.safetensors
head -c "$(stat -c %s "$model")" /dev/zero >damaged/zero.safetensors
cp "$DATA/market.csv" damaged/text.safetensors
cp "$model" damaged/flipped.safetensors
printf "\001" | dd of=damaged/flipped.safetensors bs=1 seek=60000 conv=notrunc 2>/dev/null
for file in cut zero text flipped; do
  refused 1 "$file.safetensors" "$R" score --run damaged/$file.safetensors --data "$DATA/later.csv" --out s.csv
done
refused 1 'damaged: this folder holds no model.safetensors; name the run directory' "$R" score --run damaged --data "$DATA/later.csv" --out s.csv
refused 1 'damaged: this folder holds no model.safetensors' "$R" info damaged
absent s.csv

# Nothing is written over what is read, under whatever name.
ln -s mine.csv link.csv
cp -r "$DATA/run" kept
cp "$DATA/scores.csv" judged.csv
refused 2 'written over' "$R" score --run kept --data mine.csv --out mine.csv
refused 2 'written over' "$R" score --run kept --data mine.csv --out link.csv
refused 2 'written over' "$R" score --run kept --data mine.csv --out s.csv --attention-report kept/model.safetensors
refused 2 'written over' "$R" score --run stacked --data mine.csv --with only.csv --out only.csv
refused 2 'written over' "$R" score --run lengths --data mine.csv --lengths whole.query --out whole.query
refused 2 'two things' "$R" score --run kept --data mine.csv --out s.csv --attention-report s.csv
refused 2 'written over' "$R" evaluate --run kept --data "$DATA/later.csv" --attention-report kept/model.safetensors
refused 2 'written over' "$R" evaluate --scores judged.csv "${COLUMNS[@]}" --data "$DATA/later.csv" --attention-report judged.csv
refused 2 'written over' "$R" report --run kept --data "$DATA/later.csv" --out kept/model.safetensors
refused 2 'written over' "$R" report --scores judged.csv "${COLUMNS[@]}" --data "$DATA/later.csv" --out judged.csv
refused 2 'written over' "$R" compare judged.csv --data "$DATA/later.csv" "${COLUMNS[@]}" --out judged.csv
refused 2 'written over' "$R" simulate --out mine.csv --volatility mine.csv --price stake
mkdir own && cp mine.csv own/metrics.csv
refused 2 'written over' "$R" train --train own/metrics.csv "${COLUMNS[@]}" --out own
cp mine.csv own/run.json
refused 2 'written over' "$R" cv --data own/run.json "${COLUMNS[@]}" --out own
same mine.csv "$DATA/market.csv"
same kept/model.safetensors "$model"
same judged.csv "$DATA/scores.csv"
refused 1 'mine.csv' "$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" "${SMALL[@]}" --out mine.csv
absent r s.csv
sha256sum -c --quiet sums >&2 || complain "an original file was touched"
# One file of scores, as one word; of other lists, of infinities that nobody needs.
refused 1 "cannot read ," "$R" evaluate --scores , --data "$DATA/market.csv" "${COLUMNS[@]}"
refused 1 "cannot read a.csv,b.csv" "$R" evaluate --scores a.csv,b.csv --data "$DATA/market.csv" "${COLUMNS[@]}"
awk -F, 'NR==1{print $0",note"} NR==5{print $0",inf"} NR!=1&&NR!=5{print $0",1"}' "$DATA/market.csv" >note.csv
awk 'NR==1{print "score"} NR>1{print NR}' note.csv >rising.csv
ok "$R" evaluate --scores rising.csv --data note.csv --list qid --label risky --profit pnl --resamples 0
awk 'NR>1' rising.csv >bare.txt
cp "$W/out" named
ok "$R" evaluate --scores bare.txt --data note.csv --list qid --label risky --profit pnl --resamples 0
same named "$W/out" "numbers without a header are scores"
awk -F, 'NR==1{print "list,score"} NR>1{print "x"$1",1"}' note.csv >others.csv
refused 1 "others.csv: has row 1 in list 'x" "$R" evaluate --scores others.csv --data note.csv --list qid --label risky --profit pnl
# Options without effect; a training that diverges.
refused 2 '--log has no effect on the loss bce' "$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" --loss bce --log e --out gone
refused 1 'diverged.*lower --lr' "$R" train --train "$DATA/market.csv" "${COLUMNS[@]}" --lr 1e30 --max-epochs 2 --quiet --out gone
refused 2 "has a column 'with.rising'" "$R" train --train <(sed '1s/NumTrades20/with.rising/' "$DATA/market.csv") "${COLUMNS[@]}" --with rising.csv --out gone
finish
