#!/usr/bin/env python3
"""House rules and clang-tidy over the C++ of this tree; `./dev lint` calls it.

    tools/lint.py [--changed] [--rules-only] [--jobs N] [--minutes N] [FILE...]

--changed limits clang-tidy to the files changed since LINT_BASE (default: the newest commit that is at least a day
older than HEAD, or the first where the tree is younger), those that git does not know yet among them, and to the
sources that include them; a changed CMakeLists.txt stands for its folder, and a changed .clang-tidy, top CMakeLists.txt,
cmake/ or lint.py for everything, as does a shallow clone that does not reach so far back. A file that passed with the same content,
headers, flags and checks is not checked again by the same clang-tidy: its key is kept in LIBATTN_CACHE/lint.
--minutes begins no file after so long, the latest committed first, and tells how many were left out: a file that
includes LibTorch takes a minute of processor time, for clang-tidy matches every check against every header.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("LIBATTN_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "libattn") / "lint"

# (where: regex on the path, what is forbidden: regex on a line, why)
RULES = [
    (r"\.(h|cpp)$", r"#include <torch/torch\.h>", "torch/torch.h is only in the precompiled header: include the narrow header"),
    (r"^libattn/include/attn/.*\.h$", r"#include <torch/(?!nn/module\.h)|#include <ATen/ATen\.h>",
     "public headers include ATen/core/Tensor.h at most"),
    (r"^libattn/(core/|include/attn/core)", r"#include <(torch|ATen|c10)/", "the core knows no LibTorch"),
    (r"^libattn/", r'#include "(pathology|timeseries|finance|vision|apps)/', "libattn knows no domain and no program"),
    (r"^(pathology|timeseries|finance|vision)/", r'#include "apps/', "domains know no program"),
    (r"^pathology/", r'#include "(timeseries|finance|vision)/', "domains never include each other"),
    (r"^(libattn|pathology|timeseries|finance|vision)/", r"\bstd::(cout|cerr|clog)\b|\b(printf|puts|abort|exit)\(",
     "libraries neither print nor exit"),
    (r".", r"(?<![\w.$/{}])/(root|home/\w+|work)/", "no path of one machine"),
    (r".", r"\b(TODO|FIXME|XXX|HACK)\b", "finish it, or say in the documentation what is absent"),
]
IGNORE = re.compile(r"lint-allow")


@functools.cache
def git_environment():
    """The environment without GIT_DIR and its like: git is asked about ROOT, also in a hook of another repository."""
    local = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True).stdout.split()
    return {name: value for name, value in os.environ.items() if name not in local}


def git(*args):
    """What git prints, or None where it fails."""
    run = subprocess.run(["git", *args], cwd=ROOT, env=git_environment(), capture_output=True, text=True)
    return run.stdout if run.returncode == 0 else None


def names_from_git(*args):
    out = git(*args)
    if out is None:
        sys.exit(f"error: 'git {' '.join(args)}' failed in {ROOT}: lint needs a git clone")
    return [name for name in out.split("\0") if name]


def tracked(*patterns):
    names = names_from_git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns)
    return [name for name in names if (ROOT / name).is_file()]


def guarded(lines):
    """Whether a header may be included twice; C's way is for headers that C reads."""
    if "#pragma once" in lines:
        return True
    guard = next((line.split()[1] for line in lines if line.startswith("#ifndef ")), None)
    return guard is not None and f"#define {guard}" in lines and lines[0].startswith("/*")


def house_rules():
    found = []
    for name in tracked():
        if name == "tools/lint.py":
            continue
        try:
            lines = (ROOT / name).read_text().splitlines()
        except UnicodeDecodeError:
            continue
        # "-inl.h" files are included once per instruction set, by Highway's toggled guards
        if name.endswith(".h") and not name.endswith("-inl.h") and not guarded(lines):
            found.append(f"{name}:1: a header begins with #pragma once")
        for where, what, why in RULES:
            if re.search(where, name):
                found += [f"{name}:{i}: {why}" for i, line in enumerate(lines, 1)
                          if re.search(what, line) and not IGNORE.search(line)]
    return found


def project_includes(name, seen=None):
    """The files of this tree that `name` includes, itself first, transitively."""
    seen = {} if seen is None else seen
    if name in seen or not (ROOT / name).is_file():
        return seen
    seen[name] = True
    for inc in re.findall(r'^\s*#\s*include\s+"([^"]+)"', (ROOT / name).read_text(errors="replace"), re.M):
        for candidate in (inc, f"libattn/include/{inc}", str(pathlib.PurePath(name).parent / inc)):
            if (ROOT / candidate).is_file():
                project_includes(candidate, seen)
                break
    return seen


def base_commit():
    """The commit that --changed compares with; None where the clone has none."""
    base = os.environ.get("LINT_BASE")
    if base:
        if git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}") is None:
            sys.exit(f"error: LINT_BASE: '{base}' is no commit of this clone")
        return base
    head = git("log", "-1", "--format=%ct")
    if head is None:
        return None
    day_old = (git("rev-list", "-1", f"--before={int(head) - 86400}", "HEAD") or "").strip()
    if day_old:
        return day_old
    if (git("rev-parse", "--is-shallow-repository") or "").strip() != "false":
        return None
    commits = (git("rev-list", "HEAD") or "").split()
    first = (git("rev-list", "--max-parents=0", "HEAD") or "").split()
    return first[-1] if len(commits) > 1 and first else None


