"""Compile a model with each format of the KV cache and hold its logits to a golden file's.

Usage: kv_formats.py MODEL_DIR GOLDEN [--greedy]. Limits are shares of the largest golden logit: f32
within the limit of an outside truth; bf16 within 1 %, for keys and values are off by at most 2^-8 of
themselves, 0.4 %, in every layer; i8 within 3 %, for they are off by at most 1/254 of their head's
largest, 0.4 % too, but small ones by more of themselves. Caches must have the bytes that the format
says against f32's. With --greedy the tokens after the prompt must be the file's for f32 and bf16,
and i8 says how many are.
"""

import argparse
import json
import os
import sys
import tempfile

from compare_logits import difference, read_safetensors
from run_golden import call, compile_model, run_logits

SHARES = {"bf16": 0.01, "i8": 0.03}


def cache_bytes(artifact):
    entry = json.loads(call(["coppice", "inspect", artifact, "--json"]))["entry_points"][0]
    return entry["kv_bytes_per_position"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("golden")
    parser.add_argument("--greedy", action="store_true")
    args = parser.parse_args()
    golden, metadata = read_safetensors(args.golden)
    tokens = golden["tokens"].tolist()
    bad = False
    with tempfile.TemporaryDirectory() as folder:
        sizes = {}
        for kv in ("f32", "bf16", "i8"):
            artifact = compile_model(args.model, os.path.join(folder, kv), None, ["--kv", kv])
            sizes[kv] = cache_bytes(artifact)
            ours = run_logits(artifact, tokens)
            within, text = difference(ours, golden)
            if kv != "f32":
                largest = float(abs(golden["logits"]).max())
                share = float(abs(ours["logits"] - golden["logits"]).max()) / largest
                within = share <= SHARES[kv]  # not so for a NaN
                text = f"largest difference {share:.2%} of the largest logit, limit {SHARES[kv]:.0%}"
            print(f"{kv}, {sizes[kv]} bytes a position: {text}{'' if within else ' <- too far'}")
            bad |= not within
            if args.greedy:
                count = int(metadata["prompt_tokens"])
                wanted = tokens[count:]
                out = call(["coppice-run", artifact, "--tokens", ",".join(map(str, tokens[:count])),
                            "-n", str(len(wanted))])
                chosen = [int(word) for word in out.split()]
                same = next((i for i, (a, b) in enumerate(zip(chosen, wanted)) if a != b),
                            min(len(chosen), len(wanted)))
                print(f"{kv} greedy: {same} of {len(wanted)} tokens as in the golden file")
                bad |= kv != "i8" and same != len(wanted)
        if 2 * sizes["bf16"] != sizes["f32"] or not sizes["f32"] < 4 * sizes["i8"] <= 2 * sizes["f32"]:
            print(f"caches of the wrong sizes: {sizes}")
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
