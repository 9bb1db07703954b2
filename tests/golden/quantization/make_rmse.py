"""Write rmse.json: what llama.cpp's Q4_0 and Q8_0 make of every matrix of the models that tests use.

Both formats as they are described in public: 32 values of a row share a float16 scale. Q4_0: the
scale is the value of the largest magnitude over -8, the code min(15, trunc(x / scale + 8.5)), and a
value (code - 8) * scale. Q8_0: the scale is the largest magnitude over 127, the code round(x / scale).
Scales are rounded to float16 after the codes are made. A row's last group may be shorter.

Run: /usr/bin/python3 tests/golden/quantization/make_rmse.py MODELS
MODELS holds the folders stories260k and opt-icl, as $COPPICE_MODELS does.
"""

import json
import os
import struct
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = os.path.join(HERE, "..", "..", "models")


def matrices(path):
    """The two-dimensional tensors of a safetensors file, as float32."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    for name, entry in sorted(json.loads(data[8 : 8 + length]).items()):
        if name == "__metadata__" or len(entry["shape"]) != 2:
            continue
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            bits = np.frombuffer(data[first:last], "<u2").astype("<u4") << 16
            values = bits.view("<f4")
        else:
            values = np.frombuffer(data[first:last], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        yield name, values.astype(np.float32).reshape(entry["shape"])


def groups(matrix):
    """Groups of 32 of each row, the last filled up with zeros, which every format keeps."""
    rows, cols = matrix.shape
    return np.pad(matrix, ((0, 0), (0, -cols % 32))).reshape(-1, 32)


def inverse(scale):
    return np.where(scale != 0, np.float32(1) / np.where(scale != 0, scale, 1), np.float32(0))


def stored(scale):
    return scale.astype(np.float16).astype(np.float64)


def q4_0(x):
    extreme = x[np.arange(len(x)), np.argmax(np.abs(x), axis=1)][:, None]
    scale = (extreme / np.float32(-8)).astype(np.float32)
    codes = np.minimum(15, np.trunc(x * inverse(scale) + np.float32(8.5)))
    return (codes - 8) * stored(scale)


def q8_0(x):
    scale = (np.abs(x).max(axis=1)[:, None] / np.float32(127)).astype(np.float32)
    product = x * inverse(scale)
    return np.copysign(np.floor(np.abs(product) + 0.5), product) * stored(scale)


def rmse(matrix, quantize):
    x = groups(matrix)
    error = x.astype(np.float64) - quantize(x)
    return float(np.sqrt((error**2).sum() / matrix.size))


def main():
    shared = sys.argv[1]
    result = {}
    for key, path in (
        ("tests/models/opt-icl", os.path.join(OWN, "opt-icl")),
        ("tests/models/llama-gqa", os.path.join(OWN, "llama-gqa")),
        ("tests/models/llama-linear", os.path.join(OWN, "llama-linear")),
        ("$COPPICE_MODELS/opt-icl", os.path.join(shared, "opt-icl")),
        ("$COPPICE_MODELS/stories260k", os.path.join(shared, "stories260k")),
    ):
        result[key] = {
            name: [float(f"{rmse(matrix, quantize):.8g}") for quantize in (q4_0, q8_0)]
            for name, matrix in matrices(os.path.join(path, "model.safetensors"))
        }
    lines = []
    for model, tensors in result.items():
        rows = [f"  {json.dumps(name)}: {json.dumps(pair)}" for name, pair in tensors.items()]
        lines.append(f"{json.dumps(model)}: {{\n" + ",\n".join(rows) + "\n}")
    with open(os.path.join(HERE, "rmse.json"), "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
