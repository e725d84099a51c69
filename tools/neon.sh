#!/usr/bin/env bash
# The core's tests on aarch64: built by Debian's cross compiler, run by qemu. `./dev neon` calls it.
#
#   tools/neon.sh [ctest options]
#
# Highway and GoogleTest for arm64 are downloaded and unpacked into build-neon/sysroot, with an apt state of its own: the
# packages and architectures of this machine stay as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly folder=$PWD/build-neon
readonly sysroot=$folder/sysroot
readonly packages=(libhwy-dev libhwy1 libgtest-dev libgmock-dev)

fetch() { # fetch: the sysroot
  local work=$folder/apt
  rm -rf "$work"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  : >"$work/status"
  cat >"$work/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
END
  (
    cd "$work"
    APT_CONFIG=$work/apt.conf apt-get update -qq
    APT_CONFIG=$work/apt.conf apt-get download -qq "${packages[@]}"
    for package in *.deb; do dpkg-deb -x "$package" "$work/root"; done
  )
  rm -rf "$sysroot"
  mv "$work/root" "$sysroot"
  rm -rf "$work"
}

[ -d "$sysroot" ] || fetch
export AARCH64_SYSROOT=$sysroot
cmake --preset neon >&2
cmake --build "$folder" --target test-core test-core-c fuzz-c-api >&2
ctest --test-dir "$folder" --output-on-failure --no-tests=error -R '^(test-core.*|fuzz-c-api)$' "$@"
