"""A Llama checkpoint of any shape with random weights, written tensor by tensor.

Usage: synthetic.py DIR [--layers N] [--hidden N] [--ffn N] [--heads N] [--kv-heads N] [--vocab N]
For benchmarks only: speed does not depend on the values. Seeded, so the same call gives the same
bytes.
"""

import argparse
import json
import os
import struct

import numpy


def tensors(shape):
    hidden, ffn, dim = shape["hidden"], shape["ffn"], shape["hidden"] // shape["heads"]
    yield "model.embed_tokens.weight", (shape["vocab"], hidden)
    for i in range(shape["layers"]):
        at = f"model.layers.{i}."
        yield at + "input_layernorm.weight", (hidden,)
        yield at + "self_attn.q_proj.weight", (shape["heads"] * dim, hidden)
        yield at + "self_attn.k_proj.weight", (shape["kv_heads"] * dim, hidden)
        yield at + "self_attn.v_proj.weight", (shape["kv_heads"] * dim, hidden)
        yield at + "self_attn.o_proj.weight", (hidden, shape["heads"] * dim)
        yield at + "post_attention_layernorm.weight", (hidden,)
        yield at + "mlp.gate_proj.weight", (ffn, hidden)
        yield at + "mlp.up_proj.weight", (ffn, hidden)
        yield at + "mlp.down_proj.weight", (hidden, ffn)
    yield "model.norm.weight", (hidden,)


def write(directory, **shape):
    os.makedirs(directory, exist_ok=True)
    config = {"model_type": "llama", "hidden_size": shape["hidden"],
              "intermediate_size": shape["ffn"], "num_hidden_layers": shape["layers"],
              "num_attention_heads": shape["heads"], "num_key_value_heads": shape["kv_heads"],
              "vocab_size": shape["vocab"], "max_position_embeddings": 2048, "hidden_act": "silu",
              "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
              "attention_bias": False, "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2,
              "torch_dtype": "float32"}
    with open(os.path.join(directory, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    header, end = {}, 0
    for name, dims in tensors(shape):
        size = 4 * int(numpy.prod(dims))
        header[name] = {"dtype": "F32", "shape": list(dims), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(1)
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, dims in tensors(shape):
            if len(dims) == 1:
                numpy.ones(dims, numpy.float32).tofile(file)
            else:
                scale = numpy.float32(dims[1] ** -0.5)
                (random.standard_normal(dims, numpy.float32) * scale).tofile(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    for name, value in (("layers", 4), ("hidden", 2048), ("ffn", 5632), ("heads", 32),
                        ("kv-heads", 4), ("vocab", 4096)):
        parser.add_argument("--" + name, type=int, default=value)
    options = vars(parser.parse_args())
    write(options.pop("directory"), **options)


if __name__ == "__main__":
    main()
