#!/usr/bin/env bash
# FindLibTorch and FindArrowWheel on made-up folders: the root that is stated counts, also on a tree configured before.
set -u -o pipefail
root=$1
W=$(mktemp -d "${TMPDIR:-/tmp}/attn-find-test-XXXXXX")
trap 'rm -rf "$W"' EXIT
unset LIBTORCH_ROOT Torch_DIR CMAKE_PREFIX_PATH ARROW_ROOT
failures=0
complain() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n  said: %s\n' "$*" "$(grep -A3 -E 'Error|found' "$W/said" | head -c 600)" >&2
}

libtorch() { # libtorch FOLDER MINOR
  mkdir -p "$1/include/ATen/core" "$1/include/torch/headeronly" "$1/lib"
  touch "$1/include/ATen/core/Tensor.h" "$1/lib/libtorch_cpu.so" "$1/lib/libc10.so"
  printf '#define TORCH_VERSION_%s\n' 'MAJOR 2' "MINOR $2" 'PATCH 0' >"$1/include/torch/headeronly/version.h"
}
libtorch "$W/a" 11
libtorch "$W/b" 12
mkdir -p "$W/arrow/include/arrow/util" "$W/source"
touch "$W/arrow/include/arrow/api.h" "$W"/arrow/lib{arrow,parquet}.so.{2500,2600}
printf '#define ARROW_VERSION_STRING "26.0.1"\n#define ARROW_SO_VERSION "2600"\n' >"$W/arrow/include/arrow/util/config.h"
cat >"$W/source/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(find LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH "$root/cmake")
find_package(LibTorch \${WANTED} REQUIRED)
find_package(ArrowWheel REQUIRED)
get_target_property(torch LibTorch::torch_cpu IMPORTED_LOCATION)
get_target_property(include LibTorch::cpu INTERFACE_INCLUDE_DIRECTORIES)
list(GET include 0 include)
get_target_property(arrow ArrowWheel::arrow IMPORTED_LOCATION)
message(STATUS "found \${torch} \${LibTorch_VERSION} \${arrow} \${ArrowWheel_VERSION}")
message(STATUS "headers \${include}")
END

# found FOLDER VERSION NAME=VALUE... OPTION...: configures once more, which must find that LibTorch.
found() {
  local folder=$1 version=$2
  shift 2
  env CMAKE_GENERATOR=Ninja "$@" >"$W/said" 2>&1
  grep -q "found $folder/lib/libtorch_cpu.so $version.0 $W/arrow/libarrow.so.2600 26.0.1" "$W/said" || complain "not found in $folder: $*"
}
missing() {
  env CMAKE_GENERATOR=Ninja "$@" >"$W/said" 2>&1 && complain "configured without: $*"
  grep -q 'Could NOT find' "$W/said" || complain "not told what is missing: $*"
}
configure=(cmake -S "$W/source" -B "$W/build" -DWANTED=2.11)
found "$W/a" 2.11 "${configure[@]}" -DLIBTORCH_ROOT="$W/a" -DARROW_ROOT="$W/arrow"
headers=$(grep headers "$W/said")
found "$W/b" 2.12 "${configure[@]}" -DLIBTORCH_ROOT="$W/b"
[ "$headers" != "$(grep headers "$W/said")" ] || complain "another LibTorch under the same name: nothing would be compiled anew"
missing "${configure[@]}" -DLIBTORCH_ROOT=/nonexistent
missing CMAKE_PREFIX_PATH="$W/a" "${configure[@]}" -DLIBTORCH_ROOT=/nonexistent
found "$W/a" 2.11 "${configure[@]}" -DLIBTORCH_ROOT= -DTorch_DIR="$W/a/share/cmake/Torch"
found "$W/b" 2.12 LIBTORCH_ROOT="$W/b" "${configure[@]}"
found "$W/b" 2.12 "${configure[@]}" -DTorch_DIR= -DCMAKE_PREFIX_PATH="/opt;$W/b"
found "$W/a" 2.11 CMAKE_PREFIX_PATH="/opt:$W/a" "${configure[@]}" -DCMAKE_PREFIX_PATH=
found "$W/b" 2.12 "${configure[@]}" -DCMAKE_PREFIX_PATH="$W/b/share/cmake" # torch.utils.cmake_prefix_path
found "$W/a" 2.11 CMAKE_PREFIX_PATH="/opt:$W/a/share/cmake/" "${configure[@]}" -DCMAKE_PREFIX_PATH=
missing "${configure[@]}" -DLIBTORCH_ROOT="$W/a" -DARROW_ROOT=/nonexistent
# A range, as the installed package asks: LibTorch keeps no ABI from one minor version to the next.
found "$W/a" 2.11 "${configure[@]}" -DWANTED=2.11...\<2.12 -DLIBTORCH_ROOT="$W/a" -DARROW_ROOT="$W/arrow"
missing "${configure[@]}" -DWANTED=2.11...\<2.12 -DLIBTORCH_ROOT="$W/b"
if [ $failures = 0 ]; then echo "all passed"; else echo "$failures failed" >&2; exit 1; fi
