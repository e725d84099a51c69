#!/usr/bin/env bash
# tools/lint.py with a fake of clang-tidy, in a clone whose path has a blank and the word build in it: what it checks, and
# that it never passes having checked nothing.
set -u -o pipefail
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars) # a GIT_DIR of the caller's: what follows would commit to that repository
root=$1
W=$(mktemp -d "${TMPDIR:-/tmp}/attn-lint-test-XXXXXX")
trap 'rm -rf "$W"' EXIT
failures=0
complain() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n  said: %s\n' "$*" "$(head -c 600 "$W/said" 2>/dev/null)" >&2
}

clone="$W/build dir/clone"
mkdir -p "$clone/tools" "$clone/a" "$clone/b" "$clone/build" "$clone/cmake" "$W/bin"
cp "$root/tools/lint.py" "$clone/tools"
cd "$clone" || exit 1
echo 'Checks: bugprone-*' >.clang-tidy
echo /build/ >.gitignore
printf '#pragma once\n' >a/a.h
printf '#include "a/a.h"\n' >a/a.cpp
printf 'int b;\n' >b/b.cpp
touch CMakeLists.txt b/CMakeLists.txt build/generated.cpp
# database FILE...: what CMake writes, with the precompiled header and a compiler cache in front
database() {
  python3 - "$PWD" "$@" <<'END' >build/compile_commands.json
import json, shlex, sys
here, *files = sys.argv[1:]
print(json.dumps([{"directory": here + "/build", "file": f"{here}/{f}",
                   "command": shlex.join(["/usr/bin/cmake", "-E", "env", "X=1", "/usr/bin/ccache", "/usr/bin/c++", f"-I{here}",
                   "-Winvalid-pch", "-include", f"{here}/build/cmake_pch.hxx", "-c", f"{here}/{f}"])} for f in files]))
END
}
database a/a.cpp b/b.cpp build/generated.cpp
cat >"$W/bin/clang-tidy" <<'FAKE'
#!/usr/bin/env bash
[ "$1" != --version ] || { echo "  LLVM version ${FAKE_VERSION:-14.0.6}"; exit 0; }
file=${*: -1}
echo "${file##*/}" >>"$W/checked"
python3 - "$file" <<'END' || { echo 'the command is not as it should be'; exit 1; }
import json, sys
entry = next(e for e in json.load(open("build/lint/compile_commands.json")) if e["file"] == sys.argv[1])
words = entry.get("arguments", [])
sys.exit(words[:1] != ["/usr/bin/c++"] or any("pch" in w or w == "-include" for w in words))
END
echo '81234 warnings generated.' >&2
grep -q bad "$file" || exit 0
echo "$file:1:1: error: bad [bugprone-bad]"
exit 1
FAKE
chmod +x "$W/bin/clang-tidy"
export W GIT_CONFIG_GLOBAL=/dev/null
unset LINT_BASE
git init -q .
[ "$(git rev-parse --absolute-git-dir)" = "$PWD/.git" ] || { complain "git works on another repository"; exit 1; }
git config user.name t && git config user.email t@t
commit() { git add -A && git commit -q --allow-empty -m "$1"; }

# lint CODE "FILES CHECKED" OPTION...
keep_cache=false
lint() {
  local want=$1 files=$2 code=0 checked
  shift 2
  : >"$W/checked"
  $keep_cache || rm -rf "$W/cache"
  PATH="$W/bin:$PATH" LIBATTN_CACHE="$W/cache" python3 tools/lint.py "$@" >"$W/said" 2>&1 || code=$?
  [ "$code" = "$want" ] || complain "exit $code instead of $want: lint $*"
  checked=$(sort "$W/checked" | xargs)
  [ "$checked" = "$files" ] || complain "checked '$checked' instead of '$files': lint $*"
}

