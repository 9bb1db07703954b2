"""Writes the checkpoint of find-dead-fused.mlir: DIR/model.safetensors, fused tensors with zeros.

Usage: zeros_fused.py DIR
"""
import json
import os
import struct
import sys


def rows(*kept, width):
    """A matrix of `width` columns whose rows are zero where `kept` says 0."""
    return [value for row in kept for value in [float(row)] * width]


tensors = {
    # [heads 3, (query, key, value), head_dim 2]: the values of head 1 are zero.
    "interleaved": ([18, 2], rows(*[1] * 6, 1, 1, 1, 1, 0, 0, *[1] * 6, width=2)),
    # [in 2, thirds of 6 outputs]: the values of head 2 are zero.
    "thirds": ([2, 18], ([1.0] * 16 + [0.0, -0.0]) * 2),
    "out": ([2, 6], [1.0] * 12),
    # Stored [in, out]: head 0, rows 0 and 1, is not read.
    "out.transposed": ([6, 2], rows(0, 0, 1, 1, 1, 1, width=2)),
    # [gate 3, up 3]: of neuron 0 the gate is zero, of neuron 2 the up row.
    "gate_up": ([6, 2], rows(0, 1, 1, 1, 1, 0, width=2)),
    "down": ([2, 3], [1.0] * 6),
}

header, data = {}, b""
for name, (shape, values) in tensors.items():
    packed = struct.pack("<%df" % len(values), *values)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
    data += packed
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
os.makedirs(sys.argv[1], exist_ok=True)
with open(os.path.join(sys.argv[1], "model.safetensors"), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
