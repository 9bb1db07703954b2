"""Measures the project's figures and writes docs/figures.md from them.

Usage: run.py --build BUILD [SECTION ...]    sections: build compiling sizes speed bandwidth small
                                             plain shape llama_cpp quality runtime; without any, all
                                             of them
What was measured is kept in docs/figures.json; a section that is not measured anew keeps its
figures. `--page` writes the page from the kept figures alone. docs/benchmarks.md says what
COPPICE_BENCH_WITH and COPPICE_LLAMA_CPP do.
"""

import argparse
import json
import os

from measure import ROOT, SECTIONS, measure
from page import render

DATA = os.path.join(ROOT, "docs/figures.json")
PAGE = os.path.join(ROOT, "docs/figures.md")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("section", nargs="*")
    options = parser.parse_args()
    for name in options.section:
        if name not in SECTIONS:
            parser.error(f"there is no section {name}; the sections are {' '.join(SECTIONS)}")
    figures = {}
    if os.path.exists(DATA):
        with open(DATA) as file:
            figures = json.load(file)
    if not options.page:
        folder = os.path.abspath(options.build)
        tools = {name: os.path.join(folder, "bin", name)
                 for name in ("coppice", "coppice-bench", "coppice-run", "coppice-kernel-bench",
                              "coppice-divergence")}
        tools["runtime"] = os.path.join(folder, "lib/libcoppice_runtime.a")
        figures.update(measure(options.section or list(SECTIONS), tools))
        with open(DATA, "w") as file:
            json.dump(figures, file, indent=1, sort_keys=True)
            file.write("\n")
    with open(PAGE, "w") as file:
        file.write(render(figures))


if __name__ == "__main__":
    main()
