"""GPT-2, GPT-NeoX, Falcon, Phi and Phi-3: fused projections, parallel blocks, partial rotation."""

import os

import torch
from safetensors.torch import load_file, save_file
from transformers import (FalconConfig, FalconForCausalLM, GPT2Config, GPT2LMHeadModel,
                          GPTNeoXConfig, GPTNeoXForCausalLM, Phi3Config, Phi3ForCausalLM, PhiConfig,
                          PhiForCausalLM)

from cases import COMMON, IDS, Case, plans_of


def gpt2(inner=37):
    """Four heads of 6, tied head."""
    return GPT2LMHeadModel(GPT2Config(
        vocab_size=43, n_embd=24, n_head=4, n_inner=inner, n_layer=2, n_positions=64, **IDS,
        **COMMON))


def gpt2_published():
    """Heads of 5, inner width not given (four times the hidden), the exact GELU."""
    return GPT2LMHeadModel(GPT2Config(
        vocab_size=37, n_embd=15, n_head=3, n_layer=2, n_positions=40, activation_function="gelu",
        **IDS, **COMMON))


def as_published(folder):
    """The names and the causal-mask buffers of the published GPT-2 files."""
    path = os.path.join(folder, "model.safetensors")
    tensors = {name.removeprefix("transformer."): value for name, value in load_file(path).items()}
    for layer in range(2):
        tensors[f"h.{layer}.attn.bias"] = torch.tril(torch.ones(1, 1, 40, 40, dtype=torch.float16))
    save_file(tensors, path, metadata={"format": "pt"})


def neox(parallel, rotary, heads, hidden, tied=False, act="gelu"):
    return lambda: GPTNeoXForCausalLM(GPTNeoXConfig(
        vocab_size=37, hidden_size=hidden, num_attention_heads=heads, intermediate_size=23,
        num_hidden_layers=2, max_position_embeddings=40, rotary_pct=rotary, hidden_act=act,
        use_parallel_residual=parallel, tie_word_embeddings=tied, **IDS, **COMMON))


def neox_buffers(folder):
    """What older files of this family hold beside the weights."""
    path = os.path.join(folder, "model.safetensors")
    tensors = load_file(path)
    for layer in range(2):
        base = f"gpt_neox.layers.{layer}.attention."
        tensors[base + "bias"] = torch.tril(torch.ones(1, 1, 40, 40)).to(torch.bool)
        tensors[base + "masked_bias"] = torch.tensor(-1e9)
        tensors[base + "rotary_emb.inv_freq"] = torch.tensor([1.0])
    save_file(tensors, path, metadata={"format": "pt"})


def falcon(**kind):
    return lambda: FalconForCausalLM(FalconConfig(
        vocab_size=41, num_hidden_layers=2, max_position_embeddings=64, alibi=False, **kind, **IDS,
        **COMMON))


def phi(heads, hidden, rotary, kv_heads=None):
    return lambda: PhiForCausalLM(PhiConfig(
        vocab_size=39, hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=kv_heads,
        intermediate_size=23, num_hidden_layers=2, max_position_embeddings=64,
        partial_rotary_factor=rotary, **IDS, **COMMON))


def phi3_window():
    """A window of 11 positions over 150, two KV heads, tied head."""
    return Phi3ForCausalLM(Phi3Config(
        vocab_size=29, hidden_size=24, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=31, num_hidden_layers=2, max_position_embeddings=512,
        original_max_position_embeddings=512, sliding_window=11, tie_word_embeddings=True, **IDS,
        **COMMON))


def phi3_longrope():
    """Trained on 16 positions, stretched to 96; three quarters of each head of 8 turn."""
    return Phi3ForCausalLM(Phi3Config(
        vocab_size=37, hidden_size=24, num_attention_heads=3, num_key_value_heads=3,
        intermediate_size=31, num_hidden_layers=2, max_position_embeddings=96,
        original_max_position_embeddings=16, partial_rotary_factor=0.75, rope_scaling={
            "type": "longrope", "short_factor": [1.0, 1.3, 1.7],
            "long_factor": [1.1, 3.5, 5.25]}, **IDS, **COMMON))


CASES = {
    "gpt2": Case(gpt2, plans_of(2, 4, 4, 37), stored=torch.bfloat16),
    "gpt2-published": Case(gpt2_published, plans_of(2, 3, 3, 60, swap=True), stored=torch.float16,
                           after_save=as_published),
    "neox-parallel": Case(neox(True, 0.25, 3, 30), plans_of(2, 3, 3, 23), stored=torch.float16,
                          after_save=neox_buffers),
    "neox-parallel-full": Case(neox(True, 1.0, 4, 24, tied=True), plans_of(2, 4, 4, 23, swap=True),
                               stored=torch.float16),
    # Heads of 9, of which one pair of columns turns.
    "neox-sequential": Case(neox(False, 0.25, 2, 18, act="gelu_new"), plans_of(2, 2, 2, 23),
                            stored=torch.bfloat16),
    # As 7B: one KV head, one norm for both branches, no biases.
    "falcon-multi-query": Case(falcon(hidden_size=30, num_attention_heads=5, ffn_hidden_size=37),
                               plans_of(2, 5, 1, 37), stored=torch.bfloat16),
    # As 40B: a norm for each branch, queries fused beside their KV head; biases too.
    "falcon-grouped": Case(falcon(hidden_size=24, num_attention_heads=4, num_kv_heads=2, bias=True,
                                  new_decoder_architecture=True, ffn_hidden_size=37),
                           plans_of(2, 4, 2, 37, swap=True)),
    # As 11B: the 40B's fused layout with one norm; head of its own.
    "falcon-grouped-one-norm": Case(
        falcon(hidden_size=24, num_attention_heads=6, num_kv_heads=3, num_ln_in_parallel_attn=1,
               new_decoder_architecture=True, ffn_hidden_size=41, tie_word_embeddings=False,
               activation="gelu_pytorch_tanh"),
        plans_of(2, 6, 3, 41), stored=torch.float16),
    # One block after the other, a KV head for each head, its three parts side by side.
    "falcon-sequential": Case(
        falcon(hidden_size=20, num_attention_heads=2, multi_query=False, parallel_attn=False,
               bias=True, ffn_hidden_size=31),
        plans_of(2, 2, 2, 31), stored=torch.float16),
    "phi-2": Case(phi(3, 30, 0.4), plans_of(2, 3, 3, 23), stored=torch.float16),
    # Heads of 7, of which two pairs of columns turn.
    "phi-1": Case(phi(4, 28, 0.6, kv_heads=2), plans_of(2, 4, 2, 23, swap=True),
                  stored=torch.bfloat16),
    "phi3-window": Case(phi3_window, plans_of(2, 4, 2, 31), tokens=150, stored=torch.bfloat16),
    # The sequence's length chooses between the two lists of factors.
    "phi3-longrope": Case(phi3_longrope, plans_of(2, 3, 3, 31, swap=True), tokens=90,
                          prefixes={"short": 16}, stored=torch.float16),
}
