#!/usr/bin/env bash
# The command line: help, version, configuration, unknown things, stdout and stderr.
source "$(dirname "$0")/attn-forecast-support.sh"

verbs=(train forecast backtest evaluate patch plot simulate info)
ok "$F" --help
for verb in "${verbs[@]}"; do has "$W/out" "^  $verb "; done
for verb in "${verbs[@]}"; do
  ok "$F" "$verb" --help
  has "$W/out" "^Example: attn-forecast $verb "
  for option in --config --dump-config --seed --threads --device --json --quiet --verbose; do
    has "$W/out" "$option"
  done
  case $verb in # who runs an attention model
    train | forecast | backtest | evaluate | patch) has "$W/out" '--attention-report' ;;
    *) grep -q -- '--attention-report' "$W/out" && complain "$verb --help offers --attention-report, and $verb refuses it" ;;
  esac
  # The example's options are options of the verb.
  example=$(sed -n "s/^Example: attn-forecast $verb //p" "$W/out")
  for option in $(grep -Eo -- '--[a-z-]+' <<<"$example"); do has "$W/out" "$option"; done
done
ok "$F" --version --json
json 'd["program"] == "attn-forecast" and d["libraries"]["LibTorch"].startswith("2.")'

run "$F"
[ $code = 2 ] || complain "no verb must end with 2, not $code"
refused 2 "unknown verb 'forcast'; did you mean 'forecast'" "$F" forcast
refused 2 "unknown option --horizn; did you mean '--horizon'" "$F" train --data x --out y --horizn 3
refused 2 '--horizon is missing' "$F" train --data x --out y
refused 2 '--data is missing' "$F" train --horizon 3 --out y
refused 2 '--run is missing' "$F" forecast --data x
refused 2 '--horizon: 0 is out of range' "$F" train --data x --horizon 0 --out y
refused 2 'is not one of' "$F" train --data x --horizon 3 --out y --network patchst
refused 2 'is not one of' "$F" evaluate --data x --protocol ett-hours
refused 2 'CPU only' "$F" forecast --run x --data y --device cuda
refused 2 'runs no attention model' "$F" plot --data x --out y.svg --attention-report a.html
refused 2 '--data or --forecast is missing' "$F" plot --out "$W/x.svg"
refused 2 'picture is written as .svg or .html' "$F" plot --data "$DATA/series.csv" --out "$W/x.png"
refused 2 'unknown frequency' "$F" train --data "$DATA/series.csv" --horizon 3 --freq hour1 --out "$W/r"
refused 2 '--cut has no effect' "$F" train --data "$DATA/series.csv" --horizon 3 --network dlinear --cut fixed --out "$W/r"
refused 2 'leave one of the two out' "$F" train --data "$DATA/series.csv" --horizon 3 --mean-patch 4 --threshold 2 --out "$W/r"
refused 2 'are for a folder' "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --shard 1/2
refused 2 '--out is missing' "$F" forecast --run "$DATA/run" --data "$DATA"
refused 2 'is a folder' "$F" forecast --run "$DATA/run" --data "$DATA" --out "$W/f" --plot "$W/x.svg"
refused 2 'is written as .csv' "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --out "$W/x.xlsx"
refused 2 'folder; expected a file' "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --out "$W/folder.csv/"
for verb in forecast backtest patch; do
  refused 1 'nowhere' "$F" $verb --run "$W/nowhere" --data "$DATA/series.csv"
  refused 1 'nowhere' "$F" $verb --run "$DATA/run" --data "$W/nowhere.csv"
done
refused 1 'nowhere' "$F" train --data "$W/nowhere.csv" --horizon 3 --out "$W/r"
refused 1 'nowhere' "$F" info "$W/nowhere"
refused 1 'nowhere' "$F" plot --data "$W/nowhere.csv" --out "$W/x.svg"
absent "$W/r" "$W/f" "$W/x.svg"

# Configuration: what is dumped reads back, a flag wins over the environment, that over the file.
ok "$F" train --data x --horizon 3 --out y --target 'a b' c --calendar --dump-config
cp "$W/out" "$W/train.toml"
ok "$F" train --config "$W/train.toml" --dump-config
same "$W/out" "$W/train.toml" "a dumped configuration must read back the same"
run env ATTN_HORIZON=5 "$F" train --config "$W/train.toml" --dump-config
has "$W/out" '^horizon = 5'
run env ATTN_HORIZON=5 "$F" train --config "$W/train.toml" --horizon 6 --dump-config
has "$W/out" '^horizon = 6'
echo '{"fit": {"optimisation": {"epoch": 3}}}' >"$W/settings.json"
refused 1 'settings.json: unknown key' "$F" train --data "$DATA/series.csv" --horizon 3 --settings "$W/settings.json" --out "$W/r"
echo '{"network": "dlinear", "horizon": 4' >"$W/settings.json"
refused 1 'settings.json' "$F" train --data "$DATA/series.csv" --horizon 3 --settings "$W/settings.json" --out "$W/r"

# A result goes to stdout, everything else to stderr; --quiet keeps stderr empty.
ok "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --json
json 'len(d["forecasts"]) == 12 and d["horizon"] == 12 and d["failures"] == []'
[ -s "$W/err" ] || complain "the log belongs on stderr"
ok "$F" forecast --run "$DATA/run" --data "$DATA/series.csv" --quiet
[ ! -s "$W/err" ] || complain "--quiet must be quiet"
"$F" info "$DATA/series.csv" | head -1 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || complain "a closed pipe is no error"
run bash -c '"$0" info "$1" >/dev/full' "$F" "$DATA/series.csv"
[ $code = 1 ] || complain "a full stdout must end with 1, not $code"

# Completion in bash.
ok "$F" __complete
for verb in "${verbs[@]}"; do has "$W/out" "^$verb$"; done
ok "$F" __complete train --network
has "$W/out" '^dlinear$'
grep -q 'attn-forecast' "$(dirname "$0")/../../apps/common/completion.bash" || complain "not named in completion.bash"
finish
