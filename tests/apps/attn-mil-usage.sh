#!/usr/bin/env bash
# The command line: help, version, configuration, unknown things, stdout and stderr.
source "$(dirname "$0")/support.sh"

verbs=(simulate tissue tile features train cv evaluate predict heatmap info run)
ok "$MIL" --help
for verb in "${verbs[@]}"; do has "$W/out" "^  $verb "; done
for verb in "${verbs[@]}"; do
  ok "$MIL" "$verb" --help
  has "$W/out" "^Example: attn-mil $verb "
  for option in --config --dump-config --seed --threads --device --json --quiet --verbose; do
    has "$W/out" "$option"
  done
  case $verb in # who runs an attention model
    train | cv | evaluate | predict | heatmap | run) has "$W/out" '--attention-report' ;;
    *) grep -q -- '--attention-report' "$W/out" && complain "$verb --help offers --attention-report, and $verb refuses it" ;;
  esac
  has "$W/out" 'Exit codes: 0 done'
  # The example's options are options of the verb.
  example=$(sed -n "s/^Example: attn-mil $verb //p" "$W/out")
  for option in $(grep -Eo -- '--[a-z-]+' <<<"$example"); do has "$W/out" "$option"; done
done
ok "$MIL" --version
for fact in LibTorch OpenCV OpenSlide HDF5 Arrow SIMD 'CPU only' revision; do has "$W/out" "$fact"; done
ok "$MIL" --version --json
json 'd["program"] == "attn-mil" and d["libraries"]["LibTorch"].startswith("2.")'

run "$MIL"
[ $code = 2 ] || complain "no verb must end with 2, not $code"
refused 2 "unknown verb 'trian'; did you mean 'train'" "$MIL" trian
refused 2 "unknown option --tiel; did you mean '--tile'" "$MIL" tile x --out y --tiel 3
refused 2 '--out is missing' "$MIL" tile x
refused 2 '--out needs a value' "$MIL" tile x --out
refused 2 'SLIDES is missing' "$MIL" tile --out y
refused 2 "not a number" "$MIL" tile x --out y --mpp fine
refused 2 'out of range' "$MIL" tile x --out y --mpp 500
refused 2 "is not one of" "$MIL" train --bags x --out y --model abmill
refused 2 'CPU only' "$MIL" tile x --out y --device cuda
refused 2 'is not I/N' "$MIL" tile x --out y --shard 3/2
refused 2 'runs no attention model' "$MIL" tile x --out y --attention-report a.html
refused 2 'overlap' "$MIL" tile "$DATA/slides" --out "$W/t" --tile 64 --overlap 64
refused 1 'nowhere' "$MIL" tile "$W/nowhere" --out "$W/t"
refused 1 'nowhere' "$MIL" features "$W/nowhere" --out "$W/t"
refused 1 'nowhere' "$MIL" train --bags "$W/nowhere" --labels "$W/nowhere.csv" --out "$W/t"
refused 1 'nowhere' "$MIL" evaluate --run "$W/nowhere"
refused 1 'nowhere' "$MIL" info "$W/nowhere"
refused 1 'nowhere' "$MIL" predict --run "$W/nowhere" "$DATA/slides" --out "$W/p.csv"

# Configuration: what is dumped reads back, a flag wins over the environment, that over the file.
ok "$MIL" tile x --out y --mpp 1.25 --otsu --dump-config
cp "$W/out" "$W/tile.toml"
ok "$MIL" tile --config "$W/tile.toml" --dump-config
same "$W/out" "$W/tile.toml" "a dumped configuration must read back the same"
run env ATTN_MPP=2 "$MIL" tile --config "$W/tile.toml" --dump-config
has "$W/out" '^mpp = 2.0'
run env ATTN_MPP=2 "$MIL" tile --config "$W/tile.toml" --mpp 3 --dump-config
has "$W/out" '^mpp = 3.0'
echo 'mpq = 1.0' >"$W/bad.toml"
refused 2 "line 1: mpq.*did you mean 'mpp'" "$MIL" tile x --out y --config "$W/bad.toml"
echo 'mpp = ' >"$W/bad.toml"
refused 2 'not TOML' "$MIL" tile x --out y --config "$W/bad.toml"
refused 2 'no such file' "$MIL" tile x --out y --config "$W/none.toml"

# A result goes to stdout, everything else to stderr; --quiet keeps stderr empty.
ok "$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}" --json
json 'd["done"] == 10 and d["failed"] == []'
[ -s "$W/err" ] || complain "the log belongs on stderr"
ok "$MIL" tile "$DATA/slides" --out "$W/tiles" "${TILES[@]}" --quiet
[ ! -s "$W/err" ] || complain "--quiet must be quiet"
"$MIL" info "$DATA/labels.csv" | head -1 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || complain "a closed pipe is no error"
run bash -c '"$0" info "$1" >/dev/full' "$MIL" "$DATA/labels.csv"
[ $code = 1 ] || complain "a full stdout must end with 1, not $code"

# Names that hold anything, threads beyond the machine, configuration from a pipe.
refused 2 'is not UTF-8' "$MIL" tile $'x\xff' --out y
refused 1 'no\\x0aw\\x1b\[31mhere' "$MIL" info $'no\nw\x1b[31mhere'
run "$MIL" info "$DATA/labels.csv" --threads 4096
has "$W/err" '^warning: --threads 4096 is taken as [0-9]+'
ok "$MIL" tile x --out y --config <(echo 'mpp = 2.5') --dump-config
has "$W/out" '^mpp = 2.5'
ok "$MIL" tile x --out y --config /dev/null --dump-config
echo 'overwrite = true' >"$W/bad.toml"
refused 2 'overwrite: --overwrite is for one call' "$MIL" tile x --out y --config "$W/bad.toml"

# Completion: what the program lists, and what the script makes of it in bash.
ok "$MIL" __complete
for verb in "${verbs[@]}"; do has "$W/out" "^$verb$"; done
ok "$MIL" __complete train --model
has "$W/out" '^abmil-plain$'
source "$(dirname "$0")/../../apps/common/completion.bash"
# completes TO WORD...: the last word, typed so far, is completed to TO, words with blanks between them.
completes() {
  local to=$1
  shift
  COMP_WORDS=("$MIL" "$@") COMP_CWORD=$#
  _attn_complete
  local found
  found=$(printf '%s\n' "${COMPREPLY[@]}" | sort | xargs)
  [ "$found" = "$to" ] || complain "'$*' is completed to '$found', not to '$to'"
}
completes 'train' tr
completes 'train' help tr
completes '--model' train --json --mod
completes '--no-resume' train --bags x --no-r
completes '--no-legend' heatmap --no-l
completes 'max mean' train --json --model m
completes 'max mean' train --model = m
completes 'abmil abmil-plain max mean' train --model =
cd "$W" || exit 1
mkdir folder && touch folder-file
completes 'folder folder-file' train --bags fol
completes 'folder folder-file' tile --json fol
finish
