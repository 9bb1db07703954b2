"""Compare two safetensors files that hold `logits` [tokens, vocabulary] and `tokens` [tokens].

Usage: compare_logits.py OURS OTHER [--tight]. Prints the largest difference and its limit; the exit
code is 1 if it is over, if the shapes or tokens differ, or if a logit is not finite. The limit is
1e-3 + 1e-4 * max|logit| against an outside truth and, with --tight, 1e-5 * max(1, max|logit|)
between two of our own paths. Also what the other test scripts import: read_safetensors, difference.
"""

import argparse
import json
import struct
import sys

import numpy as np

TYPES = {"F32": np.float32, "I32": np.int32}


def read_safetensors(path):
    """(tensors by name, metadata) of a file with F32 and I32 tensors."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    body = data[8 + length:]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], TYPES[entry["dtype"]]).reshape(
            entry["shape"])
    return tensors, metadata


def difference(ours, other, tight=False):
    """(within the limit, a line that says so) for two dictionaries of tensors."""
    a, b = ours["logits"], other["logits"]
    if a.shape != b.shape:
        return False, f"logits of shape {a.shape} against {b.shape}"
    if not np.array_equal(ours["tokens"], other["tokens"]):
        return False, "the tokens differ"
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False, "a logit is not finite"
    largest = float(np.abs(b).max())
    limit = 1e-5 * max(1.0, largest) if tight else 1e-3 + 1e-4 * largest
    distance = np.abs(a.astype(np.float64) - b)
    worst = float(distance.max())
    where = np.unravel_index(distance.argmax(), distance.shape)
    return worst <= limit, (f"largest difference {worst:.3g} (token {where[0]}, id {where[1]}), "
                            f"limit {limit:.3g}, largest logit {largest:.4g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours")
    parser.add_argument("other")
    parser.add_argument("--tight", action="store_true", help="two of our own paths")
    args = parser.parse_args()
    within, text = difference(read_safetensors(args.ours)[0], read_safetensors(args.other)[0],
                              args.tight)
    print(text)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
