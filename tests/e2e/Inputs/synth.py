"""Fails unless FOLDER holds what MODEL, a trained checkpoint of the same config, holds: the same names
and shapes, all of TYPE, and numbers with the mean and deviation that their kind has.

usage: synth.py FOLDER MODEL TYPE
"""

import json
import sys

import numpy

BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def header(folder):
    with open(folder + "/model.safetensors", "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
        entries.pop("__metadata__", None)
        return entries, file.read()


folder, model, kind = sys.argv[1:]
made, data = header(folder)
trained, _ = header(model)
faults = [f"{name}: only in one of them" for name in made.keys() ^ trained.keys()]
end = 0
for name, entry in made.items():
    shape = entry["shape"]
    if entry["dtype"] != kind or shape != trained.get(name, entry)["shape"]:
        faults.append(f"{name}: {entry}")
    begin, stop = entry["data_offsets"]
    if begin != end or stop - begin != BYTES[kind] * int(numpy.prod(shape)):
        faults.append(f"{name}: offsets {begin}, {stop} after {end}")
    end = stop
    values = numpy.frombuffer(data[begin:stop], {"F32": "<f4", "F16": "<f2"}[kind]).astype(float)
    norm = len(shape) == 1 and "norm" in name and name.endswith("weight")
    mean, deviation = (1 if norm else 0), 0.02
    if len(shape) == 2 and "positions" not in name and "embed" not in name:
        deviation = shape[1] ** -0.5
    if "embed_tokens" in name:  # tied or not, the deviation of a matrix or of a table
        deviation = min((0.02, shape[1] ** -0.5), key=lambda d: abs(d - values.std()))
    if abs(values.mean() - mean) > 6 * deviation / values.size ** 0.5:
        faults.append(f"{name}: mean {values.mean()}")
    if abs(values.std() / deviation - 1) > 6 / values.size ** 0.5:
        faults.append(f"{name}: deviation {values.std()}, {deviation} is wanted")
if end != len(data) or not made:
    faults.append(f"{len(data)} bytes of data, {end} in the header")
sys.exit("\n".join(faults) or 0)
