#!/usr/bin/env bash
# The odd files that people have: dates of every form, newest first, holes, no time column, one series a row.
source "$(dirname "$0")/attn-forecast-support.sh"
needs_shared AirPassengers.csv ETTh1.csv M4-Hourly-test.csv M4-Hourly-train.csv exchange_rate.csv gasrate_co2.csv \
  ice_cream_heater.csv monthly-milk-incomplete.csv national_illness.csv us_gasoline.csv
cd "$W" || exit 1
sha256sum "$SHARED"/*.csv >sums

# file SERIES ROWS FREQUENCY CHANNELS FIRST LAST NAME [OPTION...]: what info finds.
file() {
  ok "$F" info "$SHARED/$7" --json "${@:8}"
  json "d['series'] == $1 and d['rows'] == $2 and d['frequency'] == '$3' and len(d['channels']) == $4 and str(d['first']) == '$5' and str(d['last']) == '$6'"
}
file 1 144 M 1 1949-01 1960-12 AirPassengers.csv
file 1 17420 h 7 '2016-07-01 00:00:00' '2018-06-26 19:00:00' ETTh1.csv
file 1 7588 D 8 '1990/1/1 0:00' '2010/10/10 0:00' exchange_rate.csv
file 1 296 index 2 1 296 gasrate_co2.csv
file 1 966 W 7 '2002-01-01 00:00:00' '2020-06-30 00:00:00' national_illness.csv
file 414 353500 index 1 1 960 M4-Hourly-train.csv
ok "$F" info "$SHARED/us_gasoline.csv" --json
json "d['rows'] == 1578 and d['frequency'] == 'W' and any('turned round' in n for n in d['notes'])"
ok "$F" info "$SHARED/ice_cream_heater.csv" --json
json "d['frequency'] == 'M' and d['channels'] == ['heater', 'ice cream']"
ok "$F" info "$SHARED/monthly-milk-incomplete.csv" --json
json "d['frequency'] == 'M' and d['absent_rows'] > 0 and d['gaps'] > 0"

# From each a forecast with its own stamps, by the cheapest network.
quick=(--network dlinear --max-epochs 1 --threads 1)
next() { # next NAME HORIZON FIRST-STAMP-AFTER [OPTION...]
  local name=${1%.csv}
  ok "$F" train --data "$SHARED/$1" --horizon "$2" "${quick[@]}" "${@:4}" --out "$name"
  ok "$F" forecast --run "$name" --data "$SHARED/$1" "${@:4}" --out "$name-future.csv"
  ok "$F" forecast --run "$name" --data "$SHARED/$1" "${@:4}" --json
  json "str(list(d['forecasts'][0].values())[1]) == '$3' or '$3' in [str(v) for v in d['forecasts'][0].values()]"
}
next AirPassengers.csv 12 1961-01
next us_gasoline.csv 4 "$(tail -n +2 "$SHARED/us_gasoline.csv" | head -1 | python3 -c '
import sys, datetime
m, d, y = map(int, sys.stdin.readline().split(",")[0].strip("\" \r\n").split("/"))
t = datetime.date(y, m, d) + datetime.timedelta(7)
print("%02d/%d/%d" % (t.month, t.day, t.year))')"
next gasrate_co2.csv 12 297
next ice_cream_heater.csv 6 2020-07
next national_illness.csv 4 '2020-07-07 00:00:00'
refused 1 'monthly-milk-incomplete.csv: row .*gap.*--fill' "$F" train --data "$SHARED/monthly-milk-incomplete.csv" --horizon 6 "${quick[@]}" --out milk
ok "$F" train --data "$SHARED/monthly-milk-incomplete.csv" --fill linear --horizon 6 "${quick[@]}" --out milk
has "$W/err" 'absent rows were filled'
absent r
sha256sum -c --quiet sums >&2 || complain "an original file was touched"
finish
