#!/usr/bin/env bash
# The commands of docs/attn-rank.md, as they stand there.
source "$(dirname "$0")/attn-rank-support.sh"
page=$(cd "$(dirname "$0")/../.." && pwd)/docs/attn-rank.md
cd "$W" || exit 1
mkdir -p build/bin
ln -s "$R" build/bin/attn-rank

commands=$(awk -v title='## Five commands' '$0 == title {on = 1; next} /^## / {on = 0} on && /^\$ / {print substr($0, 3)}' "$page")
[ "$(grep -c '^build/bin/attn-rank ' <<<"$commands")" = 7 ] || complain "two that make data and five commands: $commands"
while IFS= read -r command; do
  case $command in
    build/bin/attn-rank*) ok bash -c "$command" ;;
    *) complain "not a command of ours: $command" ;;
  esac
  case $command in # what the page says that it printed
    *' info '*) has "$W/out" "$(grep -m1 '^positives ' "$page")" ;;
    *' evaluate '*) for metric in profit@5 ndcg@10 macro_f1; do has "$W/out" "$(grep -m1 "^$metric " "$page" | tr -s ' ' | cut -d' ' -f1)"; done ;;
  esac
done <<<"$commands"

exists W/run/model.safetensors W/run/report.html W/report.html W/scores.csv
csv W/scores.csv 'len(r) == 5000 and sorted(int(x["rank"]) for x in r[:50]) == list(range(1, 51))'
grep -Eq 'src="?http|<script' W/report.html && complain "the page must fetch and run nothing"
for part in 'What hedging was worth' 'How far down the list hedging pays' 'Whom traders are compared with'; do has W/report.html "$part"; done
# Every verb, model, loss and option that the page names is there.
for verb in simulate train cv score evaluate compare report info; do
  grep -q "^| \`$verb\` |" "$page" || complain "the page does not tell of $verb"
  "$R" $verb --help >>help
done
for word in cross self-cross rankformer mlp self linear pa-bce bce softmax listnet ranknet lambdarank log-profit mse; do
  grep -q "\`$word\`" "$page" || complain "the page does not tell of $word"
  grep -Eq -- "[ |]$word([ |]|$)" help || complain "the page names $word, which no verb knows"
done
for option in $(grep -Eo -- '--[a-z][a-z-]+' "$page" | sort -u | grep -vx -e --help -e --quality -e --json -e --market -e --seeds -e --write-parts -e --amount -e --costs); do
  grep -Eq -- "--(\[no-\])?${option#--}( |$)|--\[no-\]${option#--no-}" help || complain "the page names $option, which no verb has"
done
finish