def changed_files():
    """The files that --changed is about; None: all."""
    base = base_commit()
    if base is None:
        return None
    changed = set(names_from_git("diff", "-z", "--name-only", base))
    changed |= set(names_from_git("ls-files", "-z", "--others", "--exclude-standard"))
    if any(re.fullmatch(r"\.clang-tidy|CMakeLists\.txt|CMakePresets\.json|cmake/.*|tools/lint\.py", n) for n in changed):
        return None
    folders = [str(pathlib.PurePath(n).parent) + "/" for n in changed if n.endswith("/CMakeLists.txt")]
    return changed | {n for n in tracked("*.cpp") if any(n.startswith(f) for f in folders)}


# For g++ alone: clang-tidy cannot read the precompiled header, and to clang an unknown warning is an error here.
NOT_FOR_CLANG = {"-Winvalid-pch", "-Wno-invalid-pch", "-fpch-preprocess", "-Wno-restrict"}


def for_clang(command):
    """A compile command as words, without the compiler cache in front and what is for g++ alone."""
    words = shlex.split(command)
    first = next((i for i, word in enumerate(words) if re.search(r"(^|[/-])(c|g|clang)\+\+[^/]*$", word)), 0)
    kept = []
    for word in words[first:]:
        if word.endswith("cmake_pch.hxx") and kept[-1] == "-include":
            kept.pop()
        elif word not in NOT_FOR_CLANG:
            kept.append(word)
    return kept


def compile_database():
    """Writes the build's commands as clang-tidy can read them; the folder, and the command of each file of this tree."""
    path = ROOT / "build" / "compile_commands.json"
    if not path.is_file():
        sys.exit("error: build/compile_commands.json is missing: run ./dev build first")
    entries = [{"directory": e["directory"], "file": e["file"], "arguments": for_clang(e["command"])}
               for e in json.loads(path.read_text())]
    folder = ROOT / "build" / "lint"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    ours = {ROOT / name: name for name in tracked("*.cpp")}
    files = {pathlib.Path(e["directory"], e["file"]).resolve(): e["arguments"] for e in entries}
    return folder, {ours[file]: words for file, words in files.items() if file in ours}


def stamps():
    """Where the keys of passed files are kept, apart for each version of clang-tidy."""
    try:
        said = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True).stdout
    except OSError:
        said = ""
    version = re.search(r"version (\S+)", said)
    if version is None:
        sys.exit("error: clang-tidy does not run: install it (./dev build does)")
    return CACHE / version[1]


def tidy(folder, kept, name, words):
    """What clang-tidy finds in a file; nothing where it passes. `kept`: the folder of stamps()."""
    key = hashlib.sha256(((ROOT / ".clang-tidy").read_text() + " ".join(words).replace(str(ROOT), "")).encode())
    for include in sorted(project_includes(name)):
        key.update((ROOT / include).read_bytes())
    stamp = kept / key.hexdigest()
    if stamp.exists():
        return ""
    run = subprocess.run(["clang-tidy", "--quiet", "-p", str(folder), str(ROOT / name)], capture_output=True, text=True)
    if run.returncode == 0:
        kept.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        return ""
    # On stderr it counts the warnings of the system's headers; findings, and why it could not go on, stay.
    reasons = [line for line in run.stderr.splitlines() if not re.match(r"\d+ (warning|error)s? ", line)]
    return (run.stdout + "\n".join(reasons)).strip().replace(str(ROOT) + "/", "") or f"{name}: clang-tidy failed"


def wanted(commands, args):
    """The files to check, or an exit where there should be some and there are none."""
    names = sorted(commands)
    if args.files:
        files = {str(pathlib.Path(f).resolve().relative_to(ROOT)) for f in args.files}
        if files - set(names):
            sys.exit(f"error: not compiled in build/: {', '.join(sorted(files - set(names)))}")
        return sorted(files)
    if not names:
        sys.exit("error: build/compile_commands.json names no source of this tree: run ./dev build again")
    changed = changed_files() if args.changed else None
    return names if changed is None else [n for n in names if changed & set(project_includes(n))]


def latest_first(names):
    """The files by when they were last committed, what is not committed at all before all others."""
    when, stamp = {}, 0
    for line in (git("log", "--format=@%ct", "--name-only") or "").splitlines():
        if line.startswith("@"):
            stamp = int(line[1:])
        elif line:
            when.setdefault(line, stamp)
    return sorted(names, key=lambda name: -when.get(name, float("inf")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--rules-only", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()

    bad = house_rules()
    for line in bad:
        print(line)
    if args.rules_only:
        return 1 if bad else 0

    folder, commands = compile_database()
    names = wanted(commands, args)
    kept = stamps()
    if args.minutes != float("inf"):
        names = latest_first(names)
    end = time.monotonic() + 60 * args.minutes

    def in_time(name):
        return tidy(folder, kept, name, commands[name]) if time.monotonic() < end else None

    failed = left_out = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for said in pool.map(in_time, names):
            if said is None:
                left_out += 1
            elif said:
                failed += 1
                print(said)
    print(f"lint: {len(names) - left_out} files by clang-tidy, {failed} with findings; "
          f"{len(bad)} breaches of the house rules")
    if left_out:
        print(f"lint: {left_out} files left out after {args.minutes:g} minutes; ./dev lint checks them all")
    return 1 if bad or failed else 0


if __name__ == "__main__":
    sys.exit(main())
