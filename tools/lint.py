#!/usr/bin/env python3
"""House rules and clang-tidy over the C++ of this tree; `./dev lint` calls it.

    tools/lint.py [--changed] [--rules-only] [--jobs N] [FILE...]

--changed limits clang-tidy to the files changed since LINT_BASE (default: the newest commit that is at least a day
older than HEAD, or HEAD's parent where the tree is younger) and to the sources that include them. A file that passed with the
same content, headers, flags and checks is not checked again: its key is kept in LIBATTN_CACHE/lint.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

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


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
                         cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in out.splitlines() if (ROOT / name).is_file()]


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
        if name.endswith(".h") and not name.endswith("-inl.h") and "#pragma once" not in lines:
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


def changed_since_base():
    base = os.environ.get("LINT_BASE")
    git = lambda *a: subprocess.run(["git", *a], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    if not base:
        head = int(git("log", "-1", "--format=%ct") or 0)
        base = git("rev-list", "-1", f"--before={head - 86400}", "HEAD") or git("rev-parse", "HEAD~1")
    return set(git("diff", "--name-only", base).splitlines())


def compile_database():
    """The build's commands without the precompiled header, which clang-tidy cannot read."""
    path = ROOT / "build" / "compile_commands.json"
    if not path.is_file():
        sys.exit("error: build/compile_commands.json is missing: run ./dev build first")
    entries = []
    for entry in json.loads(path.read_text()):
        command = re.sub(r"-include \S*cmake_pch\.hxx", "", entry["command"])
        command = command.replace("-Winvalid-pch", "").replace("-Wno-invalid-pch", "").replace("-fpch-preprocess", "")
        command = command.replace("-Wno-restrict", "")  # g++'s alone: to clang an unknown warning is an error here
        command = re.sub(r"^.*?(\S*/(?:c\+\+|g\+\+)\S* )", r"\1", command)  # the compiler cache in front
        entries.append({**entry, "command": command})
    folder = ROOT / "build" / "lint"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    return folder, {str(pathlib.Path(e["file"]).resolve().relative_to(ROOT)): e["command"] for e in entries
                    if str(e["file"]).startswith(str(ROOT)) and "/build" not in str(e["file"])}


def tidy(folder, name, command):
    key = hashlib.sha256(((ROOT / ".clang-tidy").read_text() + command.replace(str(ROOT), "")).encode())
    for include in sorted(project_includes(name)):
        key.update((ROOT / include).read_bytes())
    stamp = CACHE / key.hexdigest()
    if stamp.exists():
        return ""
    run = subprocess.run(["clang-tidy", "--quiet", "-p", str(folder), str(ROOT / name)], capture_output=True, text=True)
    if run.returncode == 0:
        CACHE.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        return ""
    return (run.stdout + run.stderr).replace(str(ROOT) + "/", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--rules-only", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()

    bad = house_rules()
    for line in bad:
        print(line)
    if args.rules_only:
        return 1 if bad else 0

    folder, commands = compile_database()
    names = [n for n in sorted(commands) if not args.files or n in args.files]
    changed = changed_since_base() if args.changed else None
    if changed is not None:
        names = [n for n in names if changed & set(project_includes(n))]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, said in zip(names, pool.map(lambda n: tidy(folder, n, commands[n]), names)):
            if said:
                failed += 1
                print(said)
    print(f"lint: {len(names)} files by clang-tidy, {failed} with findings; {len(bad)} breaches of the house rules")
    return 1 if bad or failed else 0


if __name__ == "__main__":
    sys.exit(main())
