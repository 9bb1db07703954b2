"""Run every test suite of a build and sum them: `tools/dev test` calls this.

Suites are BUILD/bin/coppice-*-tests (GoogleTest), and lit over BUILD/tests: as it is, and its .mlir
files once more with all they read printed and read again; then tests/fuzz/run.py, each target for a
minute or COPPICE_FUZZ_SECONDS (with a filter only if that begins with "fuzz": it has a build of its
own). Each prints one summary line, a failing one its output too. The last line is `N passed, N
failed`; tests that were skipped are counted on a line before it. The exit code is 1 if a test
failed or if none ran.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

# A suite that takes longer hangs; it counts as a failure.
TIME_LIMIT_S = 1500


class Result:
    def __init__(self, name, passed=0, failed=0, skipped=0, output="", seconds=0.0):
        self.name, self.output, self.seconds = name, output, seconds
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def counts(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")

    def show(self, filtered):
        if filtered and self.passed + self.failed + self.skipped == 0:
            return
        if not filtered and self.passed + self.failed == 0:
            # Tests that are not found, or all switched off, would pass unseen.
            self.output += f"\n{self.name}: no test ran\n"
            self.failed = 1
        if self.failed:
            print(self.output.rstrip())
        else:
            # Random tests name their seed, so that a run can be repeated.
            for line in self.output.splitlines():
                if line.lower().startswith(("seed", "coppice_seed")):
                    print(f"{self.name}: {line}")
        print(f"{self.name}: {self.counts()} ({self.seconds:.1f} s)", flush=True)


def run(command, **options):
    """The exit code (None after TIME_LIMIT_S) and the output, both streams together."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIME_LIMIT_S, **options)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as stopped:
        output = (stopped.stdout or b"").decode(errors="replace")
        return None, output + f"\nstopped after {TIME_LIMIT_S} s\n"


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def run_gtest(executable, text_filter, folder):
    name = os.path.basename(executable)
    report_path = os.path.join(folder, name + ".json")
    command = [executable, f"--gtest_output=json:{report_path}", "--gtest_brief=1"]
    if text_filter:
        command.append(f"--gtest_filter=*{text_filter}*")
    start = time.monotonic()
    code, output = run(command)
    result = Result(name, output=output, seconds=time.monotonic() - start)
    report = read_json(report_path)
    for suite in (report or {}).get("testsuites", []):
        for case in suite["testsuite"]:
            if case.get("failures"):
                result.failed += 1
            elif case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                result.skipped += 1
            else:
                result.passed += 1
    # A crash leaves no report, or one without the test that crashed.
    if code != 0 and result.failed == 0:
        result.output += f"\n{name}: exit code {code}\n"
        result.failed = 1
    return result


def run_lit(name, flags, lit, build, text_filter, folder, jobs):
    report_path = os.path.join(folder, name + ".json")
    command = [sys.executable, lit, "-v", "-j", str(jobs), "--output", report_path, *flags,
               os.path.join(build, "tests")]
    if text_filter:
        command += ["--filter", text_filter, "--allow-empty-runs"]
    start = time.monotonic()
    code, output = run(command)
    result = Result(name, output=output, seconds=time.monotonic() - start)
    for test in (read_json(report_path) or {}).get("tests", []):
        if test["code"] in ("PASS", "FLAKYPASS", "XFAIL"):
            result.passed += 1
        elif test["code"] in ("UNSUPPORTED", "SKIPPED"):
            result.skipped += 1
        elif test["code"] != "EXCLUDED":
            result.failed += 1
    if code != 0 and result.failed == 0:
        result.output += f"\n{name}: exit code {code}\n"
        result.failed = 1
    return result


def run_fuzz(build, text_filter):
    """Each fuzz target is a test, and so is each input that was a fault once."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fuzz")
    result = Result("fuzz")
    sys.path.insert(0, folder)
    import run as fuzz  # noqa: the list of targets stands there
    targets = [target for target in fuzz.TARGETS if text_filter in "fuzz-" + target]
    if not targets or (text_filter and not text_filter.startswith("fuzz")):
        return result
    command = [sys.executable, os.path.join(folder, "run.py"), "--build", build, "--seconds",
               os.environ.get("COPPICE_FUZZ_SECONDS", "60"), *targets]
    start = time.monotonic()
    code, result.output = run(command)
    result.seconds = time.monotonic() - start
    for line in result.output.splitlines():
        if line.startswith('{"target"'):
            record = json.loads(line)
            result.passed += 1 - record["new"] + record["regressions"] - record["failed"]
            result.failed += record["new"] + record["failed"]
            print(f"fuzz-{record['target']}: {record['executions']} inputs, {record['new']} findings")
    if code != 0 and result.failed == 0:
        result.output += f"\nfuzz: exit code {code}\n"
        result.failed = 1
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--lit", required=True, help="path of lit.py")
    parser.add_argument("filter", nargs="?", default="", help="part of a test's name")
    args = parser.parse_args()

    jobs = os.cpu_count() or 1
    executables = sorted(glob.glob(os.path.join(args.build, "bin", "coppice-*-tests")))
    results = []
    with tempfile.TemporaryDirectory() as folder:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            started = [pool.submit(run_gtest, e, args.filter, folder) for e in executables]
            for future in started:
                results.append(future.result())
                results[-1].show(bool(args.filter))
        for name, flags in (("lit", []), ("lit-roundtrip", ["-D", "roundtrip=1"])):
            results.append(run_lit(name, flags, args.lit, args.build, args.filter, folder, jobs))
            results[-1].show(bool(args.filter))
        results.append(run_fuzz(args.build, args.filter))
        results[-1].show(bool(args.filter))

    passed, failed, skipped = (sum(getattr(r, k) for r in results)
                               for k in ("passed", "failed", "skipped"))
    if passed + failed == 0:
        print("no test ran" + (f" whose name contains '{args.filter}'" if args.filter else ""))
    if skipped:
        print(f"skipped: {skipped}, for want of what their output names")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
