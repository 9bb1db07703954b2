"""What grew out of Llama: windows, norms of heads, soft caps, two kinds of layer, layers unlike each other."""

import json
import os

import torch
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig,
                          GemmaConfig, GemmaForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig,
                          MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM, Starcoder2Config, Starcoder2ForCausalLM)

from cases import COMMON, IDS, Case, plans_of

SMALL = {"vocab_size": 31, "intermediate_size": 29, "num_hidden_layers": 2,
         "max_position_embeddings": 512, **IDS, **COMMON}


def config_as_published(**fields):
    """Fields that published config.json files have, and without layer_types, which they had not."""
    def edit(folder):
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config.pop("layer_types", None)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**config, **fields}, file, indent=2)
            file.write("\n")
    return edit


def mistral(window, **fields):
    return lambda: MistralForCausalLM(MistralConfig(**{
        **SMALL, "hidden_size": 20, "head_dim": 6, "num_attention_heads": 4,
        "num_key_value_heads": 2, "sliding_window": window, "tie_word_embeddings": False, **fields}))


def qwen2(**fields):
    return lambda: Qwen2ForCausalLM(Qwen2Config(**{
        **SMALL, "hidden_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2, **fields}))


def qwen3():
    """Heads of 10 (3 x 10 is not the hidden size), a norm for queries and one for keys, YaRN, and a
    window of 7 in the second layer."""
    return Qwen3ForCausalLM(Qwen3Config(**{
        **SMALL, "hidden_size": 22, "head_dim": 10, "num_attention_heads": 3,
        "num_key_value_heads": 1, "attention_bias": True, "tie_word_embeddings": True,
        "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1,
        "max_position_embeddings": 64, "rope_scaling": {
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}}))


def starcoder2():
    """Biases, LayerNorm, a window of 16 over 150 positions."""
    return Starcoder2ForCausalLM(Starcoder2Config(**{
        **SMALL, "hidden_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2,
        "sliding_window": 16, "tie_word_embeddings": True}))


def gemma():
    return GemmaForCausalLM(GemmaConfig(**{
        **SMALL, "hidden_size": 20, "head_dim": 8, "num_attention_heads": 3,
        "num_key_value_heads": 1}))


def gemma2():
    """Local, global, local; both soft caps low enough to bite; scores not scaled by the head size."""
    return Gemma2ForCausalLM(Gemma2Config(**{
        **SMALL, "hidden_size": 20, "head_dim": 6, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_hidden_layers": 3, "intermediate_size": 19,
        "sliding_window": 9, "query_pre_attn_scalar": 11, "attn_logit_softcapping": 4.0,
        "final_logit_softcapping": 15.0}))


def gemma3(layers, pattern, **fields):
    return lambda: Gemma3ForCausalLM(Gemma3TextConfig(**{
        **SMALL, "hidden_size": 20, "head_dim": 6, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_hidden_layers": layers, "intermediate_size": 19,
        "query_pre_attn_scalar": 7, "sliding_window": 12, "rope_theta": 50000.0,
        "rope_local_base_freq": 700.0, "layer_types": [
            "full_attention" if (i + 1) % pattern == 0 else "sliding_attention"
            for i in range(layers)], **fields}))


def llama_uneven():
    return LlamaForCausalLM(LlamaConfig(**{
        **SMALL, "hidden_size": 20, "head_dim": 6, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_hidden_layers": 3, "tie_word_embeddings": False,
        "mlp_bias": True}))


# Heads, KV heads and neurons of each layer; config.json says 4, 2 and 29 of all.
UNEVEN = ((4, 2, 29), (3, 1, 17), (2, 2, 5))


def make_uneven(model):
    """A checkpoint that another tool has shrunk: attention reads the widths off its linears."""
    for layer, (heads, kv_heads, ffn) in zip(model.model.layers, UNEVEN):
        attention, mlp = layer.self_attn, layer.mlp
        attention.q_proj = torch.nn.Linear(20, 6 * heads, bias=False)
        attention.k_proj = torch.nn.Linear(20, 6 * kv_heads, bias=False)
        attention.v_proj = torch.nn.Linear(20, 6 * kv_heads, bias=False)
        attention.o_proj = torch.nn.Linear(6 * heads, 20, bias=False)
        attention.num_key_value_groups = heads // kv_heads
        mlp.gate_proj = torch.nn.Linear(20, ffn)
        mlp.up_proj = torch.nn.Linear(20, ffn)
        mlp.down_proj = torch.nn.Linear(ffn, 20)


# The numbers are those of the checkpoint as it is, layer by layer.
UNEVEN_PLANS = {
    "plan-a": [{"layer": 0, "heads": [1], "neurons": ["3-9", 28]},
               {"layer": 1, "heads": [0, 2], "neurons": [16]},
               {"layer": 2, "heads": [0], "neurons": [1, 4]}],
    "plan-b": [{"layer": 0, "attention": True, "neurons": ["0-12"]},
               {"layer": 1, "ffn": True, "heads": [1]}, {"layer": 2, "neurons": ["0-4"]}],
    "plan-c": [{"layer": 0, "heads": ["0-3"]}, {"layer": 1, "heads": ["0-2"], "neurons": ["0-15"]},
               {"layer": 2, "heads": [1], "ffn": True}],
}
F16, BF16 = {"stored": torch.float16}, {"stored": torch.bfloat16}

CASES = {
    # A window of 7 over 300 positions: the ring turns many times.
    "mistral-window": Case(mistral(7), plans_of(2, 4, 2, 29), tokens=300, **BF16),
    "mistral-full": Case(mistral(None, max_position_embeddings=64, rope_theta=1e6),
                         plans_of(2, 4, 2, 29, swap=True), **F16),
    # use_sliding_window is false, so sliding_window says nothing.
    "qwen2-bias": Case(qwen2(max_position_embeddings=64), plans_of(2, 4, 2, 29), after_save=
                       config_as_published(sliding_window=3, max_window_layers=1), **BF16),
    # Layer 0 sees all, layers 1 and 2 a window of 13.
    "qwen2-window": Case(qwen2(use_sliding_window=True, sliding_window=13, max_window_layers=1,
                               num_hidden_layers=3, intermediate_size=19, tie_word_embeddings=True),
                         plans_of(3, 4, 2, 19), tokens=150, **F16),
    "qwen3-norms": Case(qwen3, plans_of(2, 3, 1, 29), tokens=60, **F16),
    "starcoder2-window": Case(starcoder2, plans_of(2, 4, 2, 29), tokens=150, **F16),
    "gemma-one-kv": Case(gemma, plans_of(2, 3, 1, 29), tokens=60, **BF16),
    "gemma2-caps": Case(gemma2, plans_of(3, 4, 2, 19), tokens=150, after_save=config_as_published(
        cache_implementation="hybrid", sliding_window_size=9), **F16),
    # Local, local, global, the global one's positions an eighth.
    "gemma3-local": Case(gemma3(3, 3, rope_scaling={"rope_type": "linear", "factor": 8.0}),
                         plans_of(3, 4, 2, 19), tokens=150, **BF16),
    # Local, global, said by the older field.
    "gemma3-pattern": Case(gemma3(2, 2), plans_of(2, 4, 2, 19, swap=True), after_save=
                           config_as_published(sliding_window_pattern=2), **F16),
    "llama-uneven": Case(llama_uneven, UNEVEN_PLANS, tweak=make_uneven, **F16),
}
