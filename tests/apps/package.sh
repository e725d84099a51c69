#!/usr/bin/env bash
# What ./dev package packs runs where nothing is but the C library and the compiler's runtime: the programs, and a C program
# linked with libattn_core. Each in a root folder of its own that holds only these; without the right to chroot, what they
# would load is looked at instead.
set -u -o pipefail
PATH=$PATH:/usr/sbin # chroot
root=$1 build=$2
W=$(mktemp -d "$build/package-test-XXXXXX") # 700 MB: not in /tmp, which may be memory
trap 'rm -rf "$W"' EXIT
failures=0
complain() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n  said: %s\n' "$*" "$(head -c 900 "$W/said" 2>/dev/null)" >&2
}
stage=$W/root/opt/libattn
mkdir -p "$W/root/tmp"
"$root/tools/package.sh" --build "$build" --stage "$stage" >"$W/said" 2>&1 || { complain "nothing staged"; exit 1; }

read -r -a flags <<<"$(PKG_CONFIG_PATH=$stage/lib/pkgconfig pkg-config --cflags --libs attn-core)"
# shellcheck disable=SC2016
cc -std=c99 "$root/tests/consumers/c/main.c" "${flags[@]}" -lm '-Wl,-rpath,$ORIGIN/../lib' -o "$stage/bin/consumer" >"$W/said" 2>&1 ||
  complain "the C program does not build"

# Nothing of this machine but these.
of_the_system='^(ld-linux-[a-z0-9_-]*|lib(c|m|mvec|dl|rt|pthread|util|anl|resolv|gcc_s|stdc\+\+))\.so'
for file in "$stage"/bin/* "$stage"/lib/libattn_core.so; do
  while read -r library; do
    case "$library" in
      "$stage"/*) ;;
      *) [[ ${library##*/} =~ $of_the_system ]] || complain "${file##*/} loads $library"
         mkdir -p "$W/root${library%/*}" && cp -L "$library" "$W/root$library" ;;
    esac
  done < <(env -u LD_LIBRARY_PATH ldd "$file" | grep -oE '/[^ ]+')
  ! env -u LD_LIBRARY_PATH ldd "$file" | grep 'not found' || complain "${file##*/} lacks a library"
done
! grep -rlaF "$HOME/" "$stage"/bin "$stage"/lib/libattn* "$stage"/lib/cmake || complain "a folder of this machine is named"
for notice in BUNDLED libhwy1; do
  [ -s "$stage/share/doc/libattn/licences/$notice" ] || complain "no licence: $notice"
done
while read -r placed _; do
  [ -e "$stage/$placed" ] || complain "BUNDLED lists $placed, which is not there"
done <"$stage/share/doc/libattn/licences/BUNDLED"

export LD_ORIGIN_PATH=/opt/libattn/bin # what $ORIGIN is, where no /proc tells the loader
if ! chroot "$W/root" /opt/libattn/bin/consumer >"$W/said" 2>&1 && grep -q 'Operation not permitted' "$W/said"; then
  echo "not run in a bare root: chroot is not permitted"
else
  grep -q '^libattn_core' "$W/said" || complain "the C program does not run in a bare root"
  for program in "$stage"/bin/attn-*; do
    chroot "$W/root" "/opt/libattn/bin/${program##*/}" --help >"$W/said" 2>&1 || complain "${program##*/} --help in a bare root"
  done
  chroot "$W/root" /opt/libattn/bin/attn-mil simulate --out /tmp/data --slides 2 --seed 7 >"$W/said" 2>&1 ||
    complain "attn-mil simulate in a bare root"
  [ -s "$W/root/tmp/data/labels.csv" ] || complain "no slides drawn"
fi
if [ $failures = 0 ]; then echo "all passed"; else echo "$failures failed" >&2; exit 1; fi
