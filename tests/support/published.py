"""Compile the configs of published models (tests/published) and hold their parameters to those that
transformers counts (counts.json), or write the table of docs/models.md.

Usage: published.py --check | --write
Both compile every config as far as that goes without weights (coppice compile --dry-run), as i4 and
as f16; --check holds the table to it, and --write writes it. Small ones are compiled whole besides,
with random weights, must come to the bytes that the dry run says, and must run: those of less than a
thousand million parameters with --write, of less than 140 million with --check. `coppice` and
`coppice-run` are found through PATH.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PUBLISHED = os.path.join(ROOT, "tests", "published")
PAGE = os.path.join(ROOT, "docs", "models.md")
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
HEADER = ("| config | `model_type` | shape | parameters | for a token | as f16 | as i4 | KV of a token "
          "| compiled |\n|---|---|---|---|---|---|---|---|---|\n")
FLAGS = ["--target", "x86-64-v3"]
WHOLE, WHOLE_IN_CHECK = 10 ** 9, 140 * 10 ** 6


def call(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr.rstrip()}")
    return done.stdout


def dry_run(folder, weights):
    return json.loads(call(["coppice", "compile", folder, "--dry-run", "--report=-", "--quiet",
                            "--weights", weights, "--kv", "bf16", *FLAGS]))


def compile_whole(folder, weights, expected):
    """Compiles random weights of this shape, and runs them."""
    with tempfile.TemporaryDirectory() as scratch:
        model, artifact = os.path.join(scratch, "model"), os.path.join(scratch, "artifact")
        call(["coppice", "synth", "--shape", os.path.join(folder, "config.json"), "-o", model,
              "--quiet"])
        call(["coppice", "compile", model, "-o", artifact, "--quiet", "--weights", weights, "--kv",
              "bf16", *FLAGS])
        bytes_ = os.path.getsize(artifact)
        if bytes_ != expected:
            sys.exit(f"{folder}: {bytes_} bytes as {weights}, and the dry run says {expected}")
        call(["coppice-run", artifact, "--tokens", "5,4,3", "-n", "2"])


def size(number):
    for unit, name in ((10 ** 9, "GB"), (10 ** 6, "MB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number / 1000:.1f} KB"


def shape(report):
    """Layers, heads, KV heads, and neurons or experts, of the layer that has the most."""
    def most(key):
        return max(layer.get(key, 0) for layer in report["layers"])
    heads, kv, neurons = (most(key + "_before") for key in ("heads", "kv_heads", "neurons"))
    text = f"{len(report['layers'])} layers of {heads} heads"
    text += "" if kv == heads else f" on {kv}"
    text += f" by {most('head_dim')}"
    experts = most("experts_before")
    parts = [f"{experts} experts"] if experts else []
    return ", ".join([text, *parts, *([f"{neurons} neurons"] if neurons else [])])


def row(name, counts, write):
    folder = os.path.join(PUBLISHED, name)
    report = dry_run(folder, "i4")
    for ours, theirs in (("parameters", "parameters"), ("active_parameters", "active")):
        if report[ours] != counts[theirs]:
            sys.exit(f"{name}: {ours} is {report[ours]}, and transformers counts {counts[theirs]}")
    if report["parameters"] * 2 > 64 * 0xfffffffe:
        half = "beyond 274 GB"
    else:
        half = size(dry_run(folder, "f16")["artifact_bytes"])
    whole = report["parameters"] < WHOLE
    if report["parameters"] < (WHOLE if write else WHOLE_IN_CHECK):
        compile_whole(folder, "i4", report["artifact_bytes"])
    active = counts["active"]
    kv = []
    if report["kv_bytes_per_position"]:
        kv.append(size(report["kv_bytes_per_position"]))
    if report["ring_positions"]:
        kv.append(f"{size(report['ring_bytes_per_position'])} for the last "
                  f"{report['ring_positions']}")
    return [name, f"`{report['model_type']}`", shape(report),
            f"{counts['parameters']:,}",
            f"{active:,}" if active != counts["parameters"] else "all", half,
            size(report["artifact_bytes"]), ", and ".join(kv), "whole, and run" if whole else "dry run"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true")
    mode.add_argument("--write", action="store_true")
    args = parser.parse_args()
    with open(os.path.join(PUBLISHED, "counts.json"), encoding="utf-8") as file:
        all_counts = json.load(file)
    folders = sorted(entry for entry in os.listdir(PUBLISHED) if "." not in entry or
                     os.path.isdir(os.path.join(PUBLISHED, entry)))
    if folders != sorted(all_counts):
        sys.exit("tests/published and its counts.json list other models; run "
                 "tests/golden/models/make_published.py")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda name: row(name, all_counts[name], args.write), folders))
    rows.sort(key=lambda cells: (cells[1], all_counts[cells[0]]["parameters"]))
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    before, rest = page.split(BEGIN)
    table, after = rest.split(END)
    if args.write:
        lines = ["| " + " | ".join(cells) + " |\n" for cells in rows]
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(before + BEGIN + "\n" + HEADER + "".join(lines) + "\n" + END + after)
        return
    # A release of the compiler may move a size by some bytes of code: the printed digits hold.
    printed = [[cell.strip() for cell in line.strip("|\n").split("|")]
               for line in table.splitlines() if line.startswith("| ")][1:]
    for ours, theirs in zip(rows, printed):
        if ours != theirs:
            sys.exit(f"docs/models.md says {theirs}, and it is {ours}; run published.py --write")
    if len(rows) != len(printed):
        sys.exit("docs/models.md has other rows; run published.py --write")
    print(f"{len(rows)} configs compile to the parameters that transformers counts")


if __name__ == "__main__":
    main()
