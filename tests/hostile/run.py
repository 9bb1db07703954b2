"""Bad input, bad machines and bad moments through the programs; the counts and their page.

Usage: run.py SUITE... [--all]      run suites (files, machine, moments, threads, core)
       run.py --figures [PART...] --build DIR
                                    run everything (or sweeps, programs, sanitizers) at its largest
                                    and write docs/hostile-figures.json
       run.py --page [--check]      write docs/hostile-input.md from the figures, or compare it

The tools are found through PATH. --all tries what is too long for every day. The exit code is 1 if
a case failed.
"""

import argparse
import os
import sys
import tempfile

import figures


def run_suite(name, everything):
    """(failed, {kind: cases})"""
    with tempfile.TemporaryDirectory() as folder:
        if name == "files":
            from files import Files
            suite = Files(everything)
        elif name == "machine":
            from machine import Machine, build_shim
            suite = Machine(everything, build_shim(folder))
        elif name == "moments":
            from machine import build_shim
            from moments import Moments
            suite = Moments(everything, build_shim(folder))
        elif name == "threads":
            from threads import Threads
            suite = Threads(everything)
        else:
            from core import Core
            suite = Core()
        failed = suite.run()
    for kind, count in sorted(suite.counts.items()):
        print(f"{name}: {kind}: {count} cases")
    print(f"{name}: {sum(suite.counts.values())} cases, {failed} failed")
    return failed, suite.counts


PARTS = ("sweeps", "programs", "sanitizers")
SUITES = ("files", "machine", "moments", "threads", "core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--all", action="store_true", help="also what is too long for every day")
    parser.add_argument("--figures", nargs="*", choices=PARTS, help="what to measure")
    parser.add_argument("--build", help="the build folder, for --figures")
    parser.add_argument("--page", action="store_true", help="write docs/hostile-input.md")
    parser.add_argument("--check", action="store_true", help="compare the page instead")
    args = parser.parse_args()
    for name in args.suites:
        if name not in SUITES:
            parser.error(f"there is no suite {name}; there are {', '.join(SUITES)}")
    if args.build:
        os.environ["PATH"] = os.path.join(os.path.abspath(args.build), "bin") + ":" + os.environ["PATH"]
    if args.figures is not None:
        if not args.build:
            parser.error("--figures needs --build")
        return figures.measure(os.path.abspath(args.build), {n: lambda n=n: run_suite(n, True)
                                                             for n in SUITES}, args.figures or PARTS)
    if args.page:
        return figures.page(args.check)
    return 1 if sum(run_suite(name, args.all)[0] for name in args.suites) else 0


if __name__ == "__main__":
    sys.exit(main())
