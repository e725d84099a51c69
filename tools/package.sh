#!/usr/bin/env bash
# package.sh [BUILD]: build/packages/libattn-VERSION-linux-MACHINE.tar.gz from a finished build: the libraries for those who
# link them, and the programs with every shared library that they load, for machines without a compiler. Its path goes to
# stdout.
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build}
say() { printf '%s\n' "$*" >&2; }
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
name=libattn-$version-linux-$(uname -m)
packages=$PWD/$build/packages
stage=$packages/$name
rm -rf "$stage" "$packages/bundled.txt"
mkdir -p "$packages"
trap 'rm -rf "$stage"' EXIT
cmake --install "$build" --strip --prefix "$stage" >"$packages/log" || { tail "$packages/log" >&2; exit 1; }
cmake -DSTAGE="$stage" -DLIST="$packages/bundled.txt" -P cmake/Bundle.cmake

# Each bundled library with the licence that came with it: of the Debian package, or of the wheel.
licences=$stage/share/doc/libattn/licences
mkdir -p "$licences"
while read -r placed source; do
  source=$(realpath "$source")
  package=$(dpkg-query -S "$source" 2>/dev/null | head -n 1 | cut -d: -f1 || true)
  if [ -n "$package" ]; then
    cp -L "/usr/share/doc/$package/copyright" "$licences/$package"
    origin="Debian $(dpkg-query -W -f '${Package} ${Version}, source ${source:Package} ${source:Version}' "$package")"
  else
    origin="LibTorch or Arrow as built with"
  fi
  printf '%-40s %s\n' "$placed" "$origin"
done <"$packages/bundled.txt" >"$licences/BUNDLED"
for root in LIBTORCH_ROOT ARROW_ROOT; do
  site=$(dirname "$(sed -n "s/^$root:[A-Z]*=//p" "$build/CMakeCache.txt")")
  for info in "$site"/*.dist-info; do
    for licence in "$info"/licenses/* "$info"/LICENSE* "$info"/License* "$info"/NOTICE*; do
      [ ! -f "$licence" ] || cp "$licence" "$licences/$(basename "${info%.dist-info}")-$(basename "$licence")"
    done
  done
done

# The same content makes the same archive.
when=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" -C "$packages" -c "$name" | gzip -n >"$packages/$name.tar.gz.part"
mv "$packages/$name.tar.gz.part" "$packages/$name.tar.gz"
say "$(du -sm "$stage" | cut -f1) MB in $(find "$stage" -type f | wc -l) files, $(du -m "$packages/$name.tar.gz" | cut -f1) MB packed"
du -sm "$stage"/* "$stage"/lib/bundled | sort -rn | sed "s|$stage/||; s/^/  MB /" >&2
echo "$packages/$name.tar.gz"
