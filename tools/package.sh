#!/usr/bin/env bash
# package.sh [--build BUILD] [--stage FOLDER]: BUILD/packages/libattn-VERSION-linux-MACHINE.tar.gz from a finished build (build/
# unless given): the libraries for those who link them, and the programs with every shared library that they load, for
# machines without a compiler. Its path goes to stdout. --stage: only what would be packed, into FOLDER.
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$PWD/build stage=
while [ $# -gt 0 ]; do
  case "$1" in
    --build) build=$2 ;;
    --stage) stage=$2 ;;
    *) printf 'error: no such option: %s\n' "$1" >&2; exit 2 ;;
  esac
  shift 2
done
say() { printf '%s\n' "$*" >&2; }
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
name=libattn-$version-linux-$(uname -m)
packages=$build/packages
work=$(mktemp -d "${TMPDIR:-/tmp}/attn-package-XXXXXX")
pack=
if [ -n "$stage" ]; then
  trap 'rm -rf "$work"' EXIT
else
  pack=yes stage=$packages/$name
  trap 'rm -rf "$work" "$stage"' EXIT
fi
rm -rf "$stage"
mkdir -p "$stage" "$packages"
cmake --install "$build" --strip --prefix "$stage" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
cmake -DSTAGE="$stage" -DLIST="$work/bundled" -P cmake/Bundle.cmake >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

# Each bundled library with the licence that came with it: of the Debian package, or of the wheel.
licences=$stage/share/doc/libattn/licences
mkdir -p "$licences"
while read -r placed source; do
  source=$(realpath "$source")
  package=$(dpkg-query -S "$source" "${source#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1 || true) # Debian: /lib is /usr/lib
  if [ -n "$package" ]; then
    cp -L "/usr/share/doc/$package/copyright" "$licences/$package"
    origin="Debian $(dpkg-query -W -f '${Package} ${Version}, source ${source:Package} ${source:Version}' "$package")"
  else
    origin="LibTorch or Arrow as built with"
  fi
  printf '%-40s %s\n' "$placed" "$origin"
done <"$work/bundled" >"$licences/BUNDLED"
for root in LIBTORCH_ROOT ARROW_ROOT; do
  site=$(dirname "$(sed -n "s/^$root:[A-Z]*=//p" "$build/CMakeCache.txt")")
  for info in "$site"/*.dist-info; do
    for licence in "$info"/licenses/* "$info"/LICENSE* "$info"/License* "$info"/NOTICE*; do
      [ ! -f "$licence" ] || cp "$licence" "$licences/$(basename "${info%.dist-info}")-$(basename "$licence")"
    done
  done
done

[ -n "$pack" ] || exit 0

# The same content makes the same archive.
when=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" -C "$packages" -c "$name" | gzip -n >"$packages/$name.tar.gz.part"
mv "$packages/$name.tar.gz.part" "$packages/$name.tar.gz"
say "$(du -sm "$stage" | cut -f1) MB in $(find "$stage" -type f | wc -l) files, $(du -m "$packages/$name.tar.gz" | cut -f1) MB packed"
du -sm "$stage"/* | sort -rn | sed "s|$stage/||; s/^/  MB /" >&2
echo "$packages/$name.tar.gz"
