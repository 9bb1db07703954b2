"""The demo: a trained model, whole and pruned, compiled and asked the same few-shot question.

Usage: demo.py --build BUILD. Artifacts land in BUILD/demo. Run by `tools/dev demo`.
"""

import argparse
import json
import os
import re
import subprocess
import sys

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PROMPT = """Input: 16
Output: 17
Input: 12
Output: 13
Input: 18
Output: 19
Input: 29
Output: 30
Input: 21
Output: 22
Input: 27
Output:"""


def call(*command):
    """Standard output and error; leaves with the tool's own message if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.rstrip())
    return done.stdout, done.stderr


def kept(report, part):
    return sum(layer[part]["kept"] for layer in report["layers"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    coppice, run = (os.path.join(build, "bin", name) for name in ("coppice", "coppice-run"))
    out = os.path.join(build, "demo")
    os.makedirs(out, exist_ok=True)
    model = os.path.relpath(os.path.join(TESTS, "models", "opt-icl"))
    plan = os.path.relpath(os.path.join(TESTS, "golden", "models", "opt-icl", "pruned.json"))

    print("opt-icl, a trained OPT of 6 layers: whole, and without 9 of 48 heads and 3 in 10 neurons\n")
    rows, answers = [], []
    for name, flags in (("whole", []), ("pruned", ["--plan", plan])):
        artifact = os.path.join(out, name + ".coppice")
        print(" ".join(["$ coppice compile", model, "-o", artifact, *flags]), flush=True)
        call(coppice, "compile", model, "-o", artifact, *flags)
        report = json.loads(call(coppice, "inspect", artifact, "--json")[0])
        # One thread: at this size, more would measure how threads meet.
        speed = call(run, artifact, "-p", "Once", "-n", "400", "--threads", "1")[1]
        found = re.search(r"decode: .*?([\d.]+) tokens/s", speed)
        rows.append((name, report["bytes"]["file"], report["model"]["parameters"],
                     kept(report, "heads"), kept(report, "neurons"),
                     report["entry_points"][0]["kv_bytes_at_context"],
                     float(found.group(1)) if found else 0.0))
        answers.append(call(run, artifact, "-p", PROMPT, "-n", "2", "--quiet")[0].strip())

    print(f"\n{'':8}{'bytes':>12}{'parameters':>12}{'heads':>7}{'neurons':>9}{'KV cache':>12}"
          f"{'tokens/s':>10}")
    for name, size, parameters, heads, neurons, cache, speed in rows:
        print(f"{name:8}{size:>12,}{parameters:>12,}{heads:>7}{neurons:>9,}{cache:>12,}{speed:>10,.0f}")

    print("\nboth are asked (the rule must be read from the examples):")
    print("\n".join("    " + line for line in PROMPT.splitlines()))
    for (name, *_), answer in zip(rows, answers):
        print(f"{name:8}answers {answer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
