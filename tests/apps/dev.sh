#!/usr/bin/env bash
# ./dev with fakes of the tools it calls: a step that fails ends it, and leaves nothing behind that a later call takes.
set -u -o pipefail
root=$1
W=$(mktemp -d "${TMPDIR:-/tmp}/attn-dev-test-XXXXXX")
trap 'rm -rf "$W"' EXIT
failures=0
complain() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n  said: %s\n' "$*" "$(head -c 600 "$W/said" 2>/dev/null)" >&2
}

# A clone of the files that ./dev itself reads, and tools that note how they were called; `fails NAME [WORD]` makes a tool
# fail, where WORD is among its arguments.
mkdir -p "$W/clone/cmake" "$W/clone/tools" "$W/clone/bench" "$W/clone/apps/attn-mil" "$W/bin" "$W/elsewhere"
cp "$root/dev" "$W/clone"
cp "$root/cmake/wheels.txt" "$root/cmake/peers.txt" "$W/clone/cmake"
echo g++ >"$W/clone/cmake/debian-packages.txt"
fake() {
  cat >"$1" <<'END'
#!/usr/bin/env bash
name=${0##*/}
echo "$name $*${GIT_DIR:+ GIT_DIR}" >>"$W/calls"
case "$name" in
  dpkg-query) echo installed ;;
  uname) cat "$W/machine" ;;
  python3) case "$*" in
    *download*)
      [ ! -e "$W/pip-says" ] || cat "$W/pip-says"
      folder=$(sed 's/.* -d \([^ ]*\) .*/\1/' <<<"$*")
      mkdir -p "$folder" && touch "$folder/a.whl" "$folder/b.whl"
      cp "${@: -1}" "$W/required" ;;
    *zipfile*) mkdir -p "${@: -1}/torch" ;;
    *version_info*) cat "$W/python" ;;
  esac ;;
esac
[ ! -e "$W/fails-$name" ] || ! grep -q -- "$(cat "$W/fails-$name")" <<<"$*"
END
  chmod +x "$1"
}
for tool in dpkg-query uname python3 cmake ctest; do fake "$W/bin/$tool"; done
fake "$W/clone/bench/run.sh"
fake "$W/clone/tools/package.sh"
fake "$W/clone/apps/attn-mil/demo.sh"
fails() { printf '%s' "${2:-}" >"$W/fails-$1"; }
works() { rm -f "$W"/fails-*; }
export W
echo x86_64 >"$W/machine"
echo 3.11 >"$W/python"

# dev CODE VERB...: must end with CODE; the tools' calls are in $W/calls, what it says in $W/said.
dev() {
  local want=$1 code=0
  shift
  : >"$W/calls"
  (cd "$W/elsewhere" && env "${without[@]}" -u CI -u LIBTORCH_ROOT -u ARROW_ROOT -u Torch_DIR -u CMAKE_PREFIX_PATH -u XDG_CACHE_HOME \
    PATH="$W/bin:$PATH" "${with[@]}" "$W/clone/dev" "$@") >"$W/said" 2>&1 || code=$?
  [ "$code" = "$want" ] || complain "exit $code instead of $want: ${with[*]} dev $*"
}
with=() without=()
export LIBATTN_CACHE=$W/cache
called() { grep -q -- "$1" "$W/calls" || complain "never called: $1"; }
uncalled() { ! grep -q -- "$1" "$W/calls" || complain "called: $1"; }
said() { grep -q -- "$1" "$W/said" || complain "never said: $1"; }

# Wheels: a step that fails leaves no site, and what a killed call left goes.
mkdir -p "$W/cache/unpack.killed"
for step in download 'zipfile.*b.whl'; do
  fails python3 "$step"
  dev 1 test
  said '^error: '
  uncalled '^cmake'
  works
  [ -z "$(find "$W/cache" -mindepth 1 ! -name lock ! -name download.log)" ] || complain "left in the cache after a failed $step: $(ls "$W/cache")"
done
printf '%s\n' Traceback "WARNING: Retrying after connection broken by 'no route'" 'ERROR: No matching distribution' >"$W/pip-says"
fails python3 download
dev 1 test
said "^error: .*connection broken by 'no route'"
[ "$(wc -l <"$W/said")" -le 3 ] || complain "a page of pip's"
grep -q Traceback "$W/cache/download.log" || complain "pip's own words are kept"
works
rm "$W/pip-says"
dev 0 build
called '^cmake --preset release -DLIBTORCH_ROOT=.*/cache/site-[0-9a-f]*/torch .*-DATTN_WERROR=OFF'
dev 0 build
uncalled '^python3'
cmp -s "$W/required" "$root/cmake/wheels.txt" || complain "asked for $(cat "$W/required")"

