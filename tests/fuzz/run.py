#!/usr/bin/env python3
"""Build the fuzz targets, replay what they once found, and fuzz each for a while.

usage: tests/fuzz/run.py [--seconds 60] [--jobs 2] [--corpus DIR] [--figures FILE.json] [TARGET ..]

A target begins with good files of the tree (seeds, made anew each time) and with the regression
inputs under regressions/TARGET, each of which was a fault once. With --corpus what it learns is
kept in DIR/TARGET and used again. The build is CMake's preset `fuzz`, in build-fuzz/ unless
--fuzz-build says otherwise.

Each target ends with one line of JSON,
  {"target": .., "executions": .., "seconds": .., "findings": .., "new": .., "regressions": ..,
   "failed": ..}
where findings counts the faults that were found so far: one kept regression input each, and what is
new; failed counts regression inputs that fail again. --figures puts these into the section "fuzz" of a JSON file; with --add executions and seconds
are added to those that stand there. The exit code is 1 if a regression input fails or if there is a
new finding; its input is kept in BUILD/findings.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODELS = os.path.join(ROOT, "tests", "models")
TOKENIZERS = os.path.join(ROOT, "tests", "golden", "tokenizer")

TARGETS = ("safetensors", "config", "plan", "tokenizer", "artifact", "text")
# Bytes at most, where good files are larger than what reaches the code: smaller ones run faster.
MAX_LENGTH = {"tokenizer": 6000, "safetensors": 20000}
# The fuzz targets choose a model or a tokenizer by their input's first byte, in these orders.
CONFIG_MODELS = ("llama-gqa", "llama-linear", "llama-rope3", "opt-pre", "opt-post",
                 "falcon-grouped", "gemma3-pattern", "gpt2", "mixtral-window", "neox-parallel",
                 "phi-2", "phi3-longrope", "qwen2-window", "qwen3-moe-mixed", "starcoder2-window")
PLAN_MODELS = ("llama-gqa", "opt-pre")
# Compiled for the artifact's target; a context longer than window and step makes a window a ring.
LONG = ("--context", "2048")
ARTIFACT_MODELS = {"llama-linear": (), "llama-rope3": (), "opt-pre": (),
                   "mistral-window": LONG, "gemma3-pattern": LONG,  # rings; rings beside caches
                   "mixtral-window": (*LONG, "--weights", "i8"),    # experts and rings
                   "qwen3-moe-mixed": ()}                           # experts in some layers
TEXT_TOKENIZERS = 15


def read(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return file.read()


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def seeds_safetensors():
    yield "llama-linear", read(MODELS, "llama-linear", "model.safetensors")
    yield "three", safetensors({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
                                "b": {"dtype": "BF16", "shape": [3], "data_offsets": [24, 30]},
                                "__metadata__": {"format": "pt"}}, bytes(30))
    yield "odd", safetensors({"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]},
                              "e": {"dtype": "F16", "shape": [0, 5], "data_offsets": [1, 1]},
                              "s": {"dtype": "I64", "shape": [], "data_offsets": [1, 9]}}, bytes(9))
    yield "empty", safetensors({}, b"")


def seeds_config():
    for number, name in enumerate(CONFIG_MODELS):
        config = bytes([number]) + read(MODELS, name, "config.json")
        yield name, config
        yield name + "-generation", config + b'\0{"eos_token_id": [1, 2], "bos_token_id": 1}'


def seeds_plan():
    for number, name in enumerate(PLAN_MODELS):
        for path in glob.glob(os.path.join(ROOT, "tests", "golden", "models", name, "plan-*.json")):
            yield name + "-" + os.path.basename(path), bytes([number]) + read(path)


def small_tokenizer(text):
    """The same tokenizer with few tokens: a run takes a tenth of the time."""
    data = json.loads(text)
    model = data["model"]
    vocab = sorted(model["vocab"].items(), key=lambda item: item[1])
    added = {token["content"] for token in data.get("added_tokens") or []}
    kept = [word for word, _ in vocab[:20] + vocab[-20:]]
    kept += [word for word, _ in vocab if word in added and word not in kept]
    model["vocab"] = {word: number for number, word in enumerate(kept)}
    pairs = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
    model["merges"] = [pair for pair in pairs
                       if {pair[0], pair[1], pair[0] + pair[1]} <= set(kept)][:20]
    for number, token in enumerate(token for token in data.get("added_tokens") or []
                                   if token["content"] not in kept):
        token["id"] = len(kept) + number
    for token in data.get("added_tokens") or []:
        token["id"] = model["vocab"].get(token["content"], token["id"])
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def seeds_tokenizer():
    paths = glob.glob(os.path.join(TOKENIZERS, "models", "*", "tokenizer.json"))
    for path in [*paths, os.path.join(MODELS, "opt-icl", "tokenizer.json")]:
        name = os.path.basename(os.path.dirname(path))
        yield name + "-small", small_tokenizer(read(path))
        if name == "dropped":
            yield name, read(path)


def seeds_text():
    lines = [read(TOKENIZERS, name).decode("utf-8").split("\n")
             for name in ("strings.txt", "strings-forms.txt")]
    lines = [line for line in lines[0] if line][::37] + [line for line in lines[1] if line][::7]
    for number, line in enumerate(lines):
        text = json.loads(line).encode("utf-8", "surrogatepass")
        yield str(number), bytes([number % TEXT_TOKENIZERS, number % 8]) + text[:300]


def seeds_artifact(bin_dir, coppice, folder):
    """Toy artifacts with each tokenizer, and artifacts compiled from models of the tree."""
    subprocess.run([os.path.join(bin_dir, "fuzz-seeds"), folder], check=True)
    if coppice is None:
        return
    for name, flags in ARTIFACT_MODELS.items():
        for plan in ("", "plan-a.json"):
            command = [coppice, "compile", os.path.join(MODELS, name), "-o",
                       os.path.join(folder, name + "-" + (plan or "whole")), *flags]
            if plan:
                command += ["--plan", os.path.join(ROOT, "tests", "golden", "models", name, plan)]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def write_seeds(target, folder, bin_dir, coppice):
    os.makedirs(folder, exist_ok=True)
    if target == "artifact":
        seeds_artifact(bin_dir, coppice, folder)
        return
    for name, data in globals()["seeds_" + target]():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)


def regressions(target, seeds):
    """Inputs that were findings once: files of the tree, and the seeds that were slow."""
    return sorted(glob.glob(os.path.join(HERE, "regressions", target, "*")) +
                  glob.glob(os.path.join(seeds, "slow-*")))


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def fuzz(target, args, folder):
    """One target: its JSON record, and what it printed if something is wrong."""
    program = os.path.join(args.bin, "fuzz-" + target)
    findings = os.path.join(args.fuzz_build, "findings", target + "-")
    os.makedirs(os.path.dirname(findings), exist_ok=True)
    seeds = os.path.join(folder, target)
    write_seeds(target, seeds, args.bin, args.coppice)
    kept = regressions(target, seeds)
    record = {"target": target, "executions": 0, "seconds": 0, "findings": 0, "new": 0,
              "regressions": len(kept), "failed": 0}
    problems = ""
    limits = ["-timeout=60", "-rss_limit_mb=2500", "-artifact_prefix=" + findings]
    for path in kept:
        slow = os.path.basename(path).startswith("slow-")  # a second, and minutes once
        code, output = run([program, *limits, *(["-timeout=10"] if slow else []), path])
        if code != 0:
            record["failed"] += 1
            problems += f"{path}: found once and fixed, and fails again\n{output}\n"

    start = time.monotonic()
    if args.seconds > 0:
        corpus = os.path.join(args.corpus or os.path.join(folder, "corpus"), target)
        os.makedirs(corpus, exist_ok=True)
        command = [program, *limits, f"-max_total_time={args.seconds}", "-print_final_stats=1"]
        if target in MAX_LENGTH:
            command.append(f"-max_len={MAX_LENGTH[target]}")
        words = os.path.join(HERE, "dict", target + ".dict")
        if os.path.exists(words):
            command.append("-dict=" + words)
        tree = os.path.join(HERE, "regressions", target)
        code, output = run([*command, corpus, seeds, *([tree] if os.path.isdir(tree) else [])])
        done = re.search(r"stat::number_of_executed_units: (\d+)", output)
        record["executions"] = int(done.group(1)) if done else 0
        if code != 0:
            record["new"] = 1
            # What the sanitizer says stands at the end, behind the fuzzer's progress.
            said = [line for line in output.splitlines() if not line.startswith("#")]
            problems += f"fuzz-{target}: exit code {code}\n" + "\n".join(said[-60:]) + "\n"
            problems += (f"the input is kept in {findings}*; repeat with {program} INPUT, and when it "
                         f"is fixed keep it in tests/fuzz/regressions/{target}/\n")
        elif record["executions"] == 0:
            record["new"] = 1
            problems += f"fuzz-{target}: no input was run\n{output}\n"
    record["seconds"] = round(time.monotonic() - start)
    record["findings"] = record["regressions"] + record["new"]
    return record, problems


def build(args):
    cmake = ["cmake", "--preset", "fuzz", "-B", args.fuzz_build]
    ninja = ["ninja", "-C", args.fuzz_build, "coppice-fuzz"]
    for command in (cmake, ninja):
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            sys.stdout.write(done.stdout.decode(errors="replace")[-8000:])
            sys.exit(f"the fuzz targets do not build: {' '.join(command)}")


def write_figures(path, records, add):
    figures = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
    section = figures.setdefault("fuzz", {})
    for record in records:
        entry = {key: record[key] for key in ("executions", "seconds", "findings")}
        before = section.get(record["target"], {})
        if add:
            for key in ("executions", "seconds"):
                entry[key] += before.get(key, 0)
        section[record["target"]] = entry
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2, sort_keys=True)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60,
                        help="for each target; 0 replays the regression inputs only")
    parser.add_argument("--jobs", type=int, default=2, help="targets that run at a time")
    parser.add_argument("--corpus", help="where inputs that reach new code are kept")
    parser.add_argument("--fuzz-build", default=os.path.join(ROOT, "build-fuzz"))
    parser.add_argument("--build", default=os.path.join(ROOT, "build"),
                        help="the ordinary build, whose coppice compiles artifacts to begin with")
    parser.add_argument("--figures", help="a JSON file whose section \"fuzz\" is written")
    parser.add_argument("--add", action="store_true", help="add to the figures that stand there")
    args = parser.parse_args()
    unknown = [target for target in args.targets if target not in TARGETS]
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; targets are {', '.join(TARGETS)}")
    args.targets = args.targets or list(TARGETS)
    args.fuzz_build = os.path.abspath(args.fuzz_build)
    args.bin = os.path.join(args.fuzz_build, "bin")
    args.coppice = os.path.join(args.build, "bin", "coppice")
    if not os.path.exists(args.coppice):
        args.coppice = None  # the toy artifacts are enough to begin with

    build(args)
    records, failed = [], False
    with tempfile.TemporaryDirectory() as folder:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for future in [pool.submit(fuzz, target, args, folder) for target in args.targets]:
                record, problems = future.result()
                records.append(record)
                failed = failed or bool(problems)
                sys.stdout.write(problems)
                print(json.dumps(record), flush=True)
    if args.figures:
        write_figures(args.figures, records, args.add)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
