"""A plan's meaning on a Hugging Face model, by hooks alone: the truth our removal is held against.

Nothing is removed here. A head's output is set to zero before the output projection, a neuron's
activation before the down projection, and a skipped block yields its input: its branch gives
zero, and where the norm stands after the residual (post-norm OPT) that norm is passed by too.
"""

import contextlib
import json

import numpy as np
import torch
from safetensors.numpy import save_file


def indices(entries):
    """Plan index list, "3-9" inclusive ranges among it, as plain numbers."""
    out = []
    for entry in entries:
        if isinstance(entry, str):
            first, last = entry.split("-")
            out += range(int(first), int(last) + 1)
        else:
            out.append(entry)
    return out


def parts(model):
    """Per layer: (attention, its output projection, FFN branch, down projection, post-norms)."""
    config = model.config
    if config.model_type == "opt":
        for layer in model.model.decoder.layers:
            post = not config.do_layer_norm_before
            norms = (layer.self_attn_layer_norm, layer.final_layer_norm) if post else (None, None)
            yield layer.self_attn, layer.self_attn.out_proj, layer.fc2, layer.fc2, norms
    else:
        for layer in model.model.layers:
            yield (layer.self_attn, layer.self_attn.o_proj, layer.mlp, layer.mlp.down_proj,
                   (None, None))


def zero_columns(columns):
    def hook(module, args):
        x = args[0].clone()
        x[..., columns] = 0
        return (x,) + args[1:]
    return hook


def yield_zero(module, args, output):
    if isinstance(output, tuple):
        return (torch.zeros_like(output[0]),) + output[1:]
    return torch.zeros_like(output)


def yield_input(module, args, output):
    return args[0]


@contextlib.contextmanager
def masked(model, plan):
    """The model with `plan` applied, until the block ends."""
    assert plan["version"] == 1 and plan["model_type"] == model.config.model_type
    layers = list(parts(model))
    heads = model.config.num_attention_heads
    handles = []
    for entry in plan["remove"]:
        attention, out_proj, ffn, down, norms = layers[entry["layer"]]
        size = out_proj.weight.shape[1] // heads
        columns = [h * size + i for h in indices(entry.get("heads", [])) for i in range(size)]
        if columns:
            handles.append(out_proj.register_forward_pre_hook(zero_columns(columns)))
        neurons = indices(entry.get("neurons", []))
        if neurons:
            handles.append(down.register_forward_pre_hook(zero_columns(neurons)))
        for block, norm, key in ((attention, norms[0], "attention"), (ffn, norms[1], "ffn")):
            if entry.get(key) or entry.get("whole"):
                handles.append(block.register_forward_hook(yield_zero))
                if norm is not None:
                    handles.append(norm.register_forward_hook(yield_input))
    try:
        yield model
    finally:
        for handle in handles:
            handle.remove()


def logits_of(model, tokens, plan=None):
    """Float32 logits [tokens, vocabulary]; checked against the same pass in float64."""
    ids = torch.tensor(tokens, dtype=torch.long)[None]
    with torch.no_grad(), masked(model, plan) if plan else contextlib.nullcontext():
        single = model(ids, use_cache=False).logits[0].numpy().copy()
        # The causal mask takes its type from the default.
        torch.set_default_dtype(torch.float64)
        double = model.double()(ids, use_cache=False).logits[0].double().numpy()
        torch.set_default_dtype(torch.float32)
        model.float()
    error = np.abs(single - double).max()
    limit = 2e-5 * max(1.0, np.abs(single).max())
    assert error <= limit, f"float32 and float64 differ by {error}"
    return single.astype(np.float32)


def write_golden(path, tokens, logits, prompt_tokens=None):
    save_file({"tokens": np.asarray(tokens, np.int32), "logits": np.ascontiguousarray(logits)}, path,
              metadata={"prompt_tokens": str(len(tokens) if prompt_tokens is None
                                             else prompt_tokens)})


def write_plan(path, plan):
    rows = ",\n".join("  " + json.dumps(entry) for entry in plan["remove"])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{{"version": 1, "model_type": "{plan["model_type"]}", "remove": [\n{rows}]}}\n')