# What the user has is not fetched.
export LIBATTN_CACHE=$W/part
with=(LIBTORCH_ROOT=/a)
dev 0 build
called '-DLIBTORCH_ROOT=/a -DARROW_ROOT=.*/arrow-[0-9a-f]*/pyarrow '
[ "$(sed 's/==.*//' "$W/required")" = pyarrow ] || complain "asked for $(cat "$W/required")"
with=(ARROW_ROOT=/b)
dev 0 build
called '-DLIBTORCH_ROOT=.*/torch-[0-9a-f]*/torch -DARROW_ROOT=/b '
[ "$(sed 's/==.*//' "$W/required" | xargs)" = 'torch nvidia-cuda-runtime nvidia-cuda-cupti' ] || complain "asked for $(cat "$W/required")"
with=()
export LIBATTN_CACHE=$W/cache

# A build that fails is not tested, timed or shown.
for step in ^--preset ^--build; do
  fails cmake "$step"
  for verb in test asan bench demo package lint; do
    [ "$verb $step" = "lint ^--build" ] && continue
    dev 1 "$verb"
    uncalled '^ctest'
    uncalled '^run.sh'
    uncalled '^demo.sh'
    uncalled '^package.sh'
  done
  works
done
dev 0 test -R some
called '^ctest --preset release .* -R some'
fails ctest
dev 1 test
works

# Whose LibTorch, warnings as errors, where the demo goes.
mkdir -p "$W/mine/include/ATen/core" && : >"$W/mine/include/ATen/core/Tensor.h"
with=(LIBTORCH_ROOT=/a Torch_DIR=/b/share/cmake/Torch)
dev 0 build
called '-DLIBTORCH_ROOT=/a '
with=(Torch_DIR=/b/share/cmake/Torch "CMAKE_PREFIX_PATH=$W/mine")
dev 0 build
called '-DLIBTORCH_ROOT=/b '
with=("CMAKE_PREFIX_PATH=/opt:$W/mine" CI=true)
dev 0 build
called "-DLIBTORCH_ROOT=$W/mine .*-DATTN_WERROR=ON"
with=("CMAKE_PREFIX_PATH=/opt:$W/mine/share/cmake/")
dev 0 build
called "-DLIBTORCH_ROOT=$W/mine "
with=(GIT_DIR=/nonexistent) # of a hook of another repository
dev 0 build
uncalled ' GIT_DIR$'
with=()
dev 0 demo out
called "^demo.sh $W/elsewhere/out$"
dev 0 demo
called '^demo.sh $'

dev 0 package
called '^package.sh $'

# The Python packages: fetched when asked for and under CI, beside LibTorch's own wheel, once.
dev 1 peers --path
said 'run ./dev peers'
uncalled '^python3'
echo 3.13 >"$W/python"
dev 1 peers
said '3.11'
echo 3.11 >"$W/python"
fails python3 'zipfile.*b.whl'
dev 1 peers
works
dev 1 peers --path
with=(LIBTORCH_ROOT=/a CI=true)
dev 0 test
called 'download.*unpack'
grep -q '^numpy==' "$W/required" || complain "asked for $(cat "$W/required")"
called '-DLIBTORCH_ROOT=/a '
dev 0 test
uncalled download
with=()
dev 0 peers --path
said "^$W/cache/peers-[0-9a-f]*/bin/python$"
[ -d "$(sed 's|bin/python|torch|' "$W/said")" ] || complain "LibTorch is not beside them"

# Other machines and bare environments are told what to do.
echo aarch64 >"$W/machine"
dev 1 build
said 'x86-64.*aarch64.*LIBTORCH_ROOT'
with=(LIBTORCH_ROOT=/a ARROW_ROOT=/b)
dev 0 build
echo x86_64 >"$W/machine"
with=() without=(-u HOME -u LIBATTN_CACHE)
dev 0 help
dev 1 build
said 'set LIBATTN_CACHE'
without=()
dev 1 biuld
said 'no such verb: biuld'

if [ $failures = 0 ]; then echo "all passed"; else echo "$failures failed" >&2; exit 1; fi
