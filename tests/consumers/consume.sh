#!/usr/bin/env bash
# consume.sh c|cpp|torch|python|subproject TREE PREFIX [LIBTORCH_ROOT]: builds that consumer of the installed library in a
# folder outside of TREE, and runs it.
set -eu -o pipefail
kind=$1 tree=$2 prefix=$3 libtorch=${4:-}
W=$(mktemp -d "${TMPDIR:-/tmp}/attn-consumer-XXXXXX")
trap 'rm -rf "$W"' EXIT
unset LIBTORCH_ROOT Torch_DIR CMAKE_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH CPATH LIBRARY_PATH
export CMAKE_GENERATOR=Ninja CMAKE_BUILD_TYPE=Release
cp -r "$tree/tests/consumers/$kind" "$W/source"
cd "$W"
die() { printf 'FAILED: %s\n%s\n' "$*" "$(tail -n 15 said 2>/dev/null)" >&2; exit 1; }

build() { # build [cmake options]: configures, builds and runs
  cmake -S source -B build "-DCMAKE_PREFIX_PATH=$prefix" "$@" >said 2>&1 || die "configuring $kind"
  cmake --build build >said 2>&1 || die "building $kind"
  build/consumer
}
core_alone() { # core_alone FILE: it loads all that it needs, and no LibTorch
  ! ldd "$1" | grep -E 'torch|c10|not found' || die "$1 loads more than the core, or lacks something"
}

case "$kind" in
  c)
    PKG_CONFIG_PATH=$(echo "$prefix"/lib*/pkgconfig)
    export PKG_CONFIG_PATH
    read -r -a flags <<<"$(pkg-config --cflags --libs attn-core)"
    "${CC:-cc}" -std=c99 -O2 -Wall -Wextra -Wpedantic -Werror source/main.c -o by-hand "${flags[@]}" -lm \
      "-Wl,-rpath,$(pkg-config --variable=libdir attn-core)" >said 2>&1 || die "compiling with pkg-config's flags"
    ./by-hand
    core_alone by-hand
    build ;;
  cpp)
    build "-DLIBTORCH_ROOT=/nonexistent"
    core_alone build/consumer ;;
  torch)
    ! cmake -S source -B without "-DCMAKE_PREFIX_PATH=$prefix" -DLIBTORCH_ROOT=/nonexistent >said 2>&1 || die "configured without LibTorch"
    tr -s ' \n' '  ' <said | grep -q 'point LIBTORCH_ROOT at' || die "not told what is missing"
    build "-DLIBTORCH_ROOT=$libtorch"
    "${CXX:-c++}" -std=c++20 source/main.cpp -I "$prefix/include" -isystem "$libtorch/include" \
      -isystem "$libtorch/include/torch/csrc/api/include" -L "$prefix/lib" -lattn -lattn_core -L "$libtorch/lib" \
      -ltorch_cpu -lc10 "-Wl,-rpath,$prefix/lib" "-Wl,-rpath,$libtorch/lib" -o by-hand >said 2>&1 || die "compiling by hand"
    ./by-hand ;;
  subproject)
    cmake -S source -B build "-DTREE=$tree" "-DLIBTORCH_ROOT=$libtorch" >said 2>&1 || die "configuring as a part of another project"
    cmake --build build --target help >said
    grep -q 'libattn_core.so' said || die "the library is no target"
    ! grep -E 'test-|bench-|attn-mil' said || die "tests, benchmarks or programs in another's project"
    cmake --build build --target consumer-object >said 2>&1 || die "compiling with the tree's headers" ;;
  python)
    python=$("$tree/dev" peers --path 2>/dev/null) || { echo "skipped: the Python packages are not there; ./dev peers fetches them (1.6 GB)"; exit 77; }
    for program in main compile; do "$python" "source/$program.py" "$(echo "$prefix"/lib*/libattn.so)"; done ;;
  *) die "no such consumer" ;;
esac
echo "consumer $kind: passed"
