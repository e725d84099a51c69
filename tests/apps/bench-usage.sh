#!/usr/bin/env bash
# The command line of bench-attention: what it cannot do is refused, not answered by an empty list.
source "$(dirname "$0")/support.sh"
bench=$MIL
ok "$bench" --help --json
has "$W/out" '^usage: bench-attention'
refused 2 "no case has 'zzz'.*\(1,8,1024,64\)" "$bench" --cases zzz --json
refused 2 'no case of --quick' "$bench" --cases 16384 --quick
refused 2 '--threads is empty' "$bench" --threads '' --json
refused 2 'positive whole number' "$bench" --threads ,1
refused 2 'unknown option' "$bench" --jsn
ok "$bench" --json --quick --threads 1 --cases '(64,4,50,32)'
json 'len(d) == 14 and {r["pass"] for r in d} == {"forward", "forward+backward"} and all(r["ratio"] > 0 for r in d)'
finish