commit one
lint 0 'a.cpp b.cpp'
lint 0 'a.cpp b.cpp' --changed # no commit to compare with: everything
commit two
lint 0 '' --changed
# A tree younger than a day is compared with its first commit; a shallow clone with none, unless it holds one a day old.
echo '// more' >>b/b.cpp
commit three
commit four
lint 0 'b.cpp' --changed
git rev-parse HEAD~1 >.git/shallow
lint 0 'a.cpp b.cpp' --changed
rm .git/shallow
GIT_COMMITTER_DATE="@$(($(date +%s) + 200000)) +0000" commit later
lint 0 '' --changed
git rev-parse HEAD~1 >.git/shallow
lint 0 '' --changed
rm .git/shallow
GIT_DIR=/nonexistent lint 0 '' --changed # of a hook of another repository
echo '// more' >>a/a.h
lint 0 'a.cpp' --changed
git checkout -q a/a.h
printf '#include "a/a.h"\n' >a/new.cpp # unknown to git
database a/a.cpp b/b.cpp a/new.cpp
lint 0 'new.cpp' --changed
rm a/new.cpp
database a/a.cpp b/b.cpp
for file in .clang-tidy tools/lint.py CMakeLists.txt cmake/new.cmake; do
  mkdir -p cmake
  echo '# more' >>$file
  lint 0 'a.cpp b.cpp' --changed
  git checkout -q . && git clean -fdq
done
echo '# more' >>b/CMakeLists.txt
lint 0 'b.cpp' --changed
git checkout -q .
lint 0 'b.cpp' b/b.cpp
lint 1 '' nowhere.cpp
LINT_BASE=nowhere lint 1 '' --changed

# Findings are told and end it; counts of warnings in other people's headers are not told.
echo 'int bad;' >b/b.cpp
lint 1 'b.cpp' --changed
grep -q '^b/b.cpp:1:1: error: bad' "$W/said" || complain "the finding is not told"
grep -q 'warnings generated' "$W/said" && complain "clang-tidy's counts are told"
git checkout -q .

# Headers: #pragma once, or a guard by name where C reads them.
printf '/* For C. */\n#ifndef C_H_\n#define C_H_\n#endif\n' >a/c.h
tools/lint.py --rules-only >"$W/said" 2>&1 || complain "a guarded header of C is refused"
printf '/* For C. */\n#ifndef C_H_\n#endif\n' >a/c.h
tools/lint.py --rules-only >"$W/said" 2>&1 && complain "a header without a guard passes"
grep -q '^a/c.h:1: a header begins with' "$W/said" || complain "the header without a guard is not told"
rm a/c.h

# What passed is checked again by another version only.
lint 0 'a.cpp b.cpp'
keep_cache=true
lint 0 ''
FAKE_VERSION=15.0.7 lint 0 'a.cpp b.cpp'
keep_cache=false

# Out of time: what was left out is told. In time, the latest committed comes first.
lint 0 '' --minutes 0
grep -q '2 files left out after 0 minutes' "$W/said" || complain "the files left out are not told"
echo 'int later;' >>b/b.cpp
GIT_COMMITTER_DATE='2030-01-01 00:00:00 +0000' commit later
lint 0 'a.cpp b.cpp' --minutes 5 --jobs 1
[ "$(head -n 1 "$W/checked")" = b.cpp ] || complain "the latest is not checked first"

# Without clang-tidy one sentence says so.
mkdir "$W/without"
ln -s "$(command -v git)" "$W/without"
python=$(python3 -c 'import sys; print(sys.executable)')
PATH=$W/without "$python" tools/lint.py >"$W/said" 2>&1 && complain "passed without clang-tidy"
grep -q '^error: clang-tidy does not run' "$W/said" || complain "the missing clang-tidy is not told"

# Nothing to check is a failure of its own.
database build/generated.cpp
lint 1 ''
rm -rf .git
lint 1 ''
if [ $failures = 0 ]; then echo "all passed"; else echo "$failures failed" >&2; exit 1; fi
