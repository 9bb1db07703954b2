"""Compile a model with each format of weights and hold its logits near a golden file's.

Usage: weight_formats.py MODEL_DIR GOLDEN [FLAG ...]; every FLAG goes to `coppice compile`. How near is
a share: the root mean square of the differences over that of the golden logits. Where a router
chooses experts it is that of the middle row in all formats but f32: a rounded score may choose
another expert, and a few rows are then far off, rightly.

Rounding a weight costs f16 2^-12 of it and bf16 2^-9, i8 a 254th of its group's largest and i4 a
14th; weights that are random lose more than trained ones, and each layer adds to it. The limits
leave room for that: a tensor that is cut, turned or scaled wrongly in one format only is off by
about as much as the logits are large, 100 % or more.
"""

import argparse
import json
import os
import sys
import tempfile

import numpy as np

from compare_logits import read_safetensors
from run_golden import compile_model, run_logits

SHARES = {"f32": 0.001, "f16": 0.005, "bf16": 0.03, "i8": 0.06, "i4": 0.45}


def rms(values):
    return float(np.sqrt(np.mean(np.square(values.astype(np.float64)))))


def chooses_experts(model):
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        return "num_experts_per_tok" in json.load(file)


def run_weight_formats(model, golden_path, flags=()):
    """Prints how far each format is from the golden logits; whether all are within their limits."""
    golden = read_safetensors(golden_path)[0]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for weights, limit in SHARES.items():
            # All matrices, those too that keep a wider format unless they are named.
            text = f"{weights},head={weights},embed={weights}"
            artifact = compile_model(model, os.path.join(folder, weights), None,
                                     ["--weights", text, *flags])
            ours = run_logits(artifact, golden["tokens"].tolist())
            apart = ours["logits"] - golden["logits"]
            middle = chooses_experts(model) and weights != "f32"
            share = (np.median([rms(row) for row in apart]) if middle else rms(apart)) / rms(
                golden["logits"])
            within = share <= limit  # not so for a NaN
            print(f"{weights}: {share:.3%} of the logits, limit {limit:.1%}"
                  f"{'' if within else ' <- too far'}")
            good &= bool(within)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("golden")
    args, flags = parser.parse_known_args()
    return 0 if run_weight_formats(args.model, args.golden, flags) else 1


if __name__ == "__main__":
    sys.exit(main())
