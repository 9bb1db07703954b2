"""The counts of what was tried, docs/hostile-figures.json, and their page, docs/hostile-input.md.

The section "fuzz" is written by tests/fuzz/run.py; the others by measure()."""

import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIGURES = os.path.join(ROOT, "docs", "hostile-figures.json")
PAGE = os.path.join(ROOT, "docs", "hostile-input.md")

# Sanitizer, CMake flags, targets: the runtime, which is all that has threads of ours. The readers
# of the compiler run under the first two by fuzzing.
SANITIZERS = {
    "address and undefined behaviour": (["-DCOPPICE_SANITIZE=ON"], ["coppice-runtime-tests"]),
    "thread": (["-DCMAKE_C_FLAGS=-fsanitize=thread", "-DCMAKE_CXX_FLAGS=-fsanitize=thread"],
               ["coppice-runtime-tests"]),
}


def load():
    if not os.path.exists(FIGURES):
        return {}
    with open(FIGURES, encoding="utf-8") as file:
        return json.load(file)


def save(section, value):
    figures = load()
    figures[section] = value
    with open(FIGURES, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2, sort_keys=True)
        file.write("\n")


def run_gtest(executable, environment=None):
    """(exit code, GoogleTest's report)"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.json")
        code = subprocess.run([executable, "--gtest_brief=1", f"--gtest_output=json:{path}"],
                              env={**os.environ, **(environment or {})}, check=False).returncode
        if not os.path.exists(path):
            return code, None
        with open(path, encoding="utf-8") as file:
            return code, json.load(file)


def measure_sweeps(build):
    """Every case of every in-process sweep."""
    code, report = run_gtest(os.path.join(build, "bin", "coppice-hostile-tests"),
                             {"COPPICE_HOSTILE": "all"})
    rows = []
    for suite in (report or {}).get("testsuites", []):
        for case in suite["testsuite"]:
            if "tried" in case:
                rows.append({"test": f"{suite['name']}.{case['name']}", "kind": case["kind"],
                             "tried": int(case["tried"]), "refused": int(case["refused"])})
    if code == 0 and rows:
        save("sweeps", rows)
    return code != 0 or not rows


def measure_sanitizers(build):
    results = []
    for name, (flags, targets) in SANITIZERS.items():
        folder = f"{build}-{name.split()[0]}"
        subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", folder, "--preset", "default",
                        "-DCMAKE_BUILD_TYPE=RelWithDebInfo", *flags], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", folder, *targets], check=True, stdout=subprocess.DEVNULL)
        for target in targets:
            code, report = run_gtest(os.path.join(folder, "bin", target))
            tests = (report or {}).get("tests", 0)
            results.append({"sanitizer": name, "suite": target, "tests": tests,
                            "failed": (report or {}).get("failures", 0) if code == 0 else 1})
    save("sanitizers", results)
    return any(row["failed"] or not row["tests"] for row in results)


def measure(build, suites, wanted):
    """Runs what is wanted: "sweeps", "programs", "sanitizers"; 1 if anything failed."""
    failed = False
    if "sweeps" in wanted:
        failed |= measure_sweeps(build)
    if "programs" in wanted:
        counts, bad = {}, 0
        for name, run in suites.items():
            wrong, kinds = run()
            bad += wrong
            counts[name] = kinds
        failed |= bad > 0
        if not bad:
            save("programs", counts)
    if "sanitizers" in wanted:
        failed |= measure_sanitizers(build)
    return 1 if failed else page(False)


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


PROGRAMS = {
    "checkpoints": "cut, corrupted, lying and overlapping safetensors files",
    "shards": "indices that point elsewhere, nowhere, or twice at the same",
    "weights": "NaN and infinities in weights",
    "configs": "config.json cut, corrupted, nested without end, of unknown families",
    "tokenizers": "tokenizer.json likewise",
    "side files": "vocab.json, merges.txt, what is beside them, generation_config.json, an index",
    "plans": "plans likewise",
    "artifacts": "artifacts cut, corrupted and lying, through inspect and run",
    "full disks": "a disk of some pages, and limits on the size of files",
    "failing disks": "each call that writes fails, or writes little",
    "results": "standard output full or closed, standard error closed",
    "places": "paths that are missing or something else, devices and pipes among them",
    "inputs": "results that would take the place of what they are made from",
    "permissions": "files and folders that an unprivileged user may not open",
    "processors": "processors without the features, emulated by QEMU",
    "signals": "SIGINT, SIGTERM and SIGHUP at each call that writes, and at random",
    "shrinking files": "checkpoints and artifacts cut while they are mapped",
    "oversubscribed": "up to 64 threads on one and two processors, compared to the bit",
    "recursion": "the call graph of the C core, and the check itself",
}


def sweeps(rows):
    cells = [[f"`{row['test']}`", row["kind"], f"{row['tried']:,}", f"{row['refused']:,}"]
             for row in rows]
    flips = sum(row["tried"] for row in rows if row["kind"] == "bit flips")
    total = sum(row["tried"] for row in rows)
    text = (f"{total:,} inputs, {flips:,} of them one flipped bit. What was not refused was read "
            "to its end without a fault, as a file that says something else: a flip inside a text "
            "field, another valid number.")
    return text + "\n\n" + table(["test", "kind", "tried", "refused"], cells)


def programs(suites):
    cells = [[kind, PROGRAMS[kind], f"{count:,}"] for kinds in suites.values()
             for kind, count in kinds.items()]
    total = sum(count for kinds in suites.values() for count in kinds.values())
    return (f"{total:,} cases, most of them a run of `coppice` or `coppice-run` that must refuse. A "
            "refusal is judged by exit code, one line beginning `error:`, nothing on standard "
            "output, nothing written or left behind, what was there before unchanged, and memory; "
            "runs that must succeed, or die by a signal, by their results and what they leave.\n\n"
            + table(["kind", "what", "cases"], cells))


def fuzzing(section):
    if not section:
        return "Not measured yet: `tests/fuzz/run.py --figures docs/hostile-figures.json`."
    rows = [[f"`{name}`", f"{int(row.get('executions', 0)):,}",
             f"{float(row.get('seconds', 0)) / 60:.0f}", row.get("findings", 0)]
            for name, row in sorted(section.items()) if isinstance(row, dict)]
    total = sum(int(row.get("executions", 0)) for row in section.values() if isinstance(row, dict))
    return (f"{total:,} executions under AddressSanitizer and UndefinedBehaviorSanitizer, from good "
            "files as seeds. What was found (a fault, or an input that takes long) is fixed, and "
            "kept in `tests/fuzz`, which every run repeats.\n\n"
            + table(["target", "executions", "minutes", "found and fixed"], rows))


def sanitizers(rows):
    return table(["sanitizer", "suite", "tests", "failed"],
                 [[row["sanitizer"], f"`{row['suite']}`", row["tests"], row["failed"]]
                  for row in rows])


def render():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.md"),
              encoding="utf-8") as file:
        text = file.read()
    figures = load()
    for name, section in (("sweeps", sweeps), ("programs", programs), ("sanitizers", sanitizers),
                          ("fuzz", fuzzing)):
        value = figures.get(name)
        body = section(value) if value or name == "fuzz" else "Not measured yet."
        text = text.replace("{{" + name + "}}", body)
    return text


def page(check):
    text = render()
    if check:
        with open(PAGE, encoding="utf-8") as file:
            if file.read() == text:
                return 0
        print("error: docs/hostile-input.md is not what docs/hostile-figures.json says; run "
              "tools/dev hostile --page", file=sys.stderr)
        return 1
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)
    return 0
