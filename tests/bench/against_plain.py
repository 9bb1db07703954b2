"""Times an artifact of a small Llama against the same model in plain C loops (plain_llama.c), built by
the C compiler with -O3 and with -Ofast for this machine; one thread, pair by pair.

Usage: against_plain.py --bench COPPICE_BENCH --model DIR --artifact FILE [--artifact FILE ...]
           [--golden GOLDEN.safetensors] [--pairs 9] [--prompt 128] [--decode 256] [--cc cc]

With --golden both programs must first continue its prompt with exactly its tokens. Prints JSON: for
each artifact medians of tokens per second while decoding, and of the ratios within each pair.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
BUILDS = {"O3": ["-O3", "-march=native"], "Ofast": ["-Ofast", "-march=native"]}
# Put before every timed program, such as "chrt -f 50" on a machine that has other work.
WITH = shlex.split(os.environ.get("COPPICE_BENCH_WITH", ""))


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Plain:
    """plain_llama.c, built in several ways, on one model."""

    def __init__(self, model, scratch, compiler):
        with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        self.model = [os.path.join(model, "model.safetensors"), str(config["num_attention_heads"]),
                      str(config["num_key_value_heads"]), str(config["rms_norm_eps"]),
                      str(config["rope_theta"])]
        self.programs = {}
        for name, flags in BUILDS.items():
            self.programs[name] = os.path.join(scratch, "plain-" + name)
            run([*compiler.split(), *flags, "-o", self.programs[name],
                 os.path.join(HERE, "plain_llama.c"), "-lm"])

    def greedy(self, build, prompt, count):
        command = [self.programs[build], *self.model, "greedy", str(count), *map(str, prompt)]
        return [int(token) for token in run(command).split()]

    def speed(self, build, prompt, decode):
        """The second round: the first one meets cold caches."""
        command = [self.programs[build], *self.model, "time", str(prompt), str(decode), "2"]
        return float(run([*WITH, *command]).split()[-1])


def check(plain, artifacts, coppice_run, golden):
    """All programs continue the golden prompt with the golden tokens, or this ends the run."""
    from compare_logits import read_safetensors
    tensors, metadata = read_safetensors(golden)
    tokens, prompt = [int(t) for t in tensors["tokens"]], int(metadata["prompt_tokens"])
    want = tokens[prompt:]
    for build in BUILDS:
        got = plain.greedy(build, tokens[:prompt], len(want))
        if got != want:
            sys.exit(f"plain_llama, {build}: {got} in place of {want}")
    for artifact in artifacts:
        got = run([coppice_run, artifact, "--tokens", ",".join(map(str, tokens[:prompt])), "-n",
                   str(len(want)), "--print-tokens", "--quiet"])
        if [int(token) for token in got.split()] != want:
            sys.exit(f"{artifact}: {got} in place of {want}")


def ours(bench, artifact, prompt, decode):
    row = json.loads(run([*WITH, bench, artifact, "--json", "--rounds", "1", "--prompt", str(prompt),
                          "--decode", str(decode)]))[0]
    return row["decode_tokens_per_second"]


def compare(plain, bench, artifacts, pairs, prompt=128, decode=256):
    rows = {artifact: [] for artifact in artifacts}
    for _ in range(pairs):
        theirs = {build: plain.speed(build, prompt, decode) for build in BUILDS}
        for artifact in artifacts:
            rows[artifact].append((ours(bench, artifact, prompt, decode), theirs))
    return [{"artifact": os.path.basename(artifact),
             "ours": statistics.median(own for own, _ in taken),
             "theirs": {build: statistics.median(their[build] for _, their in taken)
                        for build in BUILDS},
             "ratio": {build: statistics.median(own / their[build] for own, their in taken)
                       for build in BUILDS}} for artifact, taken in rows.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--artifact", required=True, action="append")
    parser.add_argument("--golden")
    parser.add_argument("--cc", default="cc")
    for name, default in (("pairs", 9), ("prompt", 128), ("decode", 256)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        plain = Plain(options.model, scratch, options.cc)
        if options.golden:
            # Only what is exact must agree token by token.
            runner = os.path.join(os.path.dirname(options.bench), "coppice-run")
            check(plain, options.artifact[:1], runner, options.golden)
        json.dump(compare(plain, options.bench, options.artifact, options.pairs, options.prompt,
                          options.decode), sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
