#!/usr/bin/env bash
# install.sh BUILD PREFIX: installs the library's component and moves it, to what the consumers then link. Nothing of it may
# name where it was built or first installed.
set -eu -o pipefail
build=$1 prefix=$2
rm -rf "$prefix" "$prefix-as-installed"
cmake --install "$build" --component libattn --prefix "$prefix-as-installed" >/dev/null
mv "$prefix-as-installed" "$prefix"
source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt")
libtorch=$(sed -n 's/^LIBTORCH_ROOT:[A-Z]*=//p' "$build/CMakeCache.txt")
failures=0
complain() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*" >&2
}
for folder in "$source" "$build" "$prefix-as-installed" ${libtorch:+"$libtorch"}; do
  found=$(grep -rlaF -- "$folder" "$prefix" || true)
  [ -z "$found" ] || complain "$folder is named in $found"
done
for library in "$prefix"/lib*/libattn*.so; do
  readelf -d "$library" | grep -q 'RUNPATH.*\[$ORIGIN\]$' || complain "the RUNPATH of $library: $(readelf -d "$library" | grep PATH)"
done
for header in attn.h core.h version.h; do
  [ -e "$prefix/include/attn/$header" ] || complain "not installed: attn/$header"
done
[ $failures = 0 ] || exit 1
find "$prefix" -type f -printf '%10s  %P\n'
