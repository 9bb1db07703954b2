"""Compile a model in quantized formats and hold its answers to limits of quality.

Usage: quality_limits.py MODEL_DIR GOLDEN. GOLDEN has the float logits of another program. For each
format the mean over tokens of KL(golden || ours) in nats and the share of tokens for which both choose
the same are held to limits, and fewer bits must be farther away. coppice-divergence, on which the
table of quality rests, must say what is computed here from the logits that coppice-run writes.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

from compare_logits import read_safetensors
from run_golden import compile_model, run_logits

MIXED = "i8,*.out_proj.weight=i8"  # heads share groups: what i8 alone keeps from quantizing
# Mean KL at most, share of equal choices at least: room of a half over what opt-icl loses, so that a
# fault of the quantizer or of a kernel shows long before answers are wrong.
LIMITS = {"f16": (1e-6, 1.0), "i8": (0.0012, 0.96), MIXED: (0.0022, 0.96), "i4": (0.07, 0.75)}


def log_probabilities(logits):
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def divergence(reference, ours):
    p, q = log_probabilities(reference), log_probabilities(ours)
    return (np.exp(p) * (p - q)).sum(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("golden")
    args = parser.parse_args()
    golden, _ = read_safetensors(args.golden)
    tokens, wanted = golden["tokens"], golden["logits"]
    bad = False

    def hold(right, text):
        nonlocal bad
        print(text + ("" if right else " <- wrong"))
        bad |= not right

    with tempfile.TemporaryDirectory() as folder:
        artifacts, logits, means = {}, {}, {}
        for number, name in enumerate(["f32", *LIMITS]):
            artifacts[name] = compile_model(args.model, os.path.join(folder, str(number)), None,
                                            ["--weights", name])
            logits[name] = run_logits(artifacts[name], tokens.tolist())["logits"]
            means[name] = divergence(wanted, logits[name]).mean()
        for name, (most, least) in LIMITS.items():
            same = (wanted.argmax(1) == logits[name].argmax(1)).mean()
            hold(means[name] <= most and same >= least,
                 f"{name}: KL {means[name]:.3g}, limit {most}; the same choice {same:.1%}, limit "
                 f"{least:.0%}; of {len(tokens)} tokens")
        hold(means["f16"] < means["i8"] < means[MIXED] < means["i4"], "fewer bits are farther away")

        listed = os.path.join(folder, "golden.tokens")
        with open(listed, "w", encoding="ascii") as file:
            file.write(" ".join(map(str, tokens)))
        said = np.frombuffer(subprocess.run(
            ["coppice-divergence", "1", listed, *artifacts.values()], check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout)
        said = said.reshape(len(artifacts), len(tokens) - 1, 3)
        for name, rows in zip(artifacts, said):
            loss = -log_probabilities(logits[name])[np.arange(len(tokens) - 1), tokens[1:]]
            distance = divergence(logits["f32"], logits[name])[:-1]
            same = (logits["f32"].argmax(1) == logits[name].argmax(1))[:-1]
            hold(np.allclose(rows[:, 0], loss, rtol=1e-9, atol=1e-9)
                 and np.allclose(rows[:, 1], distance, rtol=1e-6, atol=1e-10)
                 and np.array_equal(rows[:, 2] != 0, same),
                 f"coppice-divergence of {name} from f32: {rows[:, 1].mean():.3g}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
