"""Make random weights for a model of every family, compile them for sessions of a few positions, and
run them to the last one; and two with windows over texts in which their rings turn.

Usage: synth_families.py TESTS_DIR. The shapes are the configs of TESTS_DIR/models, the first of each
family; formats of checkpoint, weights and cache, and contexts, go in turn. Held for each: tokens that
decoding chooses one by one are the largest logits of one prefill over them, a part of the text gives
the same bytes for its rows as the whole, all logits are finite, and a text longer than the context is
refused. The exit code is 1 if one of them does not hold.
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

import numpy

from compare_logits import read_safetensors
from run_family import tiny_models

DTYPES = ("f16", "bf16", "f32")
WEIGHTS = ("stored", "i8", "i4", "bf16", "f32")
CACHES = ("f32", "bf16", "i8")
CONTEXTS = (1, 2, 3, 17, 31)
# Windows below 20 make rings of 576 positions.
LONG = (("mistral-window", "bf16", 1337), ("gemma3-pattern", "i8", 1337))


def call(command, code=0):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != code or (code and not done.stderr.startswith("error: ")):
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return done.stdout


def spelled(tokens):
    return ",".join(map(str, tokens))


def logits(artifact, tokens, threads="1"):
    output = artifact + ".logits"
    call(["coppice-run", artifact, "--tokens", spelled(tokens), "--logits", output, "--threads",
          threads])
    return read_safetensors(output)[0]["logits"]


def check(folder, vocabulary, dtype, weights, cache, context):
    """"" or what does not hold."""
    with tempfile.TemporaryDirectory() as scratch:
        model, artifact = os.path.join(scratch, "model"), os.path.join(scratch, "artifact")
        call(["coppice", "synth", "--shape", os.path.join(folder, "config.json"), "-o", model,
              "--dtype", dtype, "--quiet"])
        call(["coppice", "compile", model, "-o", artifact, "--weights", weights, "--kv", cache,
              "--context", str(context), "--quiet"])
        random = numpy.random.default_rng(context)
        prompt = random.integers(0, vocabulary, max(1, context // 2)).tolist()
        tokens = list(prompt)
        if context > len(prompt):
            said = call(["coppice-run", artifact, "--tokens", spelled(prompt), "-n",
                         str(context - len(prompt)), "--print-tokens", "--quiet"])
            tokens += [int(word) for word in said.split()]
        whole = logits(artifact, tokens, "2")
        if not numpy.isfinite(whole).all():
            return "a logit is not finite"
        chosen = whole.argmax(axis=1)[len(prompt) - 1:-1]
        if list(chosen) != tokens[len(prompt):]:
            return "decoding chose other tokens than the largest of the prefill's logits"
        part = tokens[:max(1, len(tokens) // 2)]
        if logits(artifact, part).tobytes() != whole[:len(part)].tobytes():
            return "rows of a part of the text have other bytes"
        long = (tokens + prompt * context)[:context + 1]
        call(["coppice-run", artifact, "--tokens", spelled(long), "-n", "1"], code=1)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", metavar="TESTS_DIR")
    tests = parser.parse_args().tests
    first, cases = {}, []
    for folder, config in tiny_models(tests):
        first.setdefault(config["model_type"], (folder, config["vocab_size"]))
        cases += [(folder, config["vocab_size"], "bf16", "stored", cache, context)
                  for name, cache, context in LONG if os.path.basename(folder) == name]
    for i, (folder, vocabulary) in enumerate(first.values()):
        cases.append((folder, vocabulary, DTYPES[i % 3], WEIGHTS[i % len(WEIGHTS)],
                      CACHES[i // 2 % 3], CONTEXTS[i % len(CONTEXTS)]))
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for case, why in zip(cases, pool.map(lambda case: check(*case), cases)):
            if why:
                print(f"{' '.join(map(str, case))}: {why}")
                bad += 1
    print(f"{len(first)} families, {len(cases)} cases, {bad} bad")
    return 1 if bad or len(cases) != len(first) + len(LONG) else 0


if __name__ == "__main__":
    sys.exit(main())
