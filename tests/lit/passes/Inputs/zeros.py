"""Writes the checkpoint of find-dead.mlir: DIR/model.safetensors, tensors with zeros in chosen places.

Usage: zeros.py DIR
"""
import json
import os
import struct
import sys

NEGATIVE_ZERO = -0.0
tensors = {
    # Zero query rows are uniform attention: alive.
    "q": ("F32", [8, 2], [0.0] * 16),
    "k": ("F32", [4, 2], [1.0] * 8),
    # KV head 0 is constant.
    "v": ("F32", [4, 2], [0, 0, 0, NEGATIVE_ZERO, 1, 1, 1, 1]),
    "v.bias": ("F32", [4], [1, 2, 3, 4]),
    "v.zero_bias": ("F32", [4], [0, NEGATIVE_ZERO, 3, 4]),
    # Head 3 is not read; of head 2 one column is.
    "o": ("F32", [2, 8], [1, 1, 1, 1, 0, 1, 0, 0] + [1, 1, 1, 1, 0, 1, 0, NEGATIVE_ZERO]),
    # Neuron 0 is not read, 1 is constant, 2 is zero, 3 lives. F16 has other bits for the same.
    "up": ("F16", [4, 2], [1, 1, 0, 0, 0, NEGATIVE_ZERO, 0, 1]),
    "up.bias": ("F16", [4], [0, 5, 0, 0]),
    "down": ("F16", [2, 4], [0, 1, 1, 1] + [NEGATIVE_ZERO, 1, 1, 0]),
    # A stored [in, out] matrix, read transposed: neuron 2 is not read.
    "down.transposed": ("F32", [4, 2], [1, 1, 1, 0, 0, 0, 1, 1]),
    # Rows 0 and 1 are zero in one of the two, row 2 in both.
    "gate": ("F32", [4, 2], [0, 0, 1, 1, 0, 0, 1, 1]),
    "other": ("F32", [4, 2], [1, 1, 0, 0, 0, 0, 1, 1]),
    "gate.bias": ("F32", [4], [1, 1, 1, 1]),
    "other.bias": ("F32", [4], [1, 1, 1, 1]),
    "full": ("F32", [2, 4], [1.0] * 8),
}

header, data = {}, b""
for name, (dtype, shape, values) in tensors.items():
    packed = struct.pack("<%d%s" % (len(values), "f" if dtype == "F32" else "e"), *values)
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
    data += packed
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
os.makedirs(sys.argv[1], exist_ok=True)
with open(os.path.join(sys.argv[1], "model.safetensors"), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
