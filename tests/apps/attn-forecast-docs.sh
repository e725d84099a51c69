#!/usr/bin/env bash
# The commands of docs/attn-forecast.md, as they stand there.
source "$(dirname "$0")/attn-forecast-support.sh"
page=$(cd "$(dirname "$0")/../.." && pwd)/docs/attn-forecast.md
cd "$W" || exit 1
mkdir -p build/bin
ln -s "$F" build/bin/attn-forecast

# section TITLE: the commands of the blocks under that heading.
section() {
  awk -v title="## $1" '$0 == title {on = 1; next} /^## / {on = 0} on && /^\$ / {print substr($0, 3)}' "$page"
}
commands=$(section 'Three commands')
[ "$(grep -c . <<<"$commands")" -ge 4 ] || complain "the page has lost its commands: $commands"
while IFS= read -r command; do
  case $command in
    build/bin/attn-forecast*) ok bash -c "$command" ;;
    *) complain "not a command of ours: $command" ;;
  esac
done < <(section 'Three commands'; section 'Series in'; section 'Patches')

exists W/future.csv W/future.svg W/run/report.html
csv W/future.csv 'len(r) == 24 and all(float(x["lower-95"]) < float(x["lower-80"]) < float(x["forecast"]) < float(x["upper-80"]) < float(x["upper-95"]) for x in r)'
xml W/future.svg
# Every verb and every option that the page names is there.
for verb in train forecast backtest evaluate patch plot simulate info; do
  grep -q "^| \`$verb\` |" "$page" || complain "the page does not tell of $verb"
  "$F" $verb --help >>help
done
for option in $(grep -Eo -- '--[a-z][a-z-]+' "$page" | sort -u | grep -vx -e --help); do
  grep -Eq -- "--(\[no-\])?${option#--}( |$)|--\[no-\]${option#--no-}" help || complain "the page names $option, which no verb has"
done
finish
