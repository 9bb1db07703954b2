"""The C core does not call itself: its stack has a bound that can be computed.

Every function of runtime/core is compiled to LLVM IR without optimization, where every call still
stands; calls through pointers count as calls of every function whose address is taken."""

import glob
import os
import re
import subprocess
import tempfile

from harness import TESTS, Suite, write

ROOT = os.path.dirname(TESTS)
CALL = re.compile(r"\b(?:call|invoke)\b[^@%]*?(?:\([^)]*\) )?(@[\w.$]+|%[\w.]+)\(")


def call_graph(sources, includes):
    """{function: set of functions} of C files."""
    calls, taken, indirect = {}, set(), set()
    for source in sources:
        ir = subprocess.run(["clang", "-std=c11", "-O0", "-S", "-emit-llvm", "-o", "-",
                             *(f"-I{path}" for path in includes), source], check=True,
                            capture_output=True, text=True).stdout
        unit = os.path.basename(source)
        local = set(re.findall(r"^define internal .*?@([\w.$]+)\(", ir, re.M))

        def name(function, unit=unit, local=local):
            return f"{unit}:{function}" if function in local else function
        current = None
        for line in ir.splitlines():
            define = re.match(r"define .*?@([\w.$]+)\(", line)
            if define:
                current = name(define.group(1))
                calls[current] = set()
                continue
            if line.startswith("}"):
                current = None
            call = CALL.search(line)
            if current and call:
                callee = call.group(1)
                if callee.startswith("@"):
                    calls[current].add(name(callee[1:]))
                    line = line.replace(callee + "(", "(", 1)
                else:
                    indirect.add(current)
            # Any other mention is an address.
            taken |= {name(f) for f in re.findall(r"@([\w.$]+)", line)}
    for function in indirect:
        calls[function] |= {f for f in taken if f in calls}
    return calls


def cycles(calls):
    """Functions that can reach themselves."""
    found = []
    for start in sorted(calls):
        seen, todo = set(), list(calls[start])
        while todo:
            function = todo.pop()
            if function not in seen:
                seen.add(function)
                todo += calls.get(function, ())
        if start in seen:
            found.append(start)
    return found


class Core(Suite):
    def __init__(self):
        super().__init__()
        self.add("recursion", "the check finds recursion", self.finds)
        self.add("recursion", "the core", self.core)

    @staticmethod
    def finds(folder):
        """Direct, mutual, and through a pointer; and nothing where there is none."""
        for text, wanted in (("int f(int n) { return n ? f(n - 1) : 0; }", ["f"]),
                             ("static int g(int); int f(int n) { return g(n); } "
                              "static int g(int n) { return n ? f(n) : 0; }", ["a.c:g", "f"]),
                             ("int f(int); int (*p)(int) = f; int f(int n) { return p(n); }", ["f"]),
                             ("int g(int n) { return n; } int f(int n) { return g(n); }", [])):
            graph = call_graph([write(os.path.join(folder, "a.c"), text.encode())], [])
            if cycles(graph) != wanted:
                return f"{cycles(graph)} in: {text}"
        return None

    @staticmethod
    def core(folder):
        sources = sorted(glob.glob(os.path.join(ROOT, "runtime", "core", "*.c")))
        graph = call_graph(sources, [ROOT, os.path.join(ROOT, "runtime", "include")])
        if len(graph) < 50:
            return f"only {len(graph)} functions were found"
        found = cycles(graph)
        return f"functions that can call themselves: {', '.join(found)}" if found else None
