"""Cut a checkpoint as other tools do, down to no rows, and hold it to what transformers masks.

Usage: empty_layers.py MODEL_DIR PLAN GOLDEN. The heads and neurons that PLAN removes are cut from the
tensors themselves: a layer that loses all of them keeps tensors of no rows and no columns, and the
biases of its last linears; a skipped block loses those too. Without a plan the result must come to the
logits of GOLDEN, which transformers computed with the same heads and neurons masked. For families
with a tensor for each of query, key and value; `coppice` and `coppice-run` are found through PATH.
"""

import json
import os
import shutil
import struct
import sys
import tempfile

import numpy as np

from run_golden import run_golden

BYTES = {"F32": "<u4", "F16": "<u2", "BF16": "<u2"}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length:]
    return {name: (entry["dtype"], np.frombuffer(
        body[slice(*entry["data_offsets"])], BYTES[entry["dtype"]]).reshape(entry["shape"]))
        for name, entry in header.items()}


def write(path, tensors):
    header, at, parts = {}, 0, []
    for name, (dtype, values) in tensors.items():
        part = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape),
                        "data_offsets": [at, at + len(part)]}
        at += len(part)
        parts.append(part)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def numbers(ranges):
    cut = set()
    for item in ranges:
        first, _, last = str(item).partition("-")
        cut.update(range(int(first), int(last or first) + 1))
    return cut


class Layer:
    def __init__(self, tensors, layer):
        self.tensors = tensors
        self.names = {name.split(f"layers.{layer}.")[1]: name for name in tensors
                      if f"layers.{layer}." in name}

    def cut(self, part, keep, axis):
        """Keeps these rows, of the bias too, or columns of the linear whose name ends so."""
        for ending in ("weight", "bias"):
            name = self.names.get(f"{part}.{ending}")
            if name and (axis == 0 or ending == "weight"):
                dtype, values = self.tensors[name]
                self.tensors[name] = (dtype, np.take(values, keep, axis=axis))

    def clear_bias(self, part):
        if name := self.names.get(f"{part}.bias"):
            dtype, values = self.tensors[name]
            self.tensors[name] = (dtype, np.zeros_like(values))

    def first(self, *parts):
        return next(part for part in parts if f"{part}.weight" in self.names)

    def rows(self, part):
        return self.tensors[self.names[f"{part}.weight"]][1].shape[0]


def apply(config, tensors, cut):
    layer = Layer(tensors, cut["layer"])
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    kv_heads = layer.rows("self_attn.k_proj") // width
    attention = cut.get("whole") or cut.get("attention")
    dead = set(range(heads)) if attention else numbers(cut.get("heads", []))
    live = [head for head in range(heads) if head not in dead]
    live_kv = sorted({head // (heads // kv_heads) for head in live})
    columns = lambda kept: [head * width + i for head in kept for i in range(width)]
    layer.cut("self_attn.q_proj", columns(live), 0)
    for part in ("self_attn.k_proj", "self_attn.v_proj"):
        layer.cut(part, columns(live_kv), 0)
    out = layer.first("self_attn.out_proj", "self_attn.o_proj", "self_attn.dense")
    layer.cut(out, columns(live), 1)
    ffn = cut.get("whole") or cut.get("ffn")
    down = layer.first("fc2", "mlp.fc2", "mlp.down_proj")
    ups = [part for part in ("fc1", "mlp.fc1", "mlp.up_proj", "mlp.gate_proj")
           if f"{part}.weight" in layer.names]
    neurons = layer.rows(ups[0])
    gone = set(range(neurons)) if ffn else numbers(cut.get("neurons", []))
    kept = [neuron for neuron in range(neurons) if neuron not in gone]
    for part in ups:
        layer.cut(part, kept, 0)
    layer.cut(down, kept, 1)
    for part, skipped in ((out, attention), (down, ffn)):
        if skipped:
            layer.clear_bias(part)
    return not live, not kept


def main():
    model, plan, golden = sys.argv[1:]
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(plan, encoding="utf-8") as file:
        cuts = json.load(file)["remove"]
    tensors = {}
    for name in sorted(os.listdir(model)):
        if name.endswith(".safetensors"):
            tensors.update(read(os.path.join(model, name)))
    empty = [apply(config, tensors, cut) for cut in cuts]
    heads, neurons = (sum(kind) for kind in zip(*empty))
    if not heads or not neurons:
        sys.exit(f"{plan} leaves no layer without heads, or none without neurons")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(model, "config.json"), folder)
        write(os.path.join(folder, "model.safetensors"), tensors)
        good = run_golden(folder, golden)
    print(f"{heads} layers without heads, {neurons} without neurons")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
