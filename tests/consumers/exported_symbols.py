#!/usr/bin/env python3
"""exported_symbols.py TREE LIBRARY...: the libraries show exactly what the public headers mark ATTN_PUBLIC.

An exported symbol is allowed where it is a C function of attn/attn.h, a function marked ATTN_PUBLIC in another header of
libattn/include/attn, a member of a class marked so, or such a class's type information. Every function marked must be
exported by one of the libraries. The check is tried first on a library that leaks, which it must refuse.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|^ *#[^\n]*", re.S | re.M)
MARK = re.compile(r"\bATTN_PUBLIC\b")


def declarations(header):
    """(functions, classes) marked in a header, with their namespaces."""
    text = COMMENT.sub("", header.read_text())
    functions, classes = set(), set()
    for mark in MARK.finditer(text):
        before = text[:mark.start()]
        space = namespace_of(before)
        rest = text[mark.end():]
        if re.search(r"\b(class|struct)\s*$", before):
            classes.add(space + re.match(r"\s*(\w+)", rest)[1])
        elif named := re.match(r"[^;{(]*?(\w+)\s*\(", rest):
            functions.add(space + named[1])
    return functions, classes


def namespace_of(before):
    """The namespaces open at the end of a text, as "a::b::"."""
    open_now = []
    for piece in re.finditer(r"\bnamespace\s+([\w:]*)\s*\{|\{|\}", before):
        if piece[0] == "}":
            if open_now:
                open_now.pop()
        else:
            open_now.append(piece[1] or "")
    return "".join(name + "::" for name in open_now if name)


def exported(library):
    run = subprocess.run(["nm", "-D", "--defined-only", "-C", library], capture_output=True, text=True, check=True)
    return [line.split(" ", 2)[2] for line in run.stdout.splitlines()]


def name_of(symbol):
    """The qualified name in a demangled function: without return type, arguments, template arguments and ABI tag."""
    symbol = re.sub(r"\[abi:\w+\]", "", symbol)
    while re.search(r"<[^<>]*>", symbol):
        symbol = re.sub(r"<[^<>]*>", "", symbol)
    return symbol.split("(", 1)[0].split(" ")[-1]


def allowed(symbol, functions, classes):
    about = re.fullmatch(r"(?:typeinfo|typeinfo name|vtable|VTT) for (.+)", symbol)
    if about:
        return about[1] in classes
    name = name_of(symbol)
    return name in functions or any(name.startswith(c + "::") for c in classes)


def leaks(library, functions, classes):
    return [s for s in exported(library) if not allowed(s, functions, classes)]


def expect_refusal(functions, classes):
    """A library with an internal function, a template of std:: and a C function of ours without a header."""
    source = """
#include <vector>
namespace attn::core { void internal() {} void attention_forward_helper() {} }
extern "C" void attn_undeclared() {}
template class std::vector<long double>;
"""
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "leaking.so")
        subprocess.run([os.environ.get("CXX", "c++"), "-shared", "-fPIC", "-x", "c++", "-", "-o", library],
                       input=source, text=True, check=True)
        found = "\n".join(leaks(library, functions, classes))
    for leak in ("attn::core::internal()", "attn::core::attention_forward_helper()", "attn_undeclared", "std::vector<long double"):
        if leak not in found:
            sys.exit(f"FAILED: a library that leaks {leak} passes")


def main():
    tree, *libraries = sys.argv[1:]
    functions, classes = set(), set()
    for header in sorted(pathlib.Path(tree, "libattn/include/attn").glob("*.h")):
        more_functions, more_classes = declarations(header)
        functions |= more_functions
        classes |= more_classes
    expect_refusal(functions, classes)
    failures = []
    shown = set()
    for library in libraries:
        shown |= {name_of(s) for s in exported(library)}
        failures += [f"{os.path.basename(library)} shows {s}" for s in leaks(library, functions, classes)]
    if len(libraries) == 2:  # without LibTorch a part of the headers has no library
        failures += [f"no library has {f}" for f in sorted(functions - shown)]
        one, other = ({s for s in exported(library) if " for " not in s} for library in libraries)
        failures += [f"both libraries have {s}" for s in sorted(one & other)]
    for failure in failures:
        print("FAILED:", failure, file=sys.stderr)
    if not shown or failures:
        sys.exit(1)
    print(f"{len(shown)} names of {len(functions)} functions and {len(classes)} classes")


main()
