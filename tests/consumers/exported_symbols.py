#!/usr/bin/env python3
"""exported_symbols.py HEADERS LIBATTN_CORE [LIBATTN HEADER...]: the installed libraries show exactly what the headers in the
folder HEADERS mark ATTN_PUBLIC: LIBATTN what those HEADER... do, LIBATTN_CORE what the others do.

An exported symbol is allowed where it is a function marked, a member of a class marked so, or such a class's type
information; type information may be in both. Every function marked must be exported. The check is tried first on a
library that leaks, which it must refuse.
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
        found = "\n".join(s for s in exported(library) if not allowed(s, functions, classes))
    for leak in ("attn::core::internal()", "attn::core::attention_forward_helper()", "attn_undeclared", "std::vector<long double"):
        if leak not in found:
            sys.exit(f"FAILED: a library that leaks {leak} passes")


def check(library, headers, classes):
    """What is wrong with a library that is to show the functions of these headers, and classes of any."""
    functions = set().union(*(declarations(header)[0] for header in headers))
    shown = exported(library)
    if not shown or not functions:
        sys.exit(f"FAILED: {library} shows {len(shown)} symbols, its headers mark {len(functions)} functions")
    print(f"{os.path.basename(library)}: {len(shown)} symbols of {len(functions)} functions")
    wrong = [f"shows {s}" for s in shown if not allowed(s, functions, classes)]
    return wrong + [f"has no {f}" for f in sorted(functions - {name_of(s) for s in shown})]


def main():
    folder, core, *torch = sys.argv[1:]
    headers = sorted(pathlib.Path(folder).glob("*.h"))
    of_torch = [h for h in headers if h.name in torch[1:]]
    of_core = [h for h in headers if h not in of_torch]
    classes = set().union(*(declarations(header)[1] for header in headers))
    expect_refusal(set().union(*(declarations(header)[0] for header in headers)), classes)
    failures = [f"{core} {what}" for what in check(core, of_core, classes)]
    if torch:
        failures += [f"{torch[0]} {what}" for what in check(torch[0], of_torch, classes)]
    for failure in failures:
        print("FAILED:", failure, file=sys.stderr)
    sys.exit(bool(failures))


main()
