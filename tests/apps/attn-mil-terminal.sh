#!/usr/bin/env bash
# On a terminal: a progress line that is redrawn and goes, an error in colour; none of it where it is not wanted.
source "$(dirname "$0")/support.sh"
command -v script >/dev/null || { echo "skipped: 'script' of util-linux makes the terminal" >&2; exit 77; }
export TERM=xterm
unset NO_COLOR
escape=$'\x1b'

# on_terminal COLUMNS COMMAND...: stdin, stdout and stderr are a terminal; what it shows to $W/out.
on_terminal() {
  local columns=$1 line
  shift
  line="stty cols $columns; exec $(printf '%q ' "$@")"
  run script -qec "$line" /dev/null
  [ "$code" = 0 ] || [ -n "${may_fail:-}" ] || complain "exit $code on a terminal: $*"
}
lacks() { ! grep -q -- "$1" "$W/out" || complain "'$1' on the terminal"; }

train=("$MIL" train --bags "$DATA/features" --labels "$DATA/labels.csv" "${TRAIN[@]}" --epochs 3000 --patience 0 --hidden 64 --no-resume --out "$W/run")
on_terminal 100 "${train[@]}"
has "$W/out" "${escape}\[K.*\[#*\.*\] [0-9]+ of 3000 epochs, .*left"
tr '\r' '\n' <"$W/out" | grep -q '^.\[Kpart ' || complain "the progress line must be gone before the result is printed"
on_terminal 40 "${train[@]}"
has "$W/out" "of 3000"
longest=$(tr '\r' '\n' <"$W/out" | sed "s/${escape}\[K//g" | grep 'of 3000' | awk '{ if (length > n) n = length } END { print n }')
[ "$longest" -lt 40 ] || complain "a progress line of $longest characters on a terminal of 40"
for how in '--quiet' ''; do
  [ "$how" = --quiet ] || export TERM=dumb
  # shellcheck disable=SC2086
  on_terminal 100 "${train[@]}" $how
  lacks 'of 3000 epochs, .*left'
  lacks "$escape"
done
export TERM=xterm

may_fail=1
on_terminal 100 "$MIL" info "$W/nowhere"
has "$W/out" "${escape}\[.*error:.*nowhere"
NO_COLOR=1 on_terminal 100 "$MIL" info "$W/nowhere"
has "$W/out" '^error: .*nowhere'
lacks "$escape"
finish
