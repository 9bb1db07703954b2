"""A plan's meaning on a Hugging Face model, by hooks alone: the truth our removal is held against.

Nothing is removed here. A head's output is set to zero before the output projection, a neuron's
activation before the down projection, and a skipped block yields its input: its branch gives
zero, a norm at the branch's end included (Gemma 2 and 3), and where the norm stands after the residual
(post-norm OPT) that norm is passed by too. In a parallel block each of the two branches gives zero
by itself. An expert's router score is minus infinity before softmax and choice.
"""

import collections
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


# What hooks take hold of in a layer: the ends of the two branches, the linears that read heads and
# neurons (`down` is None for experts), the router or None, and norms that a skipped block passes by.
Layer = collections.namedtuple("Layer", "attention out_proj ffn down router norms",
                               defaults=(None, (None, None)))
# model_type: attention, output projection, FFN, down projection, from the layer on.
PATHS = {
    "gpt2": ("attn", "attn.c_proj", "mlp", "mlp.c_proj"),
    "gpt_neox": ("attention", "attention.dense", "mlp", "mlp.dense_4h_to_h"),
    "falcon": ("self_attention", "self_attention.dense", "mlp", "mlp.dense_4h_to_h"),
    "phi": ("self_attn", "self_attn.dense", "mlp", "mlp.fc2"),
    "starcoder2": ("self_attn", "self_attn.o_proj", "mlp", "mlp.c_proj"),
    "gemma2": ("post_attention_layernorm", "self_attn.o_proj", "post_feedforward_layernorm",
               "mlp.down_proj"),
    "gemma3_text": ("post_attention_layernorm", "self_attn.o_proj", "post_feedforward_layernorm",
                    "mlp.down_proj"),
}
LLAMA_PATHS = ("self_attn", "self_attn.o_proj", "mlp", "mlp.down_proj")


def parts(model):
    """The Layer of each layer."""
    kind = model.config.model_type
    if kind == "opt":
        for layer in model.model.decoder.layers:
            post = not model.config.do_layer_norm_before
            norms = (layer.self_attn_layer_norm, layer.final_layer_norm) if post else (None, None)
            yield Layer(layer.self_attn, layer.self_attn.out_proj, layer.fc2, layer.fc2, None, norms)
        return
    body = model.model if hasattr(model, "model") else model.base_model
    for layer in body.h if hasattr(body, "h") else body.layers:
        experts = getattr(layer, "block_sparse_moe", None) or layer.mlp
        if hasattr(experts, "experts"):
            yield Layer(layer.self_attn, layer.self_attn.o_proj, experts, None, experts.gate)
        else:
            yield Layer(*map(layer.get_submodule, PATHS.get(kind, LLAMA_PATHS)))


def inputs_of(linear):
    """How many columns a projection reads; GPT-2's Conv1D is stored the other way round."""
    return linear.weight.shape[type(linear).__name__ != "Conv1D"]


def zero_columns(columns):
    def hook(module, args):
        x = args[0].clone()
        x[..., columns] = 0
        return (x,) + args[1:]
    return hook


def no_score(experts):
    def hook(module, args, output):
        scores = output.clone()
        scores[..., experts] = -torch.inf
        return scores
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
    config = model.config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    handles = []
    for entry in plan["remove"]:
        attention, out_proj, ffn, down, router, norms = layers[entry["layer"]]
        columns = [h * size + i for h in indices(entry.get("heads", [])) for i in range(size)]
        assert not columns or max(columns) < inputs_of(out_proj)
        if columns:
            handles.append(out_proj.register_forward_pre_hook(zero_columns(columns)))
        experts = indices(entry.get("experts", []))
        if experts:
            handles.append(router.register_forward_hook(no_score(experts)))
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


@contextlib.contextmanager
def clear_choices(model):
    """Asserts that no token's choice of experts hangs on float32's last bits."""
    def hook(module, args, output):
        count = model.config.num_experts_per_tok
        best = torch.sort(output, descending=True).values
        if count == best.shape[-1]:
            return
        margin = (best[..., count - 1] - best[..., count]).min().item()
        assert margin > 2e-5, f"a router's scores are only {margin} apart"
    handles = [layer.router.register_forward_hook(hook) for layer in parts(model) if layer.router]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def logits_of(model, tokens, plan=None):
    """Float32 logits [tokens, vocabulary]; checked against the same pass in float64."""
    ids = torch.tensor(tokens, dtype=torch.long)[None]
    with (torch.no_grad(), masked(model, plan) if plan else contextlib.nullcontext(),
          clear_choices(model)):
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
